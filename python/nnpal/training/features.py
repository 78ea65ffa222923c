"""AEVs of a configuration and their derivative in the positions, computed once for a whole training.

AEVs carry no weights, so they and their Jacobian are the same in every epoch and for every member.
With G = ∂E/∂AEV, which the networks give, forces are F = -Jᵀ G.

| symbol      | variable                                            |
|-------------|-----------------------------------------------------|
| G_i         | ``aev`` [n_atoms, n_features]                       |
| ∂G_i/∂r_ij  | ``edge_jacobian`` [n_edges, n_features, 3], 1/Å     |
| J           | ``jacobian`` [n_atoms * n_features, n_atoms * 3]    |

Memory: J is dense, 3 n_features n_atoms² numbers a configuration: 0.66 MB in float32 for 32 atoms
and 54 features, 7.6 MB for 108 atoms. :func:`check_memory` refuses a data set that would not fit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torchani.aev import AEVComputer

from nnpal.graph import Graph, merge_graphs


@dataclass(frozen=True)
class Features:
    """AEVs and their Jacobian for one configuration.

    Attributes:
        species: element indices, int64 [n_atoms].
        aev: [n_atoms, n_features].
        jacobian: d aev / d position, 1/Å, [n_atoms * n_features, n_atoms * 3].
    """

    species: Tensor
    aev: Tensor
    jacobian: Tensor


def compute_features(
    computer: AEVComputer, graphs: Sequence[Graph], *, dtype: torch.dtype, n_merged: int = 8
) -> list[Features]:
    """Return the features of configurations in which every atom is a centre.

    Arguments:
        computer: TorchANI's AEV computer.
        graphs: neighbours within the radial cutoff, one graph for each configuration.
        dtype: of the features.
        n_merged: configurations whose terms are computed at a time, which spreads torch's cost of a
            call.
    """
    features = []
    for start in range(0, len(graphs), n_merged):
        chunk = graphs[start : start + n_merged]
        merged, _ = merge_graphs(chunk)
        aev, jacobian = _edge_jacobian(computer, merged, dtype)
        aevs = aev.split([graph.species.shape[0] for graph in chunk])
        jacobians = jacobian.split([graph.edge_vec.shape[0] for graph in chunk])
        features += [
            Features(graph.species, own_aev.clone(), _position_jacobian(own, graph))
            for graph, own_aev, own in zip(chunk, aevs, jacobians, strict=True)
        ]
    return features


def _position_jacobian(edge_jacobian: Tensor, graph: Graph) -> Tensor:
    """Turn ∂G_i/∂r_ij [n_edges, n_features, 3] into J [n_atoms * n_features, n_atoms * 3]: r_ij = r_j - r_i."""
    n_atoms, n_features = graph.species.shape[0], edge_jacobian.shape[1]
    centre, neighbour = graph.edge_index
    blocks = edge_jacobian.new_zeros(n_atoms * n_atoms, n_features * 3)
    flat = edge_jacobian.reshape(-1, n_features * 3)
    blocks.index_add_(0, centre * n_atoms + neighbour, flat)
    blocks.index_add_(0, centre * n_atoms + centre, flat, alpha=-1.0)
    jacobian = blocks.view(n_atoms, n_atoms, n_features, 3).transpose(1, 2)
    return jacobian.reshape(n_atoms * n_features, n_atoms * 3)


def _edge_jacobian(computer: AEVComputer, graph: Graph, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the AEVs and ∂AEV(centre)/∂edge_vec of every edge, by forward-mode derivatives."""
    species, edge_vec = graph.species, graph.edge_vec.to(dtype)
    centre, neighbour = graph.edge_index
    aev = edge_vec.new_zeros(species.shape[0], computer.out_dim)
    jacobian = edge_vec.new_zeros(edge_vec.shape[0], computer.out_dim, 3)

    distance = edge_vec.norm(dim=1)
    terms, slopes = _derivative(computer.radial, distance, torch.ones_like(distance))
    n_radial = computer.radial.num_feats
    column = species[neighbour, None] * n_radial + torch.arange(n_radial)
    edge = torch.arange(edge_vec.shape[0])[:, None]
    unit = edge_vec / distance[:, None]
    aev.index_put_((centre[:, None], column), terms, accumulate=True)
    jacobian[edge, column] = slopes[:, :, None] * unit[:, None, :]

    near = (distance < computer.angular.cutoff).nonzero().flatten()
    first, second = (near[side] for side in _pairs_of_one_centre(centre[near]))
    species_pair = computer.triu_index[species[neighbour[first]], species[neighbour[second]]]
    n_angular = computer.angular.num_feats
    column = computer.radial_len + species_pair[:, None] * n_angular + torch.arange(n_angular)

    def angular(vectors: Tensor) -> Tensor:
        return computer.angular(vectors.norm(dim=2), vectors)

    vectors = torch.stack((edge_vec[first], edge_vec[second]))
    for side, target in enumerate((first, second)):
        for axis in range(3):
            tangent = torch.zeros_like(vectors)
            tangent[side, :, axis] = 1.0
            terms, slopes = _derivative(angular, vectors, tangent)
            jacobian[:, :, axis].index_put_((target[:, None], column), slopes, accumulate=True)
    if first.numel():
        aev.index_put_((centre[first][:, None], column), terms, accumulate=True)
    return aev, jacobian


def _derivative(function: Callable[[Tensor], Tensor], point: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """Return the value of ``function`` at ``point`` and its derivative along ``tangent``."""
    with forward_ad.dual_level():
        value, slope = forward_ad.unpack_dual(function(forward_ad.make_dual(point, tangent)))
    return value, slope


def _pairs_of_one_centre(centre: Tensor) -> tuple[Tensor, Tensor]:
    """Return the unordered pairs of equal values in ``centre`` (sorted, [n]) as positions, two int64 [n_pairs]."""
    position = torch.arange(centre.shape[0])
    n_later = torch.searchsorted(centre, centre, right=True) - 1 - position
    first = position.repeat_interleave(n_later)
    start = n_later.cumsum(0) - n_later
    second = first + 1 + torch.arange(first.shape[0]) - start[first]
    return first, second


def check_memory(n_atoms: Sequence[int], n_features: int, dtype: torch.dtype, limit: int | None = None) -> int:
    """Return the bytes that the features of configurations of ``n_atoms`` atoms take.

    Arguments:
        n_atoms: atoms of each configuration.
        n_features: length of the AEV.
        dtype: of the features.
        limit: most bytes allowed; half of this machine's memory when None.

    Raises:
        ValueError: more than the limit.
    """
    if limit is None:
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    needed = dtype.itemsize * n_features * sum(3 * n * n + n for n in n_atoms)
    if needed > limit:
        raise ValueError(
            f"check_memory: {len(n_atoms)} configurations of up to {max(n_atoms)} atoms need "
            f"{needed / 1e9:.1f} GB for their AEV Jacobians, expected at most {limit / 1e9:.1f} "
            "GB; train on fewer or "
            "smaller configurations, or on a machine with more memory"
        )
    return needed
