"""Energies, forces and virials of configurations by one member, or by several in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks, AtomicNetwork

from nnpal.training.data import TrainingData
from nnpal.training.features import Batch
from nnpal.training.loss import Errors, Members
from nnpal.training.rows import upload

Energies = Callable[[Tensor, Tensor], Tensor]
"""Of species [n_atoms], on the CPU, and AEVs [n_atoms, n_features]: energies of atoms, eV, [n_atoms]."""


@dataclass(frozen=True)
class Prediction:
    """Energies [n_data] (eV), forces [sum of n_atoms, 3] (eV/Å), virials [n_data, 3, 3] (eV) or None."""

    energies: Tensor
    forces: Tensor
    virials: Tensor | None


def predict(atomic_energies: Energies, batch: Batch, *, training: bool = False) -> Prediction:
    """Evaluate configurations; with ``training`` the result can be differentiated in the weights."""
    atomic = atomic_energies(batch.species, batch.aev)
    (gradient,) = torch.autograd.grad(atomic.sum(), batch.aev, create_graph=training)
    forces, virials = batch.pull_back(gradient, training=training)
    # a check of the lengths would wait for the device
    energies = torch.segment_reduce(
        atomic if training else atomic.detach(), "sum", lengths=batch.rows.sizes, unsafe=True
    )
    return Prediction(energies, forces, virials)


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
    energies = one_member(networks[0]) if len(networks) == 1 else side_by_side(networks, members.n_atoms)
    found = predict(energies, batch, training=training)
    rows, virial = batch.rows, None
    if found.virials is not None and data.virials is not None:
        virial = found.virials - data.virials[rows.configurations]
    energy = found.energies - data.energies[rows.configurations]
    return Errors(energy, found.forces - data.forces[rows.atoms], rows.sizes, virial), members


def one_member(network: ANINetworks) -> Energies:
    """Return the atomic energies of one member as a function."""
    return lambda species, aev: _by_element(
        list(network.atomics), lambda symbol, _, own: network.atomics[symbol](own)[:, 0], species, aev
    )


def side_by_side(networks: Sequence[ANINetworks], n_atoms: Sequence[int]) -> Energies:
    """Return the atomic energies of several members as one function; each evaluates its own run of atoms.

    Each element's layers are one batched product over the members, which is what a GPU wants; members with fewer atoms
    of an element than others are padded.

    Arguments:
        networks: members of the same layers.
        n_atoms: how many of the atoms are each member's; they stand in the members' order.
    """
    member = np.arange(len(networks)).repeat(n_atoms)

    def of_element(symbol: str, rows: np.ndarray, aev: Tensor) -> Tensor:
        atomics = [network.atomics[symbol] for network in networks]
        own = member[rows]
        counts = np.bincount(own, minlength=len(networks))
        width = int(counts.max())
        if (counts == width).all():
            return _stacked(atomics, aev.view(len(networks), width, -1)).flatten()
        column = np.arange(len(own)) - (counts.cumsum() - counts)[own]
        places = upload(own * width + column, aev.device)
        padded = aev.new_zeros(len(networks) * width, aev.shape[1]).index_copy(0, places, aev)
        return _stacked(atomics, padded.view(len(networks), width, -1)).flatten().index_select(0, places)

    return lambda species, aev: _by_element(list(networks[0].atomics), of_element, species, aev)


def _by_element(
    symbols: Sequence[str], of_element: Callable[[str, np.ndarray, Tensor], Tensor], species: Tensor, aev: Tensor
) -> Tensor:
    """Return atomic energies, ``of_element`` of an element's symbol, its atoms' rows and AEVs for each element.

    ``symbols`` are the keys of the networks: those that TorchANI tells are read from numbers on the device.
    """
    atomic = None
    for element, symbol in enumerate(symbols):
        rows = np.flatnonzero(species.numpy() == element)
        if len(rows) == len(species):  # nothing to be sorted
            return of_element(symbol, rows, aev)
        if len(rows):
            there = upload(rows, aev.device)
            before = aev.new_zeros(len(aev)) if atomic is None else atomic
            atomic = before.index_copy(0, there, of_element(symbol, rows, aev.index_select(0, there)))
    return aev.new_zeros(len(aev)) if atomic is None else atomic


def _stacked(networks: Sequence[AtomicNetwork], features: Tensor) -> Tensor:
    """Return the outputs of networks, each for its own rows: [n_members, n_rows, n_features] -> [n_members, n_rows]."""
    layers = [[*network.layers, network.final_layer] for network in networks]
    for depth, level in enumerate(zip(*layers, strict=True)):
        weight = torch.stack([layer.weight for layer in level]).transpose(1, 2)
        if level[0].bias is None:
            features = torch.bmm(features, weight)
        else:
            features = torch.baddbmm(torch.stack([layer.bias for layer in level])[:, None], features, weight)
        if depth < len(layers[0]) - 1:
            features = networks[0].activation(features)
    return features[:, :, 0]
