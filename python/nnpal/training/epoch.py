"""One epoch of one or several members: updates, then validation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.training.data import TrainingData
from nnpal.training.loss import Errors, energy_force_loss
from nnpal.training.member import DivergedError, EpochRecord, Member, Scores, in_parts
from nnpal.training.prediction import errors_of_members
from nnpal.training.settings import LossSettings


def train_epoch(members: Sequence[Member], data: TrainingData, loss: LossSettings) -> list[EpochRecord | DivergedError]:
    """Carry each member through its next epoch, batch by batch side by side.

    Returns:
        Each member's record, or the error of one whose loss is not finite.
    """
    sums = [Sums() for _ in members]
    for batches in zip_longest(*(member.batches() for member in members)):
        present = [k for k, batch in enumerate(batches) if batch is not None]
        active = [members[k] for k in present]
        errors = errors_of_members([m.network for m in active], data, [batches[k] for k in present], training=True)
        losses = [loss_of(own, loss) for own in errors]
        torch.stack(losses).sum().backward()
        for k, member, own, value in zip(present, active, errors, losses, strict=True):
            member.step()
            sums[k].add(own, value)
    size = members[0].settings.batch_size
    validation = score([m.validated for m in members], data, [m.split.validation for m in members], loss, size)
    return [_outcome(*parts) for parts in zip(members, sums, validation, strict=True)]


def _outcome(member: Member, train: Sums, validation: Scores) -> EpochRecord | DivergedError:
    try:
        return member.end_epoch(train.scores(), validation)
    except DivergedError as error:
        return error


def score(
    networks: Sequence[ANINetworks],
    data: TrainingData,
    indices: Sequence[np.ndarray],
    loss: LossSettings,
    batch_size: int,
) -> list[Scores]:
    """Return each network's scores over its own configurations."""
    sums = [Sums() for _ in networks]
    for batches in zip_longest(*(in_parts(own, batch_size) for own in indices)):
        present = [k for k, batch in enumerate(batches) if batch is not None]
        errors = errors_of_members([networks[k] for k in present], data, [batches[k] for k in present], training=False)
        for k, own in zip(present, errors, strict=True):
            sums[k].add(own, loss_of(own, loss))
    return [own.scores() for own in sums]


def loss_of(errors: Errors, loss: LossSettings) -> Tensor:
    """Return the loss, eV²."""
    return energy_force_loss(
        errors,
        loss.force_weight,
        stress_weight=loss.stress_weight,
        huber_energy=loss.huber_energy,
        huber_force=loss.huber_force,
        huber_stress=loss.huber_stress,
    )


class Sums:
    """Running means over configurations; they stay on the device until they are read."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._n_data = 0

    def add(self, errors: Errors, loss: Tensor) -> None:
        n_data = len(errors.n_atoms)
        energy = (errors.energy.detach().abs() / errors.n_atoms).mean()
        force = errors.force.detach().abs().mean()
        n_components = errors.force.numel()
        own = torch.stack(
            (loss.detach() * n_data, energy * n_data, force * n_components, force.new_tensor(n_components))
        )
        self._total = own.double() if self._total is None else self._total + own
        self._n_data += n_data

    def scores(self) -> Scores:
        if self._total is None:
            raise ValueError("no configuration was added")
        loss, energy, force, n_components = self._total.tolist()
        return Scores(loss / self._n_data, energy / self._n_data, force / n_components)
