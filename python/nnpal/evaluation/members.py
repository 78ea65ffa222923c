"""Energies of configurations from each member, for error bars of observables."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.evaluation.prediction import predict
from nnpal.model import read_metadata


@dataclass(frozen=True)
class MemberEnergies:
    """Energies by member.

    Attributes:
        energies: E_m, eV, [n_members, n_frames].
        factor: calibration factor of the spread from the model file; None if it is not calibrated.
        n_outside: number of configurations whose spread per atom is above the calibrated range.
    """

    energies: NDArray[np.float64]
    factor: float | None
    n_outside: int = 0

    def __post_init__(self) -> None:
        if len(self.energies) < 2:
            raise ValueError("a model of one member has no spread, so no error bar; give an ensemble")


def member_energies(
    model_path: str | os.PathLike[str],
    frames: Sequence[Atoms],
    *,
    device: str = "cpu",
    on_batch: Callable[[int], None] | None = None,
) -> MemberEnergies:
    """Evaluate the members of a model on configurations.

    Arguments:
        model_path, frames, device, on_batch: see :func:`nnpal.evaluation.predict`.

    Raises:
        FileNotFoundError, nnpal.model.ModelFileError: see :func:`nnpal.evaluation.predict`.
        ValueError: see :func:`nnpal.evaluation.predict`; also if the model has one member.
    """
    metadata = read_metadata(model_path)
    if metadata.n_members < 2:
        raise ValueError(
            f"model {os.fspath(model_path)} has one member, so no spread and no error bar; give an ensemble"
        )
    found = predict(model_path, frames, members=False, uq_force=False, device=device, on_batch=on_batch)
    recipe = None if metadata.calibration is None else metadata.calibration.energy
    if recipe is None:
        return MemberEnergies(found.member_energies, None)
    outside = found.member_energies.std(axis=0) > found.n_atoms * recipe.largest_per_atom
    return MemberEnergies(found.member_energies, recipe.factor, int(outside.sum()))
