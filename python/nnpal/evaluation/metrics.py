"""Errors of energies, forces and stresses against labels, for the ensemble, each member, element and tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
from ase import units
from numpy.typing import NDArray

from nnpal.evaluation.labels import Labels
from nnpal.evaluation.prediction import Predictions

MILLI = 1e3
"""From eV to meV."""


class ForceErrors(TypedDict):
    """MAE and RMSE of force components, meV/Å."""

    force_mae: float
    force_rmse: float


class StressErrors(TypedDict, total=False):
    """MAE and RMSE of stress components, meV/Å³ and GPa; absent without stresses."""

    stress_mae: float
    stress_rmse: float
    stress_mae_GPa: float
    stress_rmse_GPa: float


class Errors(ForceErrors, StressErrors):
    """MAE, RMSE and mean of the energy error, meV/atom, and errors of forces and stresses."""

    energy_mae: float
    energy_rmse: float
    energy_mean: float


class ErrorsOfFrames(Errors):
    """Errors, and the number of configurations."""

    n_frames: int


class ErrorsOfElement(ForceErrors):
    """Errors of forces, and the number of atoms."""

    n_atoms: int


class _OfMembers(TypedDict, total=False):
    members: list[Errors]


class Accuracy(_OfMembers):
    """Result of :func:`accuracy`; with ``members`` if each member was evaluated."""

    n_frames: int
    n_atoms: int
    ensemble: Errors
    by_tag: dict[str, ErrorsOfFrames]
    by_element: dict[str, ErrorsOfElement]


@dataclass(frozen=True)
class Comparison:
    """Values of a model and of the reference.

    Attributes:
        energies, reference_energies: energies per atom, eV, [n_frames].
        forces, reference_forces: eV/Å, [n_atoms in all, 3].
        stresses, reference_stresses: stresses of configurations that have a label, eV/Å³, [n_labeled, 6].
    """

    energies: NDArray[np.float64]
    reference_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    reference_forces: NDArray[np.float64]
    stresses: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 6)))
    reference_stresses: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 6)))

    def errors(self) -> Errors:
        """Return MAE, RMSE and mean of the energy error (meV/atom), MAE and RMSE of force components (meV/Å).

        If there are stresses, MAE and RMSE of their components follow, in meV/Å³ and GPa.
        """
        energy = MILLI * (self.energies - self.reference_energies)
        found: Errors = {
            "energy_mae": mae(energy),
            "energy_rmse": rmse(energy),
            "energy_mean": float(energy.mean()),
            **force_errors(self.forces, self.reference_forces),
        }
        if len(self.stresses):
            stress = self.stresses - self.reference_stresses
            found["stress_mae"], found["stress_rmse"] = mae(MILLI * stress), rmse(MILLI * stress)
            in_gpa = (1.0 / units.GPa) * stress
            found["stress_mae_GPa"], found["stress_rmse_GPa"] = mae(in_gpa), rmse(in_gpa)
        return found


def mae(error: NDArray[np.float64]) -> float:
    """Return the mean absolute error."""
    return float(np.abs(error).mean())


def rmse(error: NDArray[np.float64]) -> float:
    """Return the root-mean-square error."""
    return float(np.sqrt(np.square(error).mean()))


def force_errors(forces: NDArray[np.float64], reference: NDArray[np.float64]) -> ForceErrors:
    """Return MAE and RMSE of force components, meV/Å; forces in eV/Å, [n_atoms, 3]."""
    error = MILLI * (forces - reference)
    return {"force_mae": mae(error), "force_rmse": rmse(error)}


def compare(
    predictions: Predictions, labels: Labels, *, member: int | None = None, frames: NDArray[np.bool_] | None = None
) -> Comparison:
    """Combine predictions with labels.

    Arguments:
        predictions, labels: predictions and labels of the same configurations.
        member: index of the member to compare; None: the ensemble.
        frames: mask of the configurations, bool [n_frames]; by default all.

    Raises:
        ValueError: predictions and labels are of different configurations, or predictions lack forces of members.
    """
    if not np.array_equal(predictions.n_atoms, labels.n_atoms):
        raise ValueError(
            f"compare: predictions are of {len(predictions.n_atoms)} configurations with {predictions.n_atoms.sum()} "
            f"atoms, labels of {len(labels.n_atoms)} with {labels.n_atoms.sum()}; expected the same configurations"
        )
    energies, forces, stresses = predictions.energies, predictions.forces, predictions.stresses
    if member is not None:
        if predictions.member_forces is None or predictions.member_stresses is None:
            raise ValueError("compare: predictions have no forces of members; use predict(..., members=True)")
        energies = predictions.member_energies[member]
        forces, stresses = predictions.member_forces[member], predictions.member_stresses[member]
    chosen = np.ones(len(labels.n_atoms), dtype=bool) if frames is None else frames
    atoms = chosen[predictions.frame_of_atom]
    with_stress = chosen & np.isfinite(labels.stresses).all(1) & np.isfinite(stresses).all(1)
    n_atoms = labels.n_atoms[chosen]
    return Comparison(
        energies=energies[chosen] / n_atoms,
        reference_energies=labels.energies[chosen] / n_atoms,
        forces=forces[atoms],
        reference_forces=labels.forces[atoms],
        stresses=stresses[with_stress],
        reference_stresses=labels.stresses[with_stress],
    )


def by_tag(predictions: Predictions, labels: Labels) -> dict[str, Comparison]:
    """Return {tag: the ensemble's values for its configurations}, in the order in which tags first occur.

    Arguments:
        predictions: predictions of a model for the configurations of ``labels``.
        labels: reference values.
    """
    return {tag: compare(predictions, labels, frames=labels.tags == tag) for tag in dict.fromkeys(labels.tags.tolist())}


def accuracy(predictions: Predictions, labels: Labels) -> Accuracy:
    """Return errors of the ensemble and of each member, by tag, and of forces by element, ready for JSON.

    Keys and units are those of :meth:`Comparison.errors`.

    Arguments:
        predictions: predictions of a model for the configurations of ``labels``.
        labels: reference values.
    """
    found: Accuracy = {
        "n_frames": len(labels.n_atoms),
        "n_atoms": int(labels.n_atoms.sum()),
        "ensemble": compare(predictions, labels).errors(),
        "by_tag": {tag: {"n_frames": len(c.energies), **c.errors()} for tag, c in by_tag(predictions, labels).items()},
        "by_element": {},
    }
    if predictions.member_forces is not None:
        found["members"] = [compare(predictions, labels, member=m).errors() for m in range(predictions.n_members)]
    for symbol in sorted(set(labels.symbols.tolist())):
        atoms = labels.symbols == symbol
        found["by_element"][symbol] = {
            "n_atoms": int(atoms.sum()),
            **force_errors(predictions.forces[atoms], labels.forces[atoms]),
        }
    return found
