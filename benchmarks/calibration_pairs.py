"""Out-of-fold spreads and errors of a trained ensemble; calibration.py uses this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.calibration import Pairs, unshared
from nnpal.evaluation.labels import read_labels
from nnpal.evaluation.pairs import pairs_of
from nnpal.evaluation.prediction import predict
from nnpal.model import read_metadata
from nnpal.training.plan import read_learned


def out_of_fold(model: Path, frames: Sequence[Atoms], folder: Path) -> Pairs:
    """Return, on the data of a training, the spread and the error of the members not trained on each configuration.

    Evaluates the model file, independently of the training's own calibration.

    Arguments:
        model: model file with all members of the training.
        frames: configurations of the training.
        folder: training folder.
    """
    found, labels, judges = predict(model, frames), read_labels(frames), ~read_learned(folder)
    assert found.member_forces is not None
    number = judges.sum(0)
    share = judges / np.maximum(number, 1)
    forces = np.einsum("ma,mad->ad", share[:, found.frame_of_atom], found.member_forces)
    pairs = replace(
        pairs_of(found, frames, read_metadata(model).elements),
        force_error=forces - labels.forces,
        energy_error=(share * found.member_energies).sum(0) - labels.energies,
        unshared=unshared(found.n_members, np.maximum(number, 1)),
    )
    return pairs.of_frames(number > 0)
