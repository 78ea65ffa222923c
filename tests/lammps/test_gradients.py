"""Forces and virials against finite differences of the energy, and what the sums must give."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lmp_runner import Lmp
from lmp_single_point import SinglePoint, rerun_points
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel

# Four-point central difference with steps of 1e-4 (Å, or strain times some 5 Å). Rounding of a total of 1e4 eV adds
# 1e4 * 2e-16 / 1e-4 = 2e-8. The truncation error h^4/30 is far below, but the cosine cutoff has a jump of
# pi^2 / (2 r_c^2) = 0.2 to 0.4 / Å^2 in its second derivative: a pair that crosses it within a step adds up to
# 1e-5 eV/Å at 1 eV a term. STEP is small enough that none does here.
STEP = 1e-4
WEIGHTS = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
TOLERANCE = 1e-6

CASES = {
    "al_bulk": lambda: fcc("Al", 4.05, 2),
    "al_triclinic": lambda: tilted(fcc("Al", 4.05, 2), 2.0, -1.5, 1.0),
    "hcno_triclinic": lambda: tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0),
    "hcno_cluster": lambda: random_hcno(20, 0.08, periodic=False),
}

# The six strains x' = x (1 + strain) that keep a box lower triangular, as LAMMPS wants it.
STRAINS = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "xy": (1, 0), "xz": (2, 0), "yz": (2, 1)}


def moved(system: System, displacement: np.ndarray) -> System:
    return dataclasses.replace(system, positions=system.positions + displacement)


def strained(system: System, i: int, j: int, amount: float) -> System:
    deform = np.eye(3)
    deform[i, j] += amount
    return dataclasses.replace(system, positions=system.positions @ deform, cell=system.cell @ deform)


def slope(points: list[SinglePoint]) -> float:
    """Derivative from energies at the steps of WEIGHTS, in order."""
    return sum(w * p.energy for w, p in zip(WEIGHTS.values(), points, strict=True)) / STEP


def model_for(case: str, request: pytest.FixtureRequest) -> ExportedModel:
    return request.getfixturevalue("al_model" if case.startswith("al") else "hcno_model")


@pytest.mark.parametrize("case", CASES)
def test_forces_and_virial_are_the_slopes_of_the_energy(lmp: Lmp, request: pytest.FixtureRequest, case: str) -> None:
    model, system = model_for(case, request), CASES[case]()
    direction = np.random.default_rng(3).normal(size=system.positions.shape)
    systems = [system, *(moved(system, k * STEP * direction) for k in WEIGHTS)]
    if system.periodic:
        for i, j in STRAINS.values():
            systems += [strained(system, i, j, k * STEP) for k in WEIGHTS]
    point, *displaced = rerun_points(lmp, model, systems)

    assert np.abs(point.forces).max() > 0.05
    np.testing.assert_allclose(slope(displaced[:4]), -np.sum(point.forces * direction), atol=TOLERANCE)
    for k in range(len(displaced) // 4 - 1):
        found = slope(displaced[4 * (k + 1) : 4 * (k + 2)])
        np.testing.assert_allclose(found, -point.virial[k], atol=TOLERANCE)

    assert_sums(point)


def assert_sums(point: SinglePoint) -> None:
    """What holds without an external field, but for the rounding of sums of some 1e3 terms."""
    frame = point.frame
    np.testing.assert_allclose(point.atomic_energies.sum(), point.energy, rtol=1e-12)
    np.testing.assert_allclose(point.forces.sum(0), 0.0, atol=1e-10)
    # Both per-atom stresses are in pressure times volume: their sum is minus the virial.
    symmetric = -np.array([frame[f"c_s[{k}]"].sum() for k in range(1, 7)])
    centroid = -np.array([frame[f"c_cs[{k}]"].sum() for k in range(1, 10)])
    unit = 1.6021765e6  # bar Å^3 per eV, as LAMMPS has it
    np.testing.assert_allclose(symmetric / unit, point.virial, atol=1e-9)
    np.testing.assert_allclose(centroid[:6] / unit, point.virial, atol=1e-9)
    # A rotation costs nothing, so the virial is symmetric even where its atoms' shares are not.
    np.testing.assert_allclose(centroid[6:] / unit, point.virial[3:], atol=1e-9)
    shares = np.array([frame[f"c_cs[{k}]"] - frame[f"c_cs[{k + 3}]"] for k in (4, 5, 6)])
    assert np.abs(shares).max() / unit > 1e-3
