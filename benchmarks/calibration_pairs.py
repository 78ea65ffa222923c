"""Spread and error of a model file on labeled configurations; calibration.py uses this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.calibration import Pairs, unshared
from nnpal.evaluation.labels import read_labels
from nnpal.evaluation.prediction import predict
from nnpal.model import read_metadata
from nnpal.training.plan import read_learned


def pairs_of(model: Path, frames: Sequence[Atoms], judges: np.ndarray | None = None) -> Pairs:
    """Return spread and error of a model on labeled configurations.

    Arguments:
        model: a model file.
        frames: configurations with energies and forces.
        judges: which members' mean is held against the label, bool [n_members, n_frames]; by default all of them.
            Configurations with none are left out.
    """
    found, labels = predict(model, frames), read_labels(frames)
    assert found.uq_force is not None
    assert found.member_forces is not None
    judges = np.ones((found.n_members, len(frames)), dtype=bool) if judges is None else judges
    number = judges.sum(0)
    share = judges / np.maximum(number, 1)
    forces = np.einsum("ma,mad->ad", share[:, found.frame_of_atom], found.member_forces)
    index = {symbol: k for k, symbol in enumerate(read_metadata(model).elements)}
    return Pairs(
        species=np.array([index[symbol] for frame in frames for symbol in frame.get_chemical_symbols()]),
        uq_force=found.uq_force,
        force_error=forces - labels.forces,
        n_atoms=found.n_atoms,
        energy_std=found.member_energies.std(0),
        energy_error=(share * found.member_energies).sum(0) - labels.energies,
        unshared=unshared(found.n_members, np.maximum(number, 1)),
    ).of_frames(number > 0)


def out_of_fold(model: Path, frames: Sequence[Atoms], folder: Path) -> Pairs:
    """Return spread, and error of those members that did not learn a configuration, on a training's own data.

    Arguments:
        model: the file of all members of the training.
        frames: the training's configurations.
        folder: of the training.
    """
    return pairs_of(model, frames, ~read_learned(folder))
