"""Compare what contenders compute, in the run that times them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Differences = dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What a contender makes of one crystal.

    Attributes:
        energy: eV.
        forces: eV/Å, [n_atoms, 3].
        uncertainties: of each atom, [n_atoms]: uq_energy in eV, uq_force in eV/Å; those that were asked for.
    """

    energy: float
    forces: np.ndarray
    uncertainties: dict[str, np.ndarray] = field(default_factory=dict)


def differences(found: Evaluation, expected: Evaluation) -> Differences:
    """Return how far results are apart: of the energy, and as parts of the largest force and uncertainty."""
    result = {
        "of_the_energy": abs(found.energy - expected.energy) / abs(expected.energy),
        "of_the_largest_force": _largest(found.forces, expected.forces),
    }
    for name, values in found.uncertainties.items():
        result[f"of_the_largest_{name}"] = _largest(values, expected.uncertainties[name])
    return result


def require_agreement(what: str, found: Evaluation, expected: Evaluation, allowed: float) -> Differences:
    """Return the differences where none is above `allowed`.

    Raises:
        RuntimeError: one is, or is not a number.
    """
    result = differences(found, expected)
    if any(not value <= allowed for value in result.values()):
        raise RuntimeError(f"{what}: results differ by {result}, allowed {allowed}")
    return result


def _largest(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())
