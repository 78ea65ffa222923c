"""Neighbor graphs of configurations, the input of models.

An edge points from a center i to a neighbor j closer than the cutoff; both directions of a pair are in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from numpy.typing import ArrayLike
from torch import Tensor

from nnpal.geometry.edges import Edges, known_species, neighbor_edges


@dataclass(frozen=True)
class Graph:
    """Atoms and the edges between them.

    Attributes:
        species: element index of every atom, int64 [n_atoms]; the first ``n_local`` are centers.
        n_local: number of centers.
        edge_index: (center, neighbor) of every edge, int64 [2, n_edges], sorted by center.
        edge_vec: r_neighbor - r_center, Å, [n_edges, 3].
    """

    species: Tensor
    n_local: int
    edge_index: Tensor
    edge_vec: Tensor


def neighbor_graph(
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    species: ArrayLike,
    cutoff: float,
) -> Graph:
    """Find the neighbors of every atom, including its own periodic images.

    Arguments, units and errors are those of :func:`nnpal.geometry.edges.neighbor_edges`.
    """
    return as_graph(neighbor_edges(positions, cell, pbc, species, cutoff))


def atoms_graph(atoms: Atoms, elements: Sequence[str], cutoff: float, *, model: str) -> Graph:
    """Return the graph of ``atoms`` with species as indices into ``elements``.

    Arguments:
        atoms: a configuration.
        elements: chemical symbols in the order of the element index.
        cutoff: cutoff radius, Å.
        model: name of the model in the error.

    Raises:
        ValueError: an element that is not among ``elements``; see also :func:`neighbor_graph`.
    """
    species = known_species(atoms, elements, model=model)
    return neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, species, cutoff)


def as_graph(edges: Edges) -> Graph:
    """Return edges as tensors that share the memory of the arrays."""
    return Graph(
        torch.from_numpy(edges.species),
        len(edges.species),
        torch.from_numpy(edges.edge_index),
        torch.from_numpy(edges.edge_vec),
    )


def edge_forces(graph: Graph, gradient: Tensor) -> Tensor:
    """Return the forces on all atoms, eV/Å, [n_atoms, 3], from d energy / d edge_vec [n_edges, 3].

    An edge contributes -gradient to the force on its neighbor and +gradient to that on its center.
    """
    center, neighbor = graph.edge_index
    forces = gradient.new_zeros((len(graph.species), 3))
    return forces.index_add(0, center, gradient).index_add(0, neighbor, -gradient)


def each_pair_once(graph: Graph) -> Graph:
    """Return the graph with only one direction of each pair: from the atom with the lower index.

    For an atom and its own periodic image, whose two vectors are exactly opposite, the vector whose first nonzero
    component is positive is kept.
    """
    center, neighbor = graph.edge_index
    x, y, z = graph.edge_vec.unbind(1)
    is_positive = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    kept = (center < neighbor) | ((center == neighbor) & is_positive)
    return Graph(graph.species, graph.n_local, graph.edge_index[:, kept], graph.edge_vec[kept])


def merge_graphs(graphs: Sequence[Graph]) -> tuple[Graph, Tensor]:
    """Join configurations into one graph without edges between them.

    Every atom of every graph must be a center, so that centers stay in front.

    Returns:
        The graph, and the index of the configuration of every atom, int64 [n_atoms].

    Raises:
        ValueError: there is no graph, or one has atoms that are not centers.
    """
    if not graphs:
        raise ValueError("graphs is empty; expected at least one")
    sizes = [len(graph.species) for graph in graphs]
    for number, graph in enumerate(graphs):
        if graph.n_local != len(graph.species):
            raise ValueError(
                f"graph {number} has {len(graph.species)} atoms but {graph.n_local} centers; "
                "expected every atom to be a center"
            )
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    merged = Graph(
        species=torch.cat([graph.species for graph in graphs]),
        n_local=sum(sizes),
        edge_index=torch.cat([graph.edge_index + int(start) for graph, start in zip(graphs, starts, strict=True)], 1),
        edge_vec=torch.cat([graph.edge_vec for graph in graphs]),
    )
    frames = torch.repeat_interleave(torch.arange(len(graphs)), torch.tensor(sizes))
    return merged, frames
