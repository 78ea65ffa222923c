"""MOMT finds the known density of states of independent harmonic oscillators: ln Ω(U) = (d/2 - 1) ln U + c."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp
from nnpal.momt import read_bias, read_trace
from nnpal.momt.reweighting import covered_range, from_traces, thermodynamics

pytestmark = pytest.mark.physics

N_PAIRS = 10
DEGREES = 3 * N_PAIRS  # relative coordinates; centers of mass are free and hold no potential energy
LOW, HIGH, N_BINS = 4.0, 32.0, 56  # kT, at T0 = 1

# Pairs bound by k r² (LAMMPS's harmonic bond of length 0), no other forces; reduced units
SCRIPT = """units lj
atom_style bond
region box block 0 40 0 40 0 40
create_box 1 box bond/types 1 extra/bond/per/atom 1
{atoms}
mass 1 1.0
pair_style zero 6.0
pair_coeff * *
bond_style harmonic
bond_coeff 1 5.0 0.0
special_bonds lj 0 0 0
comm_modify cutoff 12
velocity all create 2.0 {seed} loop geom
timestep 0.01
fix l all langevin 1.0 1.0 1.0 {seed}
fix n all nve
thermo 1000000
run 2000
reset_timestep 0
fix momt all python/hook nnpal.momt:MOMT temp 1 H {low} {high} {n} stride 10 ln_f 0.05 ln_f_end 2e-4 every 20 &
    progress 1000000
run {steps}
"""


def pairs() -> str:
    lines = []
    for i in range(N_PAIRS):
        x, y = 4.0 * (i % 5) + 5, 4.0 * (i // 5) + 5
        lines += [f"create_atoms 1 single {x} {y} 10", f"create_atoms 1 single {x + 0.4} {y} 10.2"]
    lines += [f"create_bonds single/bond 1 {2 * i + 1} {2 * i + 2}" for i in range(N_PAIRS)]
    return "\n".join(lines)


def ln_omega(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bin centers, ln Ω but for a constant, and its standard error from blocks of the production run."""
    trace, bias = read_trace(folder / "momt.trace"), read_bias(folder / "momt.h5")
    (axis,) = bias.axes
    produced = trace.phase == 1
    blocks = [np.histogram(part, bins=axis.edges)[0] for part in np.array_split(trace.H[produced], 20)]
    counts = np.array(blocks, dtype=float)
    total = counts.sum(axis=0)
    error = counts.std(axis=0, ddof=1) * np.sqrt(len(counts)) / total
    return axis.centers, np.log(total) + axis.centers + bias.evaluate(H=axis.centers), error


@pytest.mark.parametrize("n_bins", [9, 28])
def test_reweighting_with_any_bins(lmp: Lmp, n_bins: int) -> None:
    """⟨U⟩ and the heat capacity at temperatures that were not simulated, also with bins of 1 kT0."""
    lmp(
        SCRIPT.format(atoms=pairs(), seed=4711, low=LOW, high=HIGH, n=n_bins, steps=2_000_000).replace(
            "timestep 0.01", "timestep 0.02"
        ),
        limit=6000,
    )
    samples = from_traces(read_trace(lmp.folder / "momt.trace"))
    assert samples.n_outside > 0
    low, high = covered_range(samples)
    print(f"{n_bins} bins: temperatures {low:.2f} to {high:.2f}, {samples.n_outside} rows outside of {len(samples)}")
    assert low < 0.85
    assert high > 1.05
    for temp in (0.85, 0.95, 1.05):
        found = thermodynamics(samples, temp)
        exact = {"enthalpy": DEGREES * temp / 2, "heat_capacity": DEGREES / 2 + 1.5 * samples.n_atoms}
        for name, value in exact.items():
            estimate = getattr(found, name)
            print(f"  T = {temp}: {name} {estimate.value:.3f} ± {estimate.error:.3f}, exact {value:.3f}")
            assert estimate.error < 0.02 * value
            assert abs(estimate.value - value) < 4 * estimate.error


def test_harmonic_oscillators(lmp: Lmp) -> None:
    lmp(SCRIPT.format(atoms=pairs(), seed=4711, low=LOW, high=HIGH, n=N_BINS, steps=6_000_000), limit=6000)
    bias = read_bias(lmp.folder / "momt.h5")
    assert bias.phase == 1, "learning must have ended"
    assert bias.round_trips > 100
    u, found, error = ln_omega(lmp.folder)
    exact = (DEGREES / 2 - 1) * np.log(u)
    difference = found - exact
    difference -= np.average(difference, weights=error**-2)
    print(f"ln Omega over {HIGH - LOW} kT: largest error {error.max():.3f}, rms {np.sqrt(np.mean(difference**2)):.4f}")
    assert HIGH - LOW > 20
    assert error.max() < 0.1, "the test must be able to tell"
    # ln Ω itself spans 29; bins within their errors: mean of χ² over 56 bins (correlated ones) near 1
    assert np.mean((difference / error) ** 2) < 2.0
    # and the learned bias alone has it: δH = kT ln Ω - U + c, to the noise of ln f
    learned = bias.evaluate(H=u) + u - exact
    inner = slice(1, -1)  # the spline's first and last bin feel the walls
    assert np.ptp(learned[inner]) < 0.5, np.ptp(learned[inner])
