"""Energies, forces and virials of configurations by one ANI member, or by several in one pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks, AtomicNetwork

from nnpal.training.by_network import by_network, layers_of
from nnpal.training.data import TrainingData
from nnpal.training.features import AEVBatch, GraphBatch, StoredBatch
from nnpal.training.loss import Errors, Members
from nnpal.training.network_pass import Activation, Network, energies_and_gradients
from nnpal.training.prediction import Prediction

Energies = Callable[[Tensor, Tensor], Tensor]
"""Of species [n_atoms], on the CPU, and AEVs [n_atoms, n_features]: energies of atoms, eV, [n_atoms]."""


def predict(atomic_energies: Energies, batch: AEVBatch, *, training: bool = False) -> Prediction:
    """Evaluate configurations; with ``training`` the result can be differentiated in the weights."""
    atomic, gradient = _by_autograd(atomic_energies, batch, training=training)
    return _predicted(atomic, gradient, batch, training=training)


def joint_errors(
    networks: Sequence[ANINetworks], data: TrainingData, batches: Sequence[np.ndarray], *, training: bool
) -> tuple[Errors, Members]:
    """Return the errors of all members, each on its own configurations, in one pass, and whose they are.

    Arguments:
        networks: members of the same layers.
        data: features and reference values.
        batches: indices of configurations for each member.
        training: whether the errors are differentiated in the weights.
    """
    members = Members([len(own) for own in batches], [int(data.sizes[own].sum()) for own in batches])
    batch = data.features.batch(np.concatenate(batches))
    if not isinstance(batch, StoredBatch | GraphBatch):
        raise TypeError(f"{type(data.features).__name__} hold no AEVs, which ANI networks need")
    atomic, gradient = atomic_values(networks, members.n_atoms, batch, training=training)
    found = _predicted(atomic, gradient, batch, training=training)
    return found.errors(data, batch.rows), members


def atomic_values(
    networks: Sequence[ANINetworks], n_atoms: Sequence[int], batch: AEVBatch, *, training: bool
) -> tuple[Tensor, Tensor]:
    """Return the energies of atoms and their gradients in the AEVs, each atom by its member's network.

    By the formulas of :mod:`nnpal.training.network_pass` where they know the activation function, else by autograd.

    Arguments:
        networks: members of the same layers.
        n_atoms: how many of the atoms are each member's; they stand in the members' order.
        batch: the atoms.
        training: whether both can be differentiated in the weights, once.
    """
    unknown = [own.activation for own in networks[0].atomics.values() if Activation.of(own.activation) is None]
    if unknown:
        warnings.warn(f"{unknown[0]}: its slopes are not known here; torch differentiates it, slower", stacklevel=2)
        energies = one_member(networks[0]) if len(networks) == 1 else side_by_side(networks, n_atoms)
        return _by_autograd(energies, batch, training=training)

    def evaluate(atomics: list[AtomicNetwork], features: Tensor) -> tuple[Tensor, ...]:
        activation = Activation.of(atomics[0].activation)
        assert activation is not None
        return energies_and_gradients(features, Network(*layers_of(atomics), activation), training=training)

    energy, gradient = by_network(networks, n_atoms, batch.species, batch.aev.detach(), evaluate)
    return energy, gradient


def one_member(network: ANINetworks) -> Energies:
    """Return the atomic energies of one member as a function that autograd differentiates as often as wanted."""
    return lambda species, aev: side_by_side([network], [len(species)])(species, aev)


def side_by_side(networks: Sequence[ANINetworks], n_atoms: Sequence[int]) -> Energies:
    """Return the same for several members; each evaluates its own run of atoms.

    Arguments:
        networks: members of the same layers.
        n_atoms: how many of the atoms are each member's; they stand in the members' order.
    """
    return lambda species, aev: by_network(networks, n_atoms, species, aev, _energies)[0]


def _energies(atomics: list[AtomicNetwork], features: Tensor) -> tuple[Tensor, ...]:
    if len(atomics) == 1:
        return (atomics[0](features)[:, 0],)
    weights, biases = layers_of(atomics)
    for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        turned = weight.transpose(1, 2)
        features = torch.bmm(features, turned) if bias is None else torch.baddbmm(bias[:, None], features, turned)
        if depth < len(weights) - 1:
            features = atomics[0].activation(features)
    return (features[:, :, 0],)


def _by_autograd(atomic_energies: Energies, batch: AEVBatch, *, training: bool) -> tuple[Tensor, Tensor]:
    atomic = atomic_energies(batch.species, batch.aev)
    (gradient,) = torch.autograd.grad(atomic.sum(), batch.aev, create_graph=training)
    return (atomic if training else atomic.detach()), gradient


def _predicted(atomic: Tensor, gradient: Tensor, batch: AEVBatch, *, training: bool) -> Prediction:
    forces, virials = batch.pull_back(gradient, training=training)
    # a check of the lengths would wait for the device
    energies = torch.segment_reduce(atomic, "sum", lengths=batch.rows.sizes, unsafe=True)
    return Prediction(energies, forces, virials)
