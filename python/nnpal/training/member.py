"""A member during training: weights, optimizer, learning curve, and the best weights so far."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nnpal.model.description import Description
from nnpal.model.networks import Network, build_network
from nnpal.training.average import MovingAverage
from nnpal.training.frozen import freeze
from nnpal.training.optimizers import build_optimizers, step_all
from nnpal.training.scaling import ElementScaling, ScaledLayers
from nnpal.training.schedule import linear_factor, total_updates, updates_per_epoch
from nnpal.training.settings import TrainingSettings
from nnpal.training.soap import SOAP
from nnpal.training.split import Split

CHECKPOINT_UPDATES = 100
"""Target for the number of updates between checkpoints: a second or two of work."""


@dataclass(frozen=True)
class EpochRecord:
    """One point of the learning curve.

    Training values are means over the epoch's batches, before each update; validation values are from after the epoch.

    Attributes:
        epoch: number of the epoch, from 0.
        updates: number of updates so far.
        train_loss, validation_loss: mean loss, eV².
        train_energy_mae, validation_energy_mae: MAE of energies, eV/atom.
        train_force_mae, validation_force_mae: MAE of force components, eV/Å.
        learning_rate: learning rate of the weights.
    """

    epoch: int
    updates: int
    train_loss: float
    validation_loss: float
    train_energy_mae: float
    validation_energy_mae: float
    train_force_mae: float
    validation_force_mae: float
    learning_rate: float


@dataclass(frozen=True)
class Scores:
    """Mean loss (eV²), energy MAE (eV/atom) and force MAE (eV/Å) over some configurations."""

    loss: float
    energy_mae: float
    force_mae: float


class DivergedError(FloatingPointError):
    """The loss of a member is no longer finite."""


@dataclass
class Progress:
    """Learning curve and best epoch of a member so far.

    Attributes:
        history: one record for each epoch.
        best_value: lowest value of the validation quantity ``best_by``, in its unit.
        best_epoch: epoch of this value.
    """

    history: list[EpochRecord] = field(default_factory=list)
    best_value: float = np.inf
    best_epoch: int = -1


class Member:
    """A member between two epochs.

    The order of batches depends only on seed and epoch, so a member that resumes from a checkpoint gives the same
    results as one that was never interrupted.

    Arguments:
        description: elements and layers of the network.
        settings: settings of the training.
        split: training and validation configurations.
        seed: seed of weights and batches.
        device: device to train on.
        start: network, eV, with the initial weights; None: random weights from the seed.
        scaling: AEV scaling of each element, see :mod:`nnpal.training.scaling`; not needed without further training.
    """

    def __init__(
        self,
        description: Description,
        settings: TrainingSettings,
        split: Split,
        seed: int,
        device: torch.device,
        start: Network | None = None,
        scaling: Mapping[str, ElementScaling] | None = None,
    ) -> None:
        self.settings, self.split, self.seed = settings, split, seed
        begun = build_network(description, seed, settings.initialization) if start is None else copy.deepcopy(start)
        self.network = begun.to(device, getattr(torch, settings.dtype))
        freeze(self.network, settings.frozen_layers)
        self.scaled = ScaledLayers(self.network, scaling or {}, is_random=start is None)
        self.average = None if settings.ema is None else MovingAverage(self.network, settings.ema)
        self.optimizers = build_optimizers(self.network, settings, self.scaled.parameters)
        self.learning_rates = [float(optimizer.param_groups[0]["lr"]) for optimizer in self.optimizers]
        self.plateaus = [
            ReduceLROnPlateau(optimizer, factor=settings.plateau_factor, patience=settings.plateau_patience)
            for optimizer in (self.optimizers if settings.schedule == "plateau" else ())
        ]
        self.total_updates = total_updates(settings, len(split.train))
        self.updates = 0
        self.progress = Progress()
        self.best_weights = copy.deepcopy(self.validated.state_dict())

    @property
    def validated(self) -> Network:
        """The network that is validated and kept: the moving average if there is one."""
        return self.network if self.average is None else self.average.module

    @property
    def epoch(self) -> int:
        return len(self.progress.history)

    @property
    def finished(self) -> bool:
        """Whether training has ended, by number of epochs, early stop or learning rate."""
        settings, progress = self.settings, self.progress
        stalled = self.epoch - 1 - progress.best_epoch
        return (
            self.updates >= self.total_updates
            or (settings.early_stop_patience is not None and stalled >= settings.early_stop_patience)
            or (settings.schedule == "plateau" and self.learning_rate < settings.min_learning_rate)
        )

    @property
    def learning_rate(self) -> float:
        return float(self.optimizers[0].param_groups[0]["lr"])

    @property
    def checkpoint_every(self) -> int:
        """Number of epochs between checkpoints."""
        if self.settings.checkpoint_every is not None:
            return self.settings.checkpoint_every
        return max(1, CHECKPOINT_UPDATES // updates_per_epoch(self.settings, len(self.split.train)))

    def batches(self) -> list[np.ndarray]:
        """Return this epoch's batches, indices of configurations in random order; the last epoch may be incomplete."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.split.train)
        return in_parts(order, self.settings.batch_size)[: self.total_updates - self.updates]

    def begin_update(self) -> None:
        """Set the learning rates of the next update, and transform the gradients to the updated parameters."""
        self.scaled.take_gradients()
        if self.settings.schedule == "linear":
            factor = linear_factor(self.updates, self.total_updates, self.settings.warmup)
            for optimizer, rate in zip(self.optimizers, self.learning_rates, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = factor * rate

    def end_update(self) -> None:
        """Count an update, and write its weights into the network and the average."""
        self.scaled.write()
        self.updates += 1
        if self.average is not None:
            self.average.update_parameters(self.network)

    def end_epoch(self, train: Scores, validation: Scores) -> EpochRecord:
        """Record an epoch, keep its weights if they are the best, and lower the learning rates on a plateau.

        Raises:
            DivergedError: a loss is not finite.
        """
        record = EpochRecord(
            self.epoch,
            self.updates,
            train.loss,
            validation.loss,
            train.energy_mae,
            validation.energy_mae,
            train.force_mae,
            validation.force_mae,
            self.learning_rate,
        )
        if not np.isfinite([train.loss, validation.loss]).all():
            raise DivergedError(
                f"losses are {train.loss} (training) and {validation.loss} (validation) in epoch {record.epoch} of the "
                f"member with seed {self.seed}; lower training.learning_rate, now {record.learning_rate:g}"
            )
        value = {"loss": validation.loss, "energy": validation.energy_mae, "force": validation.force_mae}[
            self.settings.best_by
        ]
        self.progress.history.append(record)
        if value < self.progress.best_value:
            self.progress.best_value, self.progress.best_epoch = value, record.epoch
            self.best_weights = copy.deepcopy(self.validated.state_dict())
        for plateau in self.plateaus:
            plateau.step(value)
        return record

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on, in types that torch loads with ``weights_only``."""
        return {
            "network": self.network.state_dict(),
            "scaled": self.scaled.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "plateaus": [plateau.state_dict() for plateau in self.plateaus],
            "history": [asdict(record) for record in self.progress.history],
            "best_value": self.progress.best_value,
            "best_epoch": self.progress.best_epoch,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state``."""
        self.network.load_state_dict(state["network"])
        if self.scaled.parameters:
            self.scaled.load_state_dict(state["scaled"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            if not isinstance(optimizer, SOAP):  # None in older checkpoints
                own = {**own, "param_groups": [{**group, "fused": True} for group in own["param_groups"]]}
            optimizer.load_state_dict(own)
        for plateau, own in zip(self.plateaus, state["plateaus"], strict=True):
            plateau.load_state_dict(own)
        per_epoch = updates_per_epoch(self.settings, len(self.split.train))
        history = [  # checkpoints of earlier versions did not count updates
            EpochRecord(**{"updates": per_epoch * (record["epoch"] + 1), **record}) for record in state["history"]
        ]
        self.updates = history[-1].updates if history else 0
        self.progress = Progress(history, state["best_value"], state["best_epoch"])
        self.best_weights = state["best_weights"]

    def best_network(self) -> Network:
        """Return a copy of the network with the best weights, on the CPU."""
        network = copy.deepcopy(self.network).cpu().requires_grad_(True)
        network.load_state_dict(self.best_weights)
        return network


def step_members(members: Sequence[Member]) -> None:
    """Update the weights of members with the same settings by their gradients, and clear the gradients."""
    for member in members:
        member.begin_update()
    step_all([member.optimizers for member in members])
    for member in members:
        member.end_update()


def in_parts(indices: np.ndarray, size: int) -> list[np.ndarray]:
    """Split ``indices`` into consecutive parts of at most ``size``."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]
