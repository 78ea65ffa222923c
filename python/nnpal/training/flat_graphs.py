"""Neighbor graphs of all configurations in a few tensors, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.training.rows import Rows, upload, upload_joined

SHARE_OF_GPU = 0.5
"""Fraction of a GPU's free memory that neighbors may take; batches need the rest."""


@dataclass(frozen=True)
class FlatGraphs:
    """Concatenated neighbor graphs of configurations, with 16 bytes per edge in float32.

    Edges are sorted by center, so the number of edges of each atom determines the centers.

    Attributes:
        sizes: number of atoms of each configuration, int64 [n_data], on the CPU.
        n_edges: number of edges of each configuration, int64 [n_data], on the CPU.
        species: element index of every atom, int64 [n_atoms], on the device of batches.
        n_neighbors: edges of every atom, int64 [n_atoms], on the device of batches.
        neighbor: atom at the end of every edge, counted within its configuration, int32.
        edge_vec: r_neighbor - r_center, Å, [n_edges, 3], where ``neighbor`` is: on the device of batches, or on the
            CPU where they do not fit there.
    """

    sizes: np.ndarray
    n_edges: np.ndarray
    species: Tensor
    n_neighbors: Tensor
    neighbor: Tensor
    edge_vec: Tensor

    @staticmethod
    def of(graphs: Iterable[Graph], dtype: torch.dtype) -> FlatGraphs:
        """Return graphs of which every atom is a center, with edges sorted by center and vectors in ``dtype``."""
        parts = [
            (
                graph.species,
                torch.bincount(graph.edge_index[0], minlength=len(graph.species)),
                graph.edge_index[1].int(),
                graph.edge_vec.to(dtype),
            )
            for graph in graphs
        ]
        species, n_neighbors, neighbor, edge_vec = (list(values) for values in zip(*parts, strict=True))
        return FlatGraphs(
            sizes=np.array([len(own) for own in species], dtype=np.int64),
            n_edges=np.array([len(own) for own in edge_vec], dtype=np.int64),
            species=torch.cat(species),
            n_neighbors=torch.cat(n_neighbors),
            neighbor=torch.cat(neighbor),
            edge_vec=torch.cat(edge_vec),
        )

    @property
    def device(self) -> torch.device:
        """Of batches."""
        return self.species.device

    def batch(self, rows: Rows) -> Graph:
        """Return some configurations as one graph, as :func:`nnpal.geometry.neighbor_graph.merge_graphs` does, on the
        device."""
        n_edges = self.n_edges[rows.data]
        starts = (np.cumsum(self.n_edges) - self.n_edges)[rows.data]
        neighbor, edge_vec = (self._gathered if self.edge_vec.is_cuda else self._copied)(starts, n_edges)
        center = torch.repeat_interleave(self.n_neighbors[rows.atoms], output_size=len(neighbor))
        edge_index = torch.stack((center, rows.first[center] + neighbor))
        return Graph(self.species[rows.atoms], len(rows.atoms_on_cpu), edge_index, edge_vec)

    def _copied(self, starts: np.ndarray, n_edges: np.ndarray) -> list[Tensor]:
        """Return neighbors and vectors of runs of edges; on a CPU several times faster than one by one."""
        runs = list(zip(starts.tolist(), n_edges.tolist(), strict=True))
        both = (self.neighbor, self.edge_vec)
        return [upload_joined([values.narrow(0, *run) for run in runs], self.device) for values in both]

    def _gathered(self, starts: np.ndarray, n_edges: np.ndarray) -> list[Tensor]:
        """Return the same in a few kernels."""
        n_all = int(n_edges.sum())
        shift, repeats = upload(np.stack((starts - (np.cumsum(n_edges) - n_edges), n_edges)), self.device)
        places = torch.arange(n_all, device=self.device) + shift.repeat_interleave(repeats, output_size=n_all)
        return [values.index_select(0, places) for values in (self.neighbor, self.edge_vec)]

    def to(self, device: torch.device, limit_bytes: float = math.inf) -> FlatGraphs:
        """Return the same graphs for batches on ``device``, which holds the edges too if they fit.

        Arguments:
            device: of batches.
            limit_bytes: of edges; on a GPU half of its free memory where that is less.
        """
        small = replace(self, species=self.species.to(device), n_neighbors=self.n_neighbors.to(device))
        if device.type == "cuda":
            limit_bytes = min(limit_bytes, SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0])
        if self.neighbor.nbytes + self.edge_vec.nbytes > limit_bytes:
            return small
        return replace(small, neighbor=self.neighbor.to(device), edge_vec=self.edge_vec.to(device))
