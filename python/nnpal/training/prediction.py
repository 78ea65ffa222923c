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
from nnpal.training.loss import Errors

Energies = Callable[[Tensor, Tensor], Tensor]
"""Of species [n_atoms] and AEVs [n_atoms, n_features]: energies of atoms, eV, [n_atoms]."""


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
    sizes = torch.tensor(batch.sizes, device=atomic.device)
    energies = torch.segment_reduce(atomic, "sum", lengths=sizes)
    return Prediction(energies, forces, virials)


def errors_of_members(
    networks: Sequence[ANINetworks], data: TrainingData, batches: Sequence[np.ndarray], *, training: bool
) -> list[Errors]:
    """Return the errors of each member on its own configurations, all members in one pass.

    Arguments:
        networks: members of the same layers.
        data: features and reference values.
        batches: indices of configurations for each member.
        training: whether the errors are differentiated in the weights.
    """
    indices = np.concatenate(batches)
    batch = data.features.batch(indices)
    atoms = [int(data.sizes[own].sum()) for own in batches]
    energies = one_member(networks[0]) if len(networks) == 1 else side_by_side(networks, atoms)
    found = predict(energies, batch, training=training)
    where = torch.from_numpy(indices).to(found.energies.device)
    energy = found.energies - data.energies[where]
    force = found.forces - data.force_rows(indices)
    counts = [len(own) for own in batches]
    n_atoms = torch.from_numpy(data.sizes[indices]).to(found.energies.device).split(counts)
    virials: Sequence[Tensor | None] = [None] * len(batches)
    if found.virials is not None and data.virials is not None:
        virials = (found.virials - data.virials[where]).split(counts)
    parts = zip(energy.split(counts), force.split(atoms), n_atoms, virials, strict=True)
    return [Errors(*part) for part in parts]


def one_member(network: ANINetworks) -> Energies:
    """Return the atomic energies of one member as a function."""
    return lambda species, aev: network(species[None], aev[None], atomic=True)[0]


def side_by_side(networks: Sequence[ANINetworks], n_atoms: Sequence[int]) -> Energies:
    """Return the atomic energies of several members as one function; each evaluates its own run of atoms.

    Each element's layers are one batched product over the members, which is what a GPU wants; members with fewer atoms
    of an element than others are padded.

    Arguments:
        networks: members of the same layers.
        n_atoms: how many of the atoms are each member's; they stand in the members' order.
    """

    def energies(species: Tensor, aev: Tensor) -> Tensor:
        atomic = aev.new_zeros(len(aev))
        member = torch.arange(len(networks), device=aev.device).repeat_interleave(
            torch.tensor(n_atoms, device=aev.device)
        )
        for element, symbol in enumerate(networks[0].symbols):
            rows = (species == element).nonzero().flatten()
            if not len(rows):
                continue
            own = member[rows]
            counts = torch.bincount(own, minlength=len(networks))
            column = torch.arange(len(rows), device=aev.device) - (counts.cumsum(0) - counts)[own]
            padded = aev.new_zeros(len(networks), int(counts.max()), aev.shape[1])
            padded = padded.index_put((own, column), aev[rows])
            output = _stacked([network.atomics[symbol] for network in networks], padded)
            atomic = atomic.index_put((rows,), output[own, column])
        return atomic

    return energies


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
