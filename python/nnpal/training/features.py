"""AEVs of configurations and their derivatives, which give forces: stored, or recomputed from neighbor lists.

Stored derivatives are dense, 3 n_features n_atoms² numbers per configuration: in float32 0.66 MB for 32 atoms and 54
features, 7.6 MB for 108 atoms; see :func:`stored_bytes`. Neighbor lists are a hundred times smaller, but each update
then recomputes AEVs and the products with their derivatives.

Both kinds return batches of configurations, with atoms in the order of these, and

- ``rows``: rows of the batch in the tensors of all configurations;
- ``species``: element indices, int64 [n_atoms], on the CPU, so that indexing does not wait for a GPU;
- ``aev``: [n_atoms, n_features], a leaf that requires a gradient;
- ``pull_back(G, training=...)``: returns forces, eV/Å, [n_atoms, 3], and ∂E/∂strain, eV, [n_data, 3, 3], or None
  without ``strain``, from G = ∂E/∂AEV [n_atoms, n_features]. With ``training`` both are differentiable in G.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph, merge_graphs
from nnpal.model.aev_function import AEVFunction
from nnpal.model.ops import has_ops
from nnpal.training.edge_sums import forces_and_strain
from nnpal.training.flat_graphs import FlatGraphs
from nnpal.training.jacobian import N_STRAIN, VOIGT, derivatives
from nnpal.training.rows import Rows


@dataclass(frozen=True)
class StoredFeatures:
    """AEVs of all configurations and their stored derivatives.

    Attributes:
        species: element indices, [n_atoms of all configurations], on the CPU.
        aev: AEVs, [n_atoms of all configurations, n_features].
        derivatives: flattened results of :func:`nnpal.training.jacobian.derivatives`, concatenated over configurations.
        sizes: number of atoms of each configuration, int64 [n_data], on the CPU.
        strain: whether the derivatives include those with respect to strain.
    """

    species: Tensor
    aev: Tensor
    derivatives: Tensor
    sizes: np.ndarray
    strain: bool

    def batch(self, indices: np.ndarray) -> StoredBatch:
        """Return the configurations ``indices``, in this order."""
        rows = Rows.of(indices, self.sizes, self.aev.device)
        aev = self.aev.index_select(0, rows.atoms).requires_grad_(True)
        sizes, starts = self.sizes[indices].tolist(), self._starts[indices].tolist()
        return StoredBatch(rows, self.species[rows.atoms_on_cpu], aev, sizes, starts, self.derivatives, self.strain)

    @cached_property
    def _starts(self) -> np.ndarray:
        """First index of each configuration in ``derivatives``."""
        lengths = self.aev.shape[1] * self.sizes * (3 * self.sizes + N_STRAIN * self.strain)
        return np.cumsum(lengths) - lengths

    def to(self, device: torch.device) -> StoredFeatures:
        return replace(self, aev=self.aev.to(device), derivatives=self.derivatives.to(device))


@dataclass(frozen=True)
class Columns:
    """Values for forces [n_atoms, 3] and for strain [n_data, 6] (Voigt order; None without strain)."""

    forces: Tensor
    strain: Tensor | None


@dataclass(frozen=True)
class Fit:
    """The result of :meth:`StoredBatch.fit`.

    Attributes:
        forces: errors of forces, eV/Å, [n_atoms, 3].
        strain: errors of ∂E/∂strain, eV, [n_data, 3, 3], or None.
        direction: derivative of the sum of weighted squares of both with respect to G, [n_atoms, n_features].
    """

    forces: Tensor
    strain: Tensor | None
    direction: Tensor


@dataclass(frozen=True)
class StoredBatch:
    """A batch whose derivatives are read in place, without a copy on a CPU.

    Attributes:
        sizes: number of atoms of each configuration.
        starts: first index of each configuration in ``derivatives``, which holds all configurations.
    """

    rows: Rows
    species: Tensor
    aev: Tensor
    sizes: list[int]
    starts: list[int]
    derivatives: Tensor
    strain: bool

    def pull_back(self, gradient: Tensor, *, training: bool) -> tuple[Tensor, Tensor | None]:
        return self._forces_and_strain(_TransposedProduct.apply(gradient, self))

    @property
    def is_compiled(self) -> bool:
        """Whether nnpal's compiled operations, :meth:`fit` included, can be used: they run on a CPU."""
        return self.derivatives.device.type == "cpu" and has_ops()

    def fit(self, gradient: Tensor, targets: Columns, weights: Columns, bounds: Columns | None) -> Fit:
        """Return errors and their derivative with respect to G, by one pass over the stored derivatives.

        Arguments:
            gradient: G = ∂E/∂AEV, [n_atoms, n_features].
            targets: reference forces and ∂E/∂strain, finite.
            weights: factors of the squared errors.
            bounds: errors beyond which the square is replaced by its tangent; None: squares throughout.
        """
        errors, direction = torch.ops.nnpal.stored_fit(
            gradient,
            self.derivatives,
            self.starts,
            self.sizes,
            self.strain,
            self._as_columns(Columns(-targets.forces, targets.strain)),
            self._as_columns(weights),
            None if bounds is None else self._as_columns(bounds),
        )
        return Fit(*self._forces_and_strain(errors), direction)

    def _as_columns(self, values: Columns) -> Tensor:
        """Return values in the order of the columns of each configuration's derivatives."""
        if values.strain is None:
            return values.forces.reshape(-1)
        parts = zip(values.forces.split(self.sizes), values.strain, strict=True)
        return torch.cat([each for forces, strain in parts for each in (forces.reshape(-1), strain)])

    def _forces_and_strain(self, product: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.strain:
            return -product.view(-1, 3), None
        parts = product.split([3 * size + N_STRAIN for size in self.sizes])
        forces = torch.cat([-part[:-N_STRAIN].view(-1, 3) for part in parts])
        return forces, _from_voigt(torch.stack([part[-N_STRAIN:] for part in parts]))

    def blocks(self) -> list[Tensor]:
        """Return each configuration's derivatives, [n_features n_atoms, 3 n_atoms (+ 6)]."""
        n_features, extra = self.aev.shape[1], N_STRAIN * self.strain
        return [
            self.derivatives[start : start + n_features * size * (3 * size + extra)].view(n_features * size, -1)
            for start, size in zip(self.starts, self.sizes, strict=True)
        ]


class _TransposedProduct(torch.autograd.Function):
    """Dᵀ G of each configuration, concatenated."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, batch: StoredBatch) -> Tensor:
        ctx.batch = batch
        if batch.is_compiled:
            product: Tensor = torch.ops.nnpal.stored_product(
                gradient.contiguous(), batch.derivatives, batch.starts, batch.sizes, batch.strain
            )
            return product
        parts = [part.reshape(-1) for part in gradient.split(batch.sizes)]
        if len(set(batch.sizes)) == 1:  # a single kernel launch; copying is cheap on a GPU
            return torch.bmm(torch.stack(parts)[:, None], torch.stack(batch.blocks())).reshape(-1)
        return torch.cat([part @ block for part, block in zip(parts, batch.blocks(), strict=True)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        batch, n_features = ctx.batch, ctx.batch.aev.shape[1]
        if batch.is_compiled:
            direction: Tensor = torch.ops.nnpal.stored_direction(
                grad.contiguous(), batch.derivatives, batch.starts, batch.sizes, n_features, batch.strain
            )
            return direction, None
        blocks = batch.blocks()
        if len(set(batch.sizes)) == 1:
            return torch.bmm(torch.stack(blocks), grad.view(len(blocks), -1, 1)).reshape(-1, n_features), None
        parts = grad.split([block.shape[1] for block in blocks])
        return torch.cat([block @ part for part, block in zip(parts, blocks, strict=True)]).view(-1, n_features), None


@dataclass(frozen=True)
class GraphFeatures:
    """Neighbor lists, from which AEVs are computed at every use.

    Attributes:
        function: function that computes AEVs.
        graphs: neighbors within the radial cutoff.
        species: element indices, [n_atoms of all configurations], on the CPU.
        strain: whether to compute strain derivatives.
    """

    function: AEVFunction
    graphs: FlatGraphs
    species: Tensor
    strain: bool

    def batch(self, indices: np.ndarray) -> GraphBatch:
        """Return the configurations ``indices``, in this order."""
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
    """A batch with computed AEVs; its edge vectors require no gradient, which avoids second derivatives of AEVs."""

    rows: Rows
    species: Tensor
    aev: Tensor
    function: AEVFunction
    graph: Graph
    strain: bool

    def pull_back(self, gradient: Tensor, *, training: bool) -> tuple[Tensor, Tensor | None]:
        pair = self.function.vjp(gradient if training else gradient.detach(), self.graph)
        return forces_and_strain(pair, self.graph, self.rows, strain=self.strain)


AEVFeatures = StoredFeatures | GraphFeatures
AEVBatch = StoredBatch | GraphBatch


def stored_bytes(sizes: np.ndarray, n_features: int, dtype: torch.dtype, *, strain: bool) -> int:
    """Return the size of AEVs and derivatives, bytes, of configurations with ``sizes`` atoms."""
    return int(dtype.itemsize * n_features * (sizes * (3 * sizes + N_STRAIN * strain + 1)).sum())


def feature_chunks(
    function: AEVFunction, graphs: Sequence[Graph], *, dtype: torch.dtype, strain: bool, n_merged: int = 8
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield AEVs and flat derivatives of each configuration, computed for ``n_merged`` configurations at a time."""
    for start in range(0, len(graphs), n_merged):
        chunk = graphs[start : start + n_merged]
        merged, _ = merge_graphs(chunk)
        typed = replace(merged, edge_vec=merged.edge_vec.to(dtype))
        aev, jacobian = function(typed), function.jacobian(typed)
        aevs = aev.split([graph.species.shape[0] for graph in chunk])
        jacobians = jacobian.split([graph.edge_vec.shape[0] for graph in chunk])
        for graph, own_aev, own in zip(chunk, aevs, jacobians, strict=True):
            yield own_aev, derivatives(own, graph, strain=strain).reshape(-1)


def _from_voigt(values: Tensor) -> Tensor:
    """Return symmetric matrices, [n, 3, 3], from Voigt components, [n, 6]."""
    rows = [next(k for k, pair in enumerate(VOIGT) if set(pair) == {a, b}) for a in range(3) for b in range(3)]
    columns = values.unbind(1)  # indexing by a list would upload it and wait for the GPU
    return torch.stack([columns[row] for row in rows], 1).view(-1, 3, 3)
