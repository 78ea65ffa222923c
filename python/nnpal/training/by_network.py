"""Distribute a batch's atoms over the networks of their elements and members, and collect results in atom order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks, AtomicNetwork

from nnpal.training.rows import upload

OfNetworks = Callable[[list[AtomicNetwork], Tensor], tuple[Tensor, ...]]
"""Evaluates networks of one element on features, [n_rows, n_features] for one network, else
[n_networks, n_rows, n_features]; returns results with rows in the same order."""


def by_network(
    networks: Sequence[ANINetworks], n_atoms: Sequence[int], species: Tensor, features: Tensor, evaluate: OfNetworks
) -> tuple[Tensor, ...]:
    """Return the results of ``evaluate`` for all atoms, zero for elements without a network.

    On a GPU, one batched product over the members evaluates each layer of an element; members with fewer atoms of an
    element are padded with zeros.

    Arguments:
        networks: members with the same layers.
        n_atoms: number of atoms of each member; atoms are sorted by member.
        species: element indices [n_atoms], on the CPU.
        features: AEVs, [n_atoms, n_features].
        evaluate: evaluates the networks of one element.
    """
    member = np.arange(len(networks)).repeat(n_atoms)
    results: tuple[Tensor, ...] | None = None
    # Symbols are the networks' keys: TorchANI's own list of symbols is read from a tensor on the device
    for element, symbol in enumerate(networks[0].atomics):
        rows = np.flatnonzero(species.numpy() == element)
        if not len(rows):
            continue
        atomics = [network.atomics[symbol] for network in networks]
        if len(rows) == len(species):  # a single element needs no sorting
            return _of_members(atomics, member, features, evaluate)
        there = upload(rows, features.device)
        own = _of_members(atomics, member[rows], features.index_select(0, there), evaluate)
        if results is None:
            results = tuple(each.new_zeros(len(species), *each.shape[1:]) for each in own)
        results = tuple(all_.index_copy(0, there, each) for all_, each in zip(results, own, strict=True))
    if results is None:
        raise ValueError(f"no atom among {len(species)} is of an element of {list(networks[0].atomics)}")
    return results


def _of_members(
    atomics: list[AtomicNetwork], member: np.ndarray, features: Tensor, evaluate: OfNetworks
) -> tuple[Tensor, ...]:
    """Return the results of rows, which are sorted by ``member``, the network of each row."""
    n_members = len(atomics)
    if n_members == 1:
        return evaluate(atomics, features)
    counts = np.bincount(member, minlength=n_members)
    width = int(counts.max())
    if (counts == width).all():
        return tuple(each.flatten(0, 1) for each in evaluate(atomics, features.view(n_members, width, -1)))
    column = np.arange(len(member)) - (counts.cumsum() - counts)[member]
    places = upload(member * width + column, features.device)
    padded = features.new_zeros(n_members * width, features.shape[1]).index_copy(0, places, features)
    found = evaluate(atomics, padded.view(n_members, width, -1))
    return tuple(each.flatten(0, 1).index_select(0, places) for each in found)


def layers_of(atomics: Sequence[AtomicNetwork]) -> tuple[list[Tensor], list[Tensor | None]]:
    """Return the weights and biases of each layer, stacked for several networks."""
    layers = [[*network.layers, network.final_layer] for network in atomics]
    if len(atomics) == 1:
        return [layer.weight for layer in layers[0]], [layer.bias for layer in layers[0]]
    weights: list[Tensor] = []
    biases: list[Tensor | None] = []
    for level in zip(*layers, strict=True):
        weights.append(torch.stack([layer.weight for layer in level]))
        biases.append(None if level[0].bias is None else torch.stack([layer.bias for layer in level]))
    return weights, biases
