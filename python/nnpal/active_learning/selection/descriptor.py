"""Descriptors of configurations, computed from the AEVs of their atoms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from nnpal.geometry.neighbor_graph import Graph, atoms_graph, merge_graphs
from nnpal.model.aev_function import AEVFunction
from nnpal.model.description import Description, NetworkDescription

STATISTICS = ("mean", "deviation", "smallest", "largest")
BATCH_EDGES = 50_000


@dataclass(frozen=True)
class Descriptors:
    """Statistics of the AEVs of each configuration's atoms, by element.

    For the atoms i of element e in a configuration and each component a of their AEVs: mean_i a_i, standard deviation
    of a_i (population form), min_i a_i and max_i a_i. So a descriptor is invariant to the order of atoms, to rotation,
    reflection and translation, as AEVs are, and to repetition of the cell: it describes which environments exist, not
    how many. One broken bond among a hundred atoms hardly changes the means, but the smallest and largest values.

    Attributes:
        symbols: elements, in the order of the second axis.
        values: statistics, dimensionless, float64 [n_frames, n_elements, 4, n_features]; 0 without atoms of the
            element.
        n_atoms: number of atoms of each element, int64 [n_frames, n_elements].
    """

    symbols: tuple[str, ...]
    values: np.ndarray
    n_atoms: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, indices: np.ndarray) -> Descriptors:
        """Return the descriptors of the configurations ``indices``, in this order."""
        return Descriptors(self.symbols, self.values[indices], self.n_atoms[indices])

    def scale(self) -> np.ndarray:
        """Return how much environments differ for each element, [n_elements].

        This is the square root of the variance of AEV components over all atoms of the element in all configurations,
        averaged over components; 1 if the variance is 0.
        """
        weights = self.n_atoms[:, :, None]
        totals = np.maximum(weights.sum(0), 1)
        means = self.values[:, :, 0]
        mean = (weights * means).sum(0) / totals
        # total variance = mean of variances + variance of means, without cancellation
        variance = (weights * (self.values[:, :, 1] ** 2 + (means - mean) ** 2)).sum(0) / totals
        found = np.sqrt(variance.mean(-1))
        return np.where(found > 1e-9, found, 1.0)


def describe(
    frames: Sequence[Atoms],
    description: Description,
    *,
    device: str = "cpu",
    batch_edges: int = BATCH_EDGES,
    on_batch: Callable[[int], None] | None = None,
) -> Descriptors:
    """Return the descriptors of configurations, in double precision.

    Arguments:
        frames: configurations of any size and periodicity.
        description: elements and AEV; the networks are ignored. For networks without AEV, the AEV has the defaults of
            :class:`nnpal.model.aev.AEVDescription`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch_edges: approximate number of edges (pairs within the cutoff, in both directions) per batch.
        on_batch: called after each batch with its number of configurations.

    Raises:
        ValueError: a configuration has no atoms, an unknown element, or nonfinite values; the message has its index.
    """
    if not isinstance(description, NetworkDescription):
        description = NetworkDescription(description.symbols)
    symbols = tuple(description.symbols)
    found = list(_described(frames, description, device, batch_edges, on_batch))
    n_features = AEVFunction.of(description).terms.n_features
    return Descriptors(
        symbols,
        np.array([values for values, _ in found]).reshape(len(frames), len(symbols), len(STATISTICS), n_features),
        np.array([n_atoms for _, n_atoms in found], dtype=np.int64).reshape(len(frames), len(symbols)),
    )


def _described(
    frames: Sequence[Atoms],
    description: NetworkDescription,
    device: str,
    batch_edges: int,
    on_batch: Callable[[int], None] | None,
) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Yield the statistics and numbers of atoms of each configuration."""
    n_elements = len(description.symbols)
    function = AEVFunction.of(description)
    for graphs in _batches(frames, description, batch_edges):
        merged, _ = merge_graphs(graphs)
        tensors = (tensor.to(device) for tensor in (merged.species, merged.edge_index, merged.edge_vec.double()))
        species, edge_index, edge_vec = tensors
        aev = function(Graph(species, merged.n_local, edge_index, edge_vec)).cpu()
        for own, part in zip(aev.split([graph.n_local for graph in graphs]), graphs, strict=True):
            yield _statistics(own.numpy(), part.species.numpy(), n_elements)
        if on_batch is not None:
            on_batch(len(graphs))


def _statistics(aev: np.ndarray, species: np.ndarray, n_elements: int) -> tuple[np.ndarray, list[int]]:
    values = np.zeros((n_elements, len(STATISTICS), aev.shape[1]))
    n_atoms = []
    for element in range(n_elements):
        own = aev[species == element]
        n_atoms.append(len(own))
        if len(own):
            values[element] = own.mean(0), own.std(0), own.min(0), own.max(0)
    return values, n_atoms


def _batches(frames: Sequence[Atoms], description: NetworkDescription, size: int) -> Iterator[list[Graph]]:
    batch: list[Graph] = []
    n_edges = 0
    for index, frame in enumerate(frames):
        if len(frame) == 0:
            raise ValueError(f"configuration {index}: no atoms, expected one at least")
        try:
            graph = atoms_graph(frame, description.symbols, description.aev.radial_cutoff, model="description")
        except ValueError as error:
            raise ValueError(f"configuration {index}: {error}") from error
        if batch and n_edges + len(graph.edge_vec) > size:
            yield batch
            batch, n_edges = [], 0
        batch.append(graph)
        n_edges += len(graph.edge_vec)
    if batch:
        yield batch
