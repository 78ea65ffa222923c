"""Small SchNet networks, and atoms to evaluate them on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph, neighbor_graph
from nnpal.model.schnet import SchNet, SchNetDescription, build_schnet

SMALL = SchNetDescription(("H", "O"), features=8, interactions=3, gaussians=7, cutoff=2.4)


def network(seed: int = 1, description: SchNetDescription = SMALL) -> SchNet:
    """Return a member in double precision with nonzero biases, as after training."""
    member = build_schnet(description, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in member.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3, generator=generator)
    return member


def chain(n_atoms: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return positions, Å, and elements of a bent chain many cutoffs long, with atoms in random order."""
    rng = np.random.default_rng(3)
    steps = np.array([1.0, 0.6, 0.3]) + 0.5 * rng.standard_normal((n_atoms, 3))
    order = rng.permutation(n_atoms)
    return steps.cumsum(0)[order], (np.arange(n_atoms) % 2)[order]


def cluster_graph(positions: np.ndarray, species: np.ndarray, cutoff: float = SMALL.cutoff) -> Graph:
    return neighbor_graph(positions, np.eye(3), False, species, cutoff)


def energies_and_gradient(member: torch.nn.Module, graph: Graph) -> tuple[Tensor, Tensor]:
    """Return energies of the centers and the gradient of their sum with respect to edge vectors."""
    edge_vec = graph.edge_vec.clone().requires_grad_(True)
    energies = member(graph.species, graph.n_local, graph.edge_index, edge_vec)
    (gradient,) = torch.autograd.grad(energies.sum(), edge_vec, materialize_grads=True)
    return energies.detach(), gradient
