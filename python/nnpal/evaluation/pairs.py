"""Spread and error of a model on labeled configurations that it was not trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms

from nnpal.calibration import Pairs
from nnpal.evaluation.labels import read_labels
from nnpal.evaluation.prediction import Predictions, predict
from nnpal.geometry.edges import element_indices
from nnpal.model import read_metadata


def labeled_pairs(
    model: str | os.PathLike[str],
    frames: Sequence[Atoms],
    *,
    device: str = "cpu",
    on_batch: Callable[[int], None] | None = None,
) -> Pairs:
    """Evaluate an ensemble on labeled configurations.

    Arguments:
        model: a model file with at least two members.
        frames: configurations with energies and forces, not from the members' training data, where their errors are
            too small.
        device, on_batch: see :func:`nnpal.evaluation.predict`.

    Raises:
        ValueError: the model has one member, or a configuration has no label or cannot be evaluated.
    """
    metadata = read_metadata(model)
    if metadata.n_members < 2:
        raise ValueError(f"{model}: one member alone has no spread; expected a model of at least two members")
    read_labels(frames)
    return pairs_of(predict(model, frames, device=device, on_batch=on_batch), frames, metadata.elements)


def pairs_of(predictions: Predictions, frames: Sequence[Atoms], elements: Sequence[str]) -> Pairs:
    """Return pairs from predictions with ``uq_force`` and the labels of the same configurations."""
    if predictions.uq_force is None:
        raise ValueError("pairs_of: predictions without uq_force; expected predict(..., uq_force=True)")
    labels = read_labels(frames)
    return Pairs(
        species=np.concatenate([element_indices(frame, elements) for frame in frames]),
        uq_force=predictions.uq_force,
        force_error=predictions.forces - labels.forces,
        n_atoms=predictions.n_atoms,
        energy_std=predictions.member_energies.std(0),
        energy_error=predictions.energies - labels.energies,
        unshared=np.zeros(len(frames)),
    )
