"""Neighbor lists for networks that compute their own features of an atom's surroundings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.schnet import SchNet
from nnpal.training.edge_sums import forces_and_strain
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.rows import Rows


@dataclass(frozen=True)
class NeighborFeatures:
    """Neighbor lists of all configurations.

    Attributes:
        graphs: neighbors within the cutoff, each pair once.
        species: element indices, [n_atoms of all configurations], on the CPU.
        strain: whether to compute strain derivatives.
    """

    graphs: FlatGraphs
    species: Tensor
    strain: bool

    def batch(self, indices: np.ndarray) -> NeighborBatch:
        """Return the configurations ``indices``, in this order."""
        rows = Rows.of(indices, self.graphs.sizes, self.graphs.device)
        return NeighborBatch(rows, self.species[rows.atoms_on_cpu], self.graphs.batch(rows), self.strain)

    def to(self, device: torch.device, limit_bytes: float = math.inf) -> NeighborFeatures:
        """Return the same features for batches on ``device``, see :meth:`FlatGraphs.to`."""
        return replace(self, graphs=self.graphs.to(device, limit_bytes))


@dataclass(frozen=True)
class NeighborBatch:
    """A batch of configurations as one graph that contains each pair of neighbors once.

    ``species`` are on the CPU, those of ``graph`` on the device.
    """

    rows: Rows
    species: Tensor
    graph: Graph
    strain: bool

    def atomic_energies(self, network: SchNet) -> Tensor:
        """Return atomic energies, eV, [n_atoms]."""
        return network.of_pairs(self.graph.species, self.graph.edge_index, self.graph.edge_vec)

    def evaluate(self, network: SchNet, *, training: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return atomic energies, eV, [n_atoms], and forces and strain derivatives as :func:`forces_and_strain` does.

        With ``training`` all of them are differentiable in the weights.
        """
        graph = replace(self.graph, edge_vec=self.graph.edge_vec.detach().requires_grad_(True))
        energies = replace(self, graph=graph).atomic_energies(network)
        (pair,) = torch.autograd.grad(energies.sum(), graph.edge_vec, create_graph=training, materialize_grads=True)
        forces, strain = forces_and_strain(pair, self.graph, self.rows, strain=self.strain)
        return (energies if training else energies.detach()), forces, strain
