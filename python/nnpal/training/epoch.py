"""One epoch of one or more members: updates, then validation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from nnpal.model.denormals import denormals_flushed
from nnpal.model.networks import Network
from nnpal.training.data import TrainingData
from nnpal.training.evaluate import errors_of_members
from nnpal.training.loss import Errors, Members, sums
from nnpal.training.member import DivergedError, EpochRecord, Member, Scores, in_parts, step_members
from nnpal.training.settings import LossSettings
from nnpal.training.update import learn, losses_of


@denormals_flushed()
def train_epoch(members: Sequence[Member], data: TrainingData, loss: LossSettings) -> list[EpochRecord | DivergedError]:
    """Train each member for one epoch, all members batch by batch together.

    Returns:
        Each member's record, or the error of a member whose loss is not finite.
    """
    means = Sums(len(members))
    for batches in zip_longest(*(member.batches() for member in members)):
        present = tuple(k for k, batch in enumerate(batches) if batch is not None)
        active = [members[k] for k in present]
        own = [batches[k] for k in present]
        errors, whose, losses = learn([member.network for member in active], data, own, loss)
        means.add(present, errors, whose, losses)
        step_members(active)
    size = members[0].settings.batch_size
    validation = score([m.validated for m in members], data, [m.split.validation for m in members], loss, size)
    return [_outcome(*parts) for parts in zip(members, means.scores(), validation, strict=True)]


def _outcome(member: Member, train: Scores, validation: Scores) -> EpochRecord | DivergedError:
    try:
        return member.end_epoch(train, validation)
    except DivergedError as error:
        return error


@denormals_flushed()
def score(
    networks: Sequence[Network],
    data: TrainingData,
    indices: Sequence[np.ndarray],
    loss: LossSettings,
    batch_size: int,
) -> list[Scores]:
    """Return each network's scores on its own configurations."""
    means = Sums(len(networks))
    for batches in zip_longest(*(in_parts(own, batch_size) for own in indices)):
        present = tuple(k for k, batch in enumerate(batches) if batch is not None)
        own = [batches[k] for k in present]
        errors, whose = errors_of_members([networks[k] for k in present], data, own, training=False)
        means.add(present, errors, whose, losses_of(errors, whose, loss))
    return means.scores()


class Sums:
    """Running means over configurations for each member, kept on the device until they are read."""

    def __init__(self, n_members: int) -> None:
        self._totals: dict[tuple[tuple[int, int], ...], Tensor] = {}
        self._n_data = np.zeros(n_members)
        self._n_components = np.zeros(n_members)

    def add(self, present: Sequence[int], errors: Errors, members: Members, losses: Tensor) -> None:
        """Add a batch of the members numbered ``present``."""
        energy = sums(errors.energy.detach().abs() / errors.n_atoms, members.n_data)
        force = sums(errors.force.detach().abs(), members.n_atoms)
        own = torch.stack((losses.detach(), energy, force), 1)
        key = tuple(zip(present, members.n_data, strict=True))  # the same for all batches but the last
        self._totals[key] = self._totals[key] + own if key in self._totals else own.double()
        self._n_data[list(present)] += members.n_data
        self._n_components[list(present)] += 3.0 * np.array(members.n_atoms)

    def scores(self) -> list[Scores]:
        """Return the means of every member."""
        if not self._n_data.all():
            raise ValueError(f"members have {self._n_data.tolist()} configurations; expected at least one each")
        totals = np.zeros((len(self._n_data), 3))
        for key, values in self._totals.items():
            for (member, n_data), (loss, energy, force) in zip(key, values.tolist(), strict=True):
                totals[member] += (loss * n_data, energy, force)
        means = totals / np.stack((self._n_data, self._n_data, self._n_components), 1)
        return [Scores(*own) for own in means.tolist()]
