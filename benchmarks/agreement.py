"""Compare the results of contenders, in the run that times them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Differences = dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """Results of a contender for one crystal.

    Attributes:
        energy: energy of the crystal, eV.
        forces: forces on atoms, eV/Å, [n_atoms, 3].
        uncertainties: requested uncertainties of each atom, [n_atoms]: uq_energy in eV, uq_force in eV/Å.
    """

    energy: float
    forces: np.ndarray
    uncertainties: dict[str, np.ndarray] = field(default_factory=dict)


def differences(found: Evaluation, expected: Evaluation) -> Differences:
    """Return relative differences: of the energy, and of forces and uncertainties as fractions of the largest value."""
    result = {
        "of_the_energy": abs(found.energy - expected.energy) / abs(expected.energy),
        "of_the_largest_force": _largest(found.forces, expected.forces),
    }
    for name, values in found.uncertainties.items():
        result[f"of_the_largest_{name}"] = _largest(values, expected.uncertainties[name])
    return result


def require_agreement(what: str, found: Evaluation, expected: Evaluation, allowed: float) -> Differences:
    """Return the differences if none exceeds `allowed`.

    Raises:
        RuntimeError: a difference exceeds `allowed` or is NaN.
    """
    result = differences(found, expected)
    if any(not value <= allowed for value in result.values()):
        raise RuntimeError(f"{what}: results differ by {result}, allowed {allowed}")
    return result


def _largest(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())
