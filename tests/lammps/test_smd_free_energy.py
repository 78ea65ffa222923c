"""Free energies from pulls in LAMMPS against exact ones, and the bond of butane that in.smd_butane breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp
from nnpal.smd import activation_energy, find_break, jarzynski_profile, read_pull

N = 30  # pulls at once: LAMMPS has 32 groups
K_TRAP, K, RATE, LENGTH = 0.5, 1.0, 6.0, 0.6  # eV/Å², Å/ps, Å
KT = 8.617343e-5 * 300.0

# Atoms that feel nothing but a trap of their own along x, and a thermostat
TRAPS = f"""
units metal
atom_style atomic
atom_modify map yes
boundary f f f
region box block -20 20 -5 {5 * N} -5 5
create_box 1 box
{"".join(f"create_atoms 1 single 0 {5 * i} 0 units box{chr(10)}" for i in range(N))}
mass 1 12.0
pair_style zero 1.0
pair_coeff * *
{"".join(f"group g{i} id {i + 1}{chr(10)}" for i in range(N))}
timestep 0.001
fix trap all spring/self {K_TRAP} xyz
fix md all nve
"""


def test_jarzynski_gives_the_exact_free_energy_of_a_trap(lmp: Lmp) -> None:
    pulls = []
    for seed in (1, 2, 3):
        hooks = {
            stage: "".join(
                f"fix pull{i} all python/hook nnpal.smd:SMD group g{i} point 0 {5 * i} 0 direction 1 0 0 "
                f"k {K} start 0 {rest}{f' file {seed}.{i}.txt every 10' if stage == 'pull' else ''}\n"
                for i in range(N)
            )
            for stage, rest in (("hold", "rate 0"), ("pull", f"rate {RATE}"))
        }
        unfix = "".join(f"unfix pull{i}\n" for i in range(N))
        lmp(
            f"{TRAPS}\nvelocity all create 600 {seed}\nfix bath all langevin 300 300 0.1 {seed}\n"
            f"{hooks['hold']}\nrun 2000\n{unfix}\n{hooks['pull']}\nrun {round(LENGTH / RATE / 0.001)}"
        )
        read = [read_pull(lmp.folder / f"{seed}.{i}.txt") for i in range(N)]
        # The report tells pulls of different groups apart; these are the same by symmetry
        pulls += [replace(pull, facts={}) for pull in read]
    target, free = jarzynski_profile(pulls, KT, n_points=4)
    # A spring in series with the trap: F(λ) = ½ k K/(k + K) λ²
    exact = 0.5 * K * K_TRAP / (K + K_TRAP) * target**2
    assert exact[-1] > 2 * KT
    np.testing.assert_array_less(np.abs(free.value - free.bias - exact)[1:], 4 * free.error[1:])
    np.testing.assert_array_less(np.abs(free.cumulant - exact)[1:], 4 * free.cumulant_error[1:])
    # what a wrong sign of the correction, or none, would give lies outside
    dissipated = free.mean_work[-1] - exact[-1]
    assert dissipated > 4 * free.error[-1]


@pytest.mark.physics
def test_butane_breaks_at_a_carbon_bond(lmp: Lmp) -> None:
    """The whole script: half a minute of GFN2-xTB."""
    pytest.importorskip("tblite")
    lmp((Path(__file__).parents[2] / "lammps_inputs" / "in.smd_butane").read_text())
    pull = read_pull(lmp.folder / "pull.txt")
    at = find_break(pull, window=0.2)
    assert at.broken
    # Seven pulls at 0.25 to 4 Å/ps gave 4.3 to 5.1 eV and 5.05 to 5.16 Å; the bond's energy is 3.9 eV by experiment
    assert 3.9 < activation_energy(pull) < 5.5
    assert 4.9 < at.d < 5.3
