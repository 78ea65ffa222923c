"""Derivatives of AEVs with respect to positions and strain, computed once for a whole training.

AEVs have no weights, so they and their derivatives are the same in every epoch and for every member.
With G = ∂E/∂AEV, from the networks, forces are F = -Jᵀ G and the strain derivative of the energy is Sᵀ G.

| symbol      | variable                                              |
|-------------|-------------------------------------------------------|
| G_i         | ``aev`` [n_atoms, n_features]                         |
| ∂G_i/∂r_ij  | ``edge_jacobian`` [n_edges, n_features, 3], 1/Å       |
| J           | first 3 n_atoms columns of ``derivatives``, 1/Å       |
| S           | last 6 columns, Voigt order, with ``strain``          |
"""

from __future__ import annotations

import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
N_STRAIN = len(VOIGT)


def derivatives(edge_jacobian: Tensor, graph: Graph, *, strain: bool) -> Tensor:
    """Return J, followed by S with ``strain``, [n_atoms * n_features, 3 n_atoms (+ 6)], for r_ij = r_j - r_i."""
    n_atoms, n_features = graph.species.shape[0], edge_jacobian.shape[1]
    center, neighbor = graph.edge_index
    blocks = edge_jacobian.new_zeros(n_atoms * n_atoms, n_features * 3)
    flat = edge_jacobian.reshape(-1, n_features * 3)
    blocks.index_add_(0, center * n_atoms + neighbor, flat)
    blocks.index_add_(0, center * n_atoms + center, flat, alpha=-1.0)
    jacobian = blocks.view(n_atoms, n_atoms, n_features, 3).transpose(1, 2).reshape(n_atoms, n_features, n_atoms * 3)
    if strain:
        jacobian = torch.cat((jacobian, _strain_derivative(edge_jacobian, graph)), dim=2)
    return jacobian.reshape(n_atoms * n_features, -1)


def _strain_derivative(edge_jacobian: Tensor, graph: Graph) -> Tensor:
    """Return ∂G_i/∂ε = Σ_j r_ij ⊗ ∂G_i/∂r_ij, [n_atoms, n_features, 6]; it is symmetric because AEVs do not rotate."""
    edge_vec = graph.edge_vec.to(edge_jacobian.dtype)
    parts = [edge_vec[:, a, None] * edge_jacobian[:, :, b] for a, b in VOIGT]
    strain = edge_jacobian.new_zeros(graph.species.shape[0], edge_jacobian.shape[1], 6)
    return strain.index_add_(0, graph.edge_index[0], torch.stack(parts, dim=2))
