"""AEVs of configurations and what turns ∂E/∂AEV into forces: stored in full, or recomputed from neighbor lists.

Stored derivatives are dense, 3 n_features n_atoms² numbers a configuration: 0.66 MB in float32 for 32 atoms and 54
features, 7.6 MB for 108 atoms; :func:`stored_bytes` counts them. Neighbor lists are a hundred times smaller, and an
update then computes its AEVs and the products with their derivatives anew.

Both kinds give batches: some configurations, atoms in their order, with

- ``rows``: where their values lie among those of all configurations;
- ``species``: element indices, int64 [n_atoms], on the CPU, where what follows from them is known without waiting;
- ``aev``: [n_atoms, n_features], a leaf that requires a gradient;
- ``pull_back(G, training=...)``: from G = ∂E/∂AEV [n_atoms, n_features] the forces, eV/Å, [n_atoms, 3], and ∂E/∂strain,
  eV, [n_data, 3, 3], or None without ``strain``. With ``training`` both can be differentiated in G.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph, merge_graphs
from nnpal.model.aev_function import AEVFunction
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.jacobian import VOIGT, derivatives
from nnpal.training.rows import Rows


@dataclass(frozen=True)
class StoredFeatures:
    """AEVs and their derivatives in full.

    Attributes:
        species: [n_atoms of all configurations], on the CPU.
        aev: [n_atoms of all configurations, n_features].
        derivatives: those of :func:`nnpal.training.jacobian.derivatives`, one configuration after another, flat.
        sizes: atoms of each configuration, int64 [n_data], on the CPU.
        strain: whether the derivatives hold those in strain.
    """

    species: Tensor
    aev: Tensor
    derivatives: Tensor
    sizes: np.ndarray
    strain: bool

    def batch(self, indices: np.ndarray) -> StoredBatch:
        """Return the configurations ``indices``, in their order."""
        rows = Rows.of(indices, self.sizes, self.aev.device)
        aev = self.aev.index_select(0, rows.atoms).requires_grad_(True)
        sizes = self.sizes[indices]
        width = 6 * self.strain + 3 * sizes
        heights = self.aev.shape[1] * self.sizes
        starts = _starts(heights * (6 * self.strain + 3 * self.sizes))[indices]
        blocks = [
            self.derivatives[start : start + height * columns].view(height, columns)
            for start, height, columns in zip(starts, heights[indices], width, strict=True)
        ]
        return StoredBatch(rows, self.species[rows.atoms_on_cpu], aev, sizes.tolist(), blocks, self.strain)

    def to(self, device: torch.device) -> StoredFeatures:
        return replace(self, aev=self.aev.to(device), derivatives=self.derivatives.to(device))


@dataclass(frozen=True)
class StoredBatch:
    """A batch whose derivatives are read where they lie and never copied on a CPU."""

    rows: Rows
    species: Tensor
    aev: Tensor
    sizes: list[int]
    derivatives: list[Tensor]
    strain: bool

    def pull_back(self, gradient: Tensor, *, training: bool) -> tuple[Tensor, Tensor | None]:
        product = _TransposedProduct.apply(gradient, self.derivatives, self.sizes)
        if not self.strain:
            return -product.view(-1, 3), None
        parts = product.split([3 * size + 6 for size in self.sizes])
        forces = torch.cat([-part[:-6].view(-1, 3) for part in parts])
        return forces, _from_voigt(torch.stack([part[-6:] for part in parts]))


class _TransposedProduct(torch.autograd.Function):
    """Dᵀ G, configuration by configuration, one after another."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, blocks: list[Tensor], sizes: list[int]) -> Tensor:
        ctx.blocks, ctx.sizes = blocks, sizes
        parts = [part.reshape(-1) for part in gradient.split(sizes)]
        if gradient.is_cuda and len(set(sizes)) == 1:  # one launch; copying costs little there
            stacked = torch.bmm(torch.stack(parts)[:, None], torch.stack(blocks))
            return stacked.reshape(-1)
        return torch.cat([part @ block for part, block in zip(parts, blocks, strict=True)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        widths = [block.shape[1] for block in ctx.blocks]
        n_features = ctx.blocks[0].shape[0] // ctx.sizes[0]
        if grad.is_cuda and len(set(ctx.sizes)) == 1:
            stacked = torch.bmm(torch.stack(ctx.blocks), grad.view(len(widths), -1, 1))
            return stacked.reshape(-1, n_features), None, None
        # The last blocks first: they were read last, and some are still in the cache
        parts = list(zip(grad.split(widths), ctx.blocks, strict=True))[::-1]
        return torch.cat([block @ part for part, block in parts][::-1]).view(-1, n_features), None, None


@dataclass(frozen=True)
class GraphFeatures:
    """Neighbor lists; AEVs are computed at every use.

    Attributes:
        function: computes AEVs.
        graphs: neighbors within the radial cutoff.
        species: [n_atoms of all configurations], on the CPU.
        strain: whether strain derivatives are wanted.
    """

    function: AEVFunction
    graphs: FlatGraphs
    species: Tensor
    strain: bool

    def batch(self, indices: np.ndarray) -> GraphBatch:
        """Return the configurations ``indices``, in their order."""
        rows = Rows.of(indices, self.graphs.sizes, self.graphs.device)
        graph = self.graphs.batch(rows)
        with torch.no_grad():
            aev = self.function(graph)
        return GraphBatch(
            rows, self.species[rows.atoms_on_cpu], aev.requires_grad_(True), self.function, graph, self.strain
        )

    def to(self, device: torch.device, limit_bytes: float = math.inf) -> GraphFeatures:
        """Return the same features for batches on ``device``, see :meth:`FlatGraphs.to`."""
        return replace(self, graphs=self.graphs.to(device, limit_bytes))


@dataclass(frozen=True)
class GraphBatch:
    """A batch whose AEVs were just computed; its edge vectors require no gradient, so no second derivative is made."""

    rows: Rows
    species: Tensor
    aev: Tensor
    function: AEVFunction
    graph: Graph
    strain: bool

    def pull_back(self, gradient: Tensor, *, training: bool) -> tuple[Tensor, Tensor | None]:
        pair = self.function.vjp(gradient if training else gradient.detach(), self.graph)
        center, neighbor = self.graph.edge_index
        forces = pair.new_zeros(len(self.species), 3).index_add(0, center, pair).index_add(0, neighbor, -pair)
        if not self.strain:
            return forces, None
        outer = self.graph.edge_vec[:, :, None] * pair[:, None, :]
        configuration = self.rows.configuration_of_atom[center]
        strain = pair.new_zeros(len(self.rows.data), 3, 3).index_add(0, configuration, outer)
        return forces, 0.5 * (strain + strain.transpose(1, 2))


Features = StoredFeatures | GraphFeatures
Batch = StoredBatch | GraphBatch


def stored_bytes(sizes: np.ndarray, n_features: int, dtype: torch.dtype, *, strain: bool) -> int:
    """Return the bytes of AEVs and derivatives of configurations with ``sizes`` atoms."""
    return int(dtype.itemsize * n_features * (sizes * (3 * sizes + 6 * strain + 1)).sum())


def feature_chunks(
    function: AEVFunction, graphs: Sequence[Graph], *, dtype: torch.dtype, strain: bool, n_merged: int = 8
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield AEVs and flat derivatives, configuration by configuration, ``n_merged`` of which are computed together."""
    for start in range(0, len(graphs), n_merged):
        chunk = graphs[start : start + n_merged]
        merged, _ = merge_graphs(chunk)
        typed = replace(merged, edge_vec=merged.edge_vec.to(dtype))
        aev, jacobian = function(typed), function.jacobian(typed)
        aevs = aev.split([graph.species.shape[0] for graph in chunk])
        jacobians = jacobian.split([graph.edge_vec.shape[0] for graph in chunk])
        for graph, own_aev, own in zip(chunk, aevs, jacobians, strict=True):
            yield own_aev, derivatives(own, graph, strain=strain).reshape(-1)


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(lengths)[:-1]))


def _from_voigt(values: Tensor) -> Tensor:
    """Return symmetric matrices [n, 3, 3] of [n, 6]."""
    rows = [next(k for k, pair in enumerate(VOIGT) if set(pair) == {a, b}) for a in range(3) for b in range(3)]
    columns = values.unbind(1)  # a list as an index would be uploaded, and waited for
    return torch.stack([columns[row] for row in rows], 1).view(-1, 3, 3)
