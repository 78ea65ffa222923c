"""Errors and losses of individual members, which training computes together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.training.data import TrainingData
from nnpal.training.forward_pass import joint_errors
from nnpal.training.loss import Errors, energy_force_loss
from nnpal.training.settings import LossSettings


def errors_of_members(
    networks: Sequence[ANINetworks], data: TrainingData, batches: Sequence[np.ndarray], *, training: bool
) -> list[Errors]:
    """Return the errors of :func:`nnpal.training.forward_pass.joint_errors`, separately for each member."""
    errors, members = joint_errors(networks, data, batches, training=training)
    virials: Sequence[Tensor | None] = [None] * len(batches)
    if errors.virial is not None:
        virials = errors.virial.split(members.n_data)
    parts = (errors.energy.split(members.n_data), errors.force.split(members.n_atoms))
    sizes = errors.n_atoms.split(members.n_data)
    return [Errors(*part) for part in zip(*parts, sizes, virials, strict=True)]


def loss_of(errors: Errors, loss: LossSettings) -> Tensor:
    """Return the loss of one member, eV²."""
    return energy_force_loss(errors, **loss.model_dump())
