"""`nnpal.smd:SMD` moves atoms as Colvars' moving restraint and LAMMPS's `fix smd cvel` do."""

from __future__ import annotations

import numpy as np
import pytest

from lmp_runner import THERMO_FORMAT, Lmp, read_dump
from smd_scripts import ALUMINIUM, HOOK, MODIFY, dumped, output, vector

N_STEPS = 200
K, RATE, START, DT = 2.0, 5.0, 5.0, 0.002

# Three programs add the same terms in another order; the hot crystal multiplies rounding by e every 100 fs or so.
POSITIONS = {"rtol": 0.0, "atol": 1e-9}  # Å
# Colvars writes 15 digits.
COLVARS = {"rtol": 1e-12, "atol": 1e-9}

COLVARS_INPUT = f"""
colvarsTrajFrequency 1
colvarsRestartFrequency 0
colvar {{
  name d
  distance {{
    group1 {{
      atomNumbers {{ %s }}
    }}
    group2 {{
      atomNumbers {{ %s }}
    }}
  }}
  outputAppliedForce on
}}
harmonic {{
  name h
  colvars d
  forceConstant {K}
  centers {START}
  targetCenters {START + RATE * DT * N_STEPS}
  targetNumSteps {N_STEPS}
  outputCenters on
  outputAccumulatedWork on
  outputEnergy on
}}
"""

PULLED = {
    "atoms 1 17": ("1", "17"),
    "groups corner other": ("1 2 3 4", "15 16 17 18 19 20"),
}


@pytest.mark.parametrize("pulled", PULLED)
def test_follows_colvars_moving_restraint(lmp: Lmp, pulled: str) -> None:
    (lmp.folder / "colvars.in").write_text(COLVARS_INPUT % PULLED[pulled])
    lmp(f"{ALUMINIUM}\nfix 1 all nve\nfix pull all colvars colvars.in output out\n{dumped(50)}\nrun {N_STEPS}")
    theirs = read_dump(lmp.folder / "all.dump")
    run = lmp(
        f"{ALUMINIUM}\nfix 1 all nve\n{HOOK} {pulled} k {K} rate {RATE} start {START}\n"
        f"{MODIFY}\n{output()}\n{dumped(50)}\nrun {N_STEPS}"
    )
    for mine, other in zip(run.dump("all.dump"), theirs, strict=True):
        np.testing.assert_allclose(mine.positions, other.positions, **POSITIONS)

    _, d, force, energy, target, work = np.loadtxt(lmp.folder / "out.colvars.traj").T
    mine = vector(run)
    for column, expected in zip(mine.T, (d, target, force), strict=False):
        np.testing.assert_allclose(column, expected, **COLVARS)
    np.testing.assert_allclose(run.thermo[-1]["f_pull"], energy, **COLVARS)
    # Colvars sums F(end of step) Δλ; the trapezoid takes half of both ends
    trapezoid = work - 0.5 * RATE * DT * (force - force[0])
    np.testing.assert_allclose(mine[:, 3], trapezoid, **COLVARS)
    assert np.ptp(d) > 0.05
    assert np.max(np.abs(work - trapezoid)) > 1e-4  # the two rules differ by more than the tolerance


def fix_smd(lmp: Lmp, runs: str) -> dict[str, np.ndarray]:
    """Run fix smd cvel and return the last table: [4] force, [5] target, [6] distance, [7] work."""
    run = lmp(
        f"{ALUMINIUM}\nfix 1 all nve\ngroup a id 1\ngroup b id 17\n"
        f"fix pull a smd cvel {K} {RATE} couple b auto auto auto 0.0\n{dumped(50)}\n"
        f"thermo 1\nthermo_style custom step f_pull[*]\n{THERMO_FORMAT}\n{runs}"
    )
    return run.thermo[-1]


def test_follows_fix_smd_but_for_its_known_faults(lmp: Lmp) -> None:
    theirs = fix_smd(lmp, f"run {N_STEPS}")
    frames = read_dump(lmp.folder / "all.dump")
    run = lmp(
        f"{ALUMINIUM}\nfix 1 all nve\n{HOOK} atoms 1 17 k {K} rate {RATE}\n{MODIFY}\n{output()}\n"
        f"{dumped(50)}\nrun {N_STEPS}"
    )
    for mine, other in zip(run.dump("all.dump"), frames, strict=True):
        np.testing.assert_allclose(mine.positions, other.positions, **POSITIONS)
    d, target, force, work = vector(run).T
    np.testing.assert_allclose(d, theirs["f_pull[6]"], **COLVARS)
    # It prints no force in setup, and counts a force that lengthens d as negative
    np.testing.assert_allclose(force[1:], -theirs["f_pull[4]"][1:], **COLVARS)
    # Fault: its target, as printed, is one step ahead of the force of the same row
    np.testing.assert_allclose(target + RATE * DT, theirs["f_pull[5]"], **COLVARS)
    # Fault: it gives minus the work, by rectangles that take each step's last force
    rectangles = work + 0.5 * RATE * DT * (force - force[0])
    np.testing.assert_allclose(rectangles, -theirs["f_pull[7]"], **COLVARS)


def test_a_second_run_restarts_fix_smd_but_not_the_hook(lmp: Lmp) -> None:
    """Fault: with two runs, fix smd's target is not where it is after one run of the same length."""
    whole = fix_smd(lmp, f"run {N_STEPS}")
    split = fix_smd(lmp, f"run {N_STEPS // 2}\nrun {N_STEPS // 2}")
    assert abs(whole["f_pull[5]"][-1] - split["f_pull[5]"][-1]) > 0.5 * RATE * DT
    script = f"{ALUMINIUM}\nfix 1 all nve\n{HOOK} atoms 1 17 k {K} rate {RATE}\n{output()}\n"
    one = vector(lmp(f"{script}run {N_STEPS}"))
    two = vector(lmp(f"{script}run {N_STEPS // 2}\nrun {N_STEPS // 2}"))
    np.testing.assert_allclose(two, one[N_STEPS // 2 :], **COLVARS)
