"""One member in training: its weights, optimizer, learning curve, and the best weights so far."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchani.nn import ANINetworks

from nnpal.model.build import build_member
from nnpal.model.description import NetworkDescription
from nnpal.training.average import MovingAverage
from nnpal.training.frozen import freeze, trainable
from nnpal.training.settings import TrainingSettings
from nnpal.training.split import Split


@dataclass(frozen=True)
class EpochRecord:
    """One line of the learning curve.

    Training values are averaged over the epoch's batches, before each update; validation values follow the epoch.

    Attributes:
        epoch: from 0.
        train_loss, validation_loss: eV².
        train_energy_mae, validation_energy_mae: eV/atom.
        train_force_mae, validation_force_mae: of components, eV/Å.
        learning_rate: of the weights.
    """

    epoch: int
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
    """A member's loss is not finite any more."""


@dataclass
class Progress:
    """What has happened to a member so far.

    Attributes:
        history: one record for each epoch.
        best_value: lowest validation value, in the unit of what ``best_by`` names.
        best_epoch: where it was.
    """

    history: list[EpochRecord] = field(default_factory=list)
    best_value: float = np.inf
    best_epoch: int = -1


class Member:
    """A member between two epochs.

    A batch order is drawn from the seed and the epoch alone, so a member that goes on from a checkpoint does what one
    that was never broken off does.

    Arguments:
        description: elements, AEV and layers.
        settings: options.
        split: which configurations it learns from.
        seed: of weights and batches.
        device: where it is trained.
        start: networks, eV, whose weights it begins with; by default random ones, from the seed.
    """

    def __init__(
        self,
        description: NetworkDescription,
        settings: TrainingSettings,
        split: Split,
        seed: int,
        device: torch.device,
        start: ANINetworks | None = None,
    ) -> None:
        self.settings, self.split, self.seed = settings, split, seed
        begun = build_member(description, seed) if start is None else copy.deepcopy(start)
        self.network = begun.to(device, getattr(torch, settings.dtype))
        freeze(self.network, settings.frozen_layers)
        self.average = None if settings.ema is None else MovingAverage(self.network, settings.ema)
        self.optimizers = build_optimizers(self.network, settings)
        self.plateaus = [
            ReduceLROnPlateau(optimizer, factor=settings.plateau_factor, patience=settings.plateau_patience)
            for optimizer in self.optimizers
        ]
        self.progress = Progress()
        self.best_weights = copy.deepcopy(self.validated.state_dict())

    @property
    def validated(self) -> ANINetworks:
        """The network whose weights are judged and kept: the moving average where there is one."""
        return self.network if self.average is None else self.average.module

    @property
    def epoch(self) -> int:
        return len(self.progress.history)

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, by number, early stop or learning rate."""
        settings, progress = self.settings, self.progress
        stalled = self.epoch - 1 - progress.best_epoch
        return (
            self.epoch >= settings.max_epochs
            or (settings.early_stop_patience is not None and stalled >= settings.early_stop_patience)
            or self.learning_rate < settings.min_learning_rate
        )

    @property
    def learning_rate(self) -> float:
        return float(self.optimizers[0].param_groups[0]["lr"])

    def batches(self) -> list[np.ndarray]:
        """Return this epoch's batches: indices of configurations, in an order of its own."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.split.train)
        return in_parts(order, self.settings.batch_size)

    def step(self) -> None:
        """Update the weights by their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)

    def end_epoch(self, train: Scores, validation: Scores) -> EpochRecord:
        """Record an epoch, keep its weights if they are the best, and lower the learning rates on a plateau.

        Raises:
            DivergedError: a loss is not finite.
        """
        record = EpochRecord(
            self.epoch,
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
        """Return everything that the next epoch depends on, in types that torch loads as weights only."""
        return {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "plateaus": [plateau.state_dict() for plateau in self.plateaus],
            "history": [asdict(record) for record in self.progress.history],
            "best_value": self.progress.best_value,
            "best_epoch": self.progress.best_epoch,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state`` was taken."""
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            fused = [{**group, "fused": True} for group in own["param_groups"]]  # older checkpoints say None
            optimizer.load_state_dict({**own, "param_groups": fused})
        for plateau, own in zip(self.plateaus, state["plateaus"], strict=True):
            plateau.load_state_dict(own)
        history = [EpochRecord(**record) for record in state["history"]]
        self.progress = Progress(history, state["best_value"], state["best_epoch"])
        self.best_weights = state["best_weights"]

    def best_network(self) -> ANINetworks:
        """Return a copy of the network with the best weights, on the CPU."""
        network = copy.deepcopy(self.network).cpu().requires_grad_(True)
        network.load_state_dict(self.best_weights)
        return network


def in_parts(indices: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut ``indices`` into consecutive parts of at most ``size``."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def build_optimizers(network: ANINetworks, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
    """Return AdamW for all that learns, or SGD for the biases; fused: a kernel or two an update."""
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for name, parameter in trainable(network):
        apart = settings.bias_optimizer == "sgd" and name.endswith("bias")
        (biases if apart else weights).append(parameter)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    ]
    if biases:
        optimizers.append(torch.optim.SGD(biases, lr=settings.bias_learning_rate, fused=True))
    return optimizers
