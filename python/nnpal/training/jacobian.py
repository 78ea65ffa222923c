"""Derivatives of AEVs in positions and strain, computed once for a whole training.

AEVs carry no weights, so they and their derivatives are the same in every epoch and for every member.
With G = ∂E/∂AEV, which the networks give, forces are F = -Jᵀ G and the strain derivative of the energy is Sᵀ G.

| symbol      | variable                                              |
|-------------|-------------------------------------------------------|
| G_i         | ``aev`` [n_atoms, n_features]                         |
| ∂G_i/∂r_ij  | ``edge_jacobian`` [n_edges, n_features, 3], 1/Å       |
| J           | first 3 n_atoms columns of ``derivatives``, 1/Å       |
| S           | last 6 columns, Voigt's order, where asked for        |
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torchani.aev import AEVComputer

from nnpal.graph import Graph

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def derivatives(edge_jacobian: Tensor, graph: Graph, *, strain: bool) -> Tensor:
    """Return J, and S beside it where ``strain``, [n_atoms * n_features, 3 n_atoms (+ 6)], for r_ij = r_j - r_i."""
    n_atoms, n_features = graph.species.shape[0], edge_jacobian.shape[1]
    centre, neighbour = graph.edge_index
    blocks = edge_jacobian.new_zeros(n_atoms * n_atoms, n_features * 3)
    flat = edge_jacobian.reshape(-1, n_features * 3)
    blocks.index_add_(0, centre * n_atoms + neighbour, flat)
    blocks.index_add_(0, centre * n_atoms + centre, flat, alpha=-1.0)
    jacobian = blocks.view(n_atoms, n_atoms, n_features, 3).transpose(1, 2).reshape(n_atoms, n_features, n_atoms * 3)
    if strain:
        jacobian = torch.cat((jacobian, _strain_derivative(edge_jacobian, graph)), dim=2)
    return jacobian.reshape(n_atoms * n_features, -1)


def _strain_derivative(edge_jacobian: Tensor, graph: Graph) -> Tensor:
    """Return ∂G_i/∂ε = Σ_j r_ij ⊗ ∂G_i/∂r_ij, [n_atoms, n_features, 6]; an AEV does not turn, so it is symmetric."""
    edge_vec = graph.edge_vec.to(edge_jacobian.dtype)
    parts = [edge_vec[:, a, None] * edge_jacobian[:, :, b] for a, b in VOIGT]
    strain = edge_jacobian.new_zeros(graph.species.shape[0], edge_jacobian.shape[1], 6)
    return strain.index_add_(0, graph.edge_index[0], torch.stack(parts, dim=2))


def aev_and_edge_jacobian(computer: AEVComputer, graph: Graph, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
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
