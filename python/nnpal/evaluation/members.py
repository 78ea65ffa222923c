"""Energies of configurations by each member, for error bars of observables."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.evaluation.prediction import predict
from nnpal.model import read_metadata


@dataclass(frozen=True)
class MemberEnergies:
    """Energies by member.

    Attributes:
        energies: E_m, eV, [n_members, n_frames].
        factor: by which the model file says that their spread is to be multiplied; None: it is not calibrated.
    """

    energies: np.ndarray
    factor: float | None

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
        model_path, frames, device, on_batch: as for :func:`nnpal.evaluation.predict`.

    Raises:
        FileNotFoundError, nnpal.model.ModelFileError: as there.
        ValueError: as there, or the model has one member.
    """
    metadata = read_metadata(model_path)
    if metadata.n_members < 2:
        raise ValueError(
            f"model {os.fspath(model_path)} has one member, so no spread and no error bar; give an ensemble"
        )
    found = predict(model_path, frames, members=False, uq_force=False, device=device, on_batch=on_batch)
    return MemberEnergies(found.member_energies, energy_factor(metadata))


def energy_factor(metadata: Any) -> float | None:
    """Return the calibration factor of energies that a model file holds, None where it holds none."""
    calibration = getattr(metadata, "calibration", None)
    energy = getattr(calibration, "energy", None)
    return None if energy is None else float(energy.factor)
