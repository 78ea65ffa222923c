"""Train one ensemble member."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.networks import NetworkDescription, build_member
from nnpal.training.dataset import Dataset
from nnpal.training.loss import energy_force_loss
from nnpal.training.split import Split, random_split


@dataclass(frozen=True)
class TrainingSettings:
    """Options of the training; defaults are those of the seeds where these are published.

    Attributes:
        force_weight: α of the loss, Å².
        validation_fraction: share of the data that a member does not learn from.
        batch_size: configurations for each update.
        max_epochs: passes over the training part.
        learning_rate: of AdamW at the start.
        weight_decay: of AdamW.
        plateau_factor: the learning rate is multiplied by this
        plateau_patience: after so many epochs without a better validation loss.
    """

    force_weight: float = 0.1
    validation_fraction: float = 0.2
    batch_size: int = 64
    max_epochs: int = 300
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    plateau_factor: float = 0.5
    plateau_patience: int = 100

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"TrainingSettings: {name} is {getattr(self, name)}, expected >= 1")
        if self.force_weight < 0.0:
            raise ValueError(f"TrainingSettings: force_weight is {self.force_weight}, expected >= 0")


@dataclass(frozen=True)
class EpochRecord:
    """One line of the learning curve; losses in eV², the training loss averaged over the batches of the epoch."""

    epoch: int
    train_loss: float
    validation_loss: float
    learning_rate: float


@dataclass(frozen=True)
class TrainedMember:
    """A member with its best weights by validation.

    Attributes:
        network: in eV.
        split: which configurations it learned from.
        history: one record for each epoch.
        best_epoch: the epoch whose weights are kept.
        seed: of weights, split and batches.
    """

    network: ANINetworks
    split: Split
    history: list[EpochRecord]
    best_epoch: int
    seed: int


def train_member(
    dataset: Dataset,
    description: NetworkDescription,
    settings: TrainingSettings,
    seed: int,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainedMember:
    """Train one member on its own random split, with AdamW and a learning rate that falls on plateaus.

    The same seed gives the same member.

    Arguments:
        dataset: features and reference values.
        description: elements, AEV and layers; those the data set was built with.
        settings: options.
        seed: of weights, split and batches.
        on_epoch: called after each epoch.

    Raises:
        FloatingPointError: the validation loss is not finite.
    """
    rng = np.random.default_rng(seed)
    split = random_split(len(dataset), settings.validation_fraction, rng)
    network = build_member(description, seed).to(dataset.energies.dtype)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=settings.plateau_factor, patience=settings.plateau_patience
    )
    history: list[EpochRecord] = []
    best_loss, best_epoch, best_weights = np.inf, -1, copy.deepcopy(network.state_dict())
    for epoch in range(settings.max_epochs):
        learning_rate = optimizer.param_groups[0]["lr"]
        train_loss = 0.0
        for batch in _batches(rng.permutation(split.train), settings.batch_size):
            loss = batch_loss(network, dataset, batch, settings.force_weight, training=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(batch) / len(split.train)
        validation_loss = evaluate_loss(network, dataset, split.validation, settings)
        if not np.isfinite(validation_loss):
            raise FloatingPointError(
                f"train_member: validation loss is {validation_loss} in epoch {epoch} of seed "
                f"{seed}; "
                f"lower learning_rate, now {learning_rate}"
            )
        plateau.step(validation_loss)
        if validation_loss < best_loss:
            best_loss, best_epoch = validation_loss, epoch
            best_weights = copy.deepcopy(network.state_dict())
        record = EpochRecord(epoch, train_loss, validation_loss, learning_rate)
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
    network.load_state_dict(best_weights)
    return TrainedMember(network, split, history, best_epoch, seed)


def evaluate_loss(network: ANINetworks, dataset: Dataset, indices: np.ndarray, settings: TrainingSettings) -> float:
    """Return the loss of the network over the configurations ``indices``, eV²."""
    total = 0.0
    for batch in _batches(indices, settings.batch_size):
        loss = batch_loss(network, dataset, batch, settings.force_weight, training=False)
        total += loss.item() * len(batch)
    return total / len(indices)


def batch_loss(
    network: ANINetworks,
    dataset: Dataset,
    indices: Sequence[int] | np.ndarray,
    force_weight: float,
    *,
    training: bool,
) -> Tensor:
    """Return the loss over the configurations ``indices``, eV², differentiable in the weights when ``training``."""
    features = [dataset.features[i] for i in indices]
    energies, forces = predict(network, features, training=training)
    n_atoms = torch.tensor([feature.species.shape[0] for feature in features])
    return energy_force_loss(
        energies - dataset.energies[torch.as_tensor(indices)],
        forces - torch.cat([dataset.forces[i] for i in indices]),
        n_atoms,
        force_weight,
    )


def predict(network: ANINetworks, features: Sequence[Any], *, training: bool = False) -> tuple[Tensor, Tensor]:
    """Return energies [n_data] (eV) and forces [sum of n_atoms, 3] (eV/Å) of configurations, in their order.

    With ``training`` both can be differentiated in the weights.
    """
    aev = torch.cat([feature.aev for feature in features]).requires_grad_(True)
    species = torch.cat([feature.species for feature in features])
    atomic = network(species[None], aev[None], atomic=True)[0]
    (gradient,) = torch.autograd.grad(atomic.sum(), aev, create_graph=training)
    sizes = [feature.species.shape[0] for feature in features]
    forces = _ForcesFromGradient.apply(gradient, [f.jacobian for f in features], sizes)
    energies = torch.stack([part.sum() for part in atomic.split(sizes)])
    return energies, forces


class _ForcesFromGradient(torch.autograd.Function):
    """F = -Jᵀ ∂E/∂G, configuration by configuration: the Jacobians are read where they lie and never copied."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, jacobians: list[Tensor], sizes: list[int]) -> Tensor:
        ctx.jacobians, ctx.sizes = jacobians, sizes
        parts = zip(gradient.split(sizes), jacobians, strict=True)
        return torch.cat([-(part.reshape(-1) @ jacobian).view(-1, 3) for part, jacobian in parts])

    @staticmethod
    def backward(ctx: Any, grad_forces: Tensor) -> tuple[Tensor, None, None]:
        parts = zip(grad_forces.split(ctx.sizes), ctx.jacobians, ctx.sizes, strict=True)
        grad = [-(jacobian @ part.reshape(-1)).view(size, -1) for part, jacobian, size in parts]
        return torch.cat(grad), None, None


def _batches(indices: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut ``indices`` into consecutive parts of at most ``size``."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]
