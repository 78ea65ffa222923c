"""Energies, forces and virials of configurations from one ANI member, or from several in one pass."""

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
"""Returns atomic energies, eV, [n_atoms], from species [n_atoms], on the CPU, and AEVs [n_atoms, n_features]."""


def predict(atomic_energies: Energies, batch: AEVBatch, *, training: bool = False) -> Prediction:
    """Evaluate configurations; with ``training`` the result is differentiable in the weights."""
    atomic, gradient = _by_autograd(atomic_energies, batch, training=training)
    return _predicted(atomic, gradient, batch, training=training)


def joint_errors(
    networks: Sequence[ANINetworks], data: TrainingData, batches: Sequence[np.ndarray], *, training: bool
) -> tuple[Errors, Members]:
    """Return, in one pass, the errors of all members, each on its own configurations, and the sizes of their parts.

    Arguments:
        networks: members with the same layers.
        data: features and reference values of all configurations.
        batches: indices of configurations for each member.
        training: whether the errors will be differentiated in the weights.
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
    """Return atomic energies and their gradients with respect to AEVs, each from the network of the atom's member.

    Uses the formulas of :mod:`nnpal.training.network_pass` if they cover the activation function, else autograd.

    Arguments:
        networks: members with the same layers.
        n_atoms: number of atoms of each member; atoms are sorted by member.
        batch: AEVs and species of the atoms.
        training: whether both can be differentiated once in the weights.
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
    """Return a function for the atomic energies of one member that autograd can differentiate any number of times."""
    return lambda species, aev: side_by_side([network], [len(species)])(species, aev)


def side_by_side(networks: Sequence[ANINetworks], n_atoms: Sequence[int]) -> Energies:
    """Return such a function for several members, each of which evaluates its own atoms.

    Arguments:
        networks: members with the same layers.
        n_atoms: number of atoms of each member; atoms are sorted by member.
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
    # unsafe: a check of the lengths would wait for the device
    energies = torch.segment_reduce(atomic, "sum", lengths=batch.rows.sizes, unsafe=True)
    return Prediction(energies, forces, virials)
