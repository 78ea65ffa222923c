"""Small graphs to check a module on, and equivalent representations of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph, neighbor_graph

_CONTACT = 0.85
"""Smallest distance, relative to the sum of covalent radii."""
_MARGIN = 1e-3
"""Relative to the cutoff: no distance is closer to it, so that small steps move no pair across."""
_LONG = np.array([1.0, 0.6, 0.6])
"""Stretches directions along x, so that a cluster extends over several cutoffs with few atoms."""
_NEIGHBORS = 6.0
"""Mean number per atom, enough to test terms of three and four atoms."""
_MOST_ATOMS = 40
"""Except for a chain that needs more."""


def cluster(elements: Sequence[str], cutoff: float, hops: int, rng: np.random.Generator) -> Graph:
    """Return a random cluster of all elements, longer than the range of an atom's energy.

    A chain is grown along x, each atom between contact and nearly the cutoff from one of the last three; then atoms are
    added up to ``_NEIGHBORS`` neighbors per atom.

    Arguments:
        elements: chemical symbols.
        cutoff: cutoff of the edges, Å.
        hops: number of neighbor steps over which energies depend on atoms.
        rng: random generator of elements and positions.
    """
    points, species = np.zeros((1, 3)), list(rng.permutation(len(elements)))
    radii = np.array([covalent_radii[atomic_numbers[element]] for element in elements])
    while True:
        is_chain = len(points) < max(8, len(elements)) or float(np.ptp(points[:, 0])) < (hops + 1) * cutoff
        if not is_chain and (len(points) >= _MOST_ATOMS or _neighbors(points, cutoff) >= _NEIGHBORS):
            break
        if len(species) == len(points):
            species.append(int(rng.integers(len(elements))))
        least = np.minimum(_CONTACT * (radii[species[: len(points)]] + radii[species[len(points)]]), 0.5 * cutoff)
        points = np.vstack((points, _next_to(points, least, cutoff, is_chain, rng)))
    return neighbor_graph(points, np.zeros((3, 3)), False, species, cutoff)


def _next_to(
    points: NDArray[np.float64], least: NDArray[np.float64], cutoff: float, is_chain: bool, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a position near the last atoms and forward in x, or near any; ``least``: distances, Å, [n_atoms]."""
    while True:
        base = len(points) - 1 - int(rng.integers(min(3, len(points)))) if is_chain else int(rng.integers(len(points)))
        direction = rng.normal(size=3)
        if is_chain:
            direction *= np.sign(direction[0]) * _LONG
        length = np.exp(rng.uniform(np.log(least[base]), np.log(0.9 * cutoff)))
        new = points[base] + length * direction / np.linalg.norm(direction)
        distances = np.linalg.norm(points - new, axis=1)
        if (distances >= least).all() and (np.abs(distances - cutoff) > _MARGIN * cutoff).all():
            return np.asarray(new)
        least = 0.99 * least  # ensures that the loop ends


def _neighbors(points: NDArray[np.float64], cutoff: float) -> float:
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    return float((distances < cutoff).sum(1).mean()) - 1.0


def row(n_elements: int, cutoff: float, hops: int, rng: np.random.Generator) -> tuple[Graph, Graph]:
    """Return a row of atoms, periodic along x, with a cell shorter than the cutoff, in two representations.

    Returns:
        One with images mapped onto the cell's atoms, with several edges between two atoms and from an atom to itself;
        and one with an atom for every image that the energies depend on.
    """
    length = 0.72 * cutoff
    points = np.array([[0.0, 0.0, 0.0], [0.31, 0.28, 0.09], [0.68, -0.12, 0.24]]) * length
    points += rng.uniform(-0.03, 0.03, points.shape) * length
    species = rng.integers(n_elements, size=len(points))
    cell = np.diag([length, 0.0, 0.0])
    mapped = neighbor_graph(points, cell, (True, False, False), species, cutoff)
    reach = int(np.ceil((hops + 1) * cutoff / length))
    images = [0, *(k for k in range(-reach, reach + 1) if k)]
    unrolled = neighbor_graph(
        np.concatenate([points + np.array([k * length, 0.0, 0.0]) for k in images]),
        np.zeros((3, 3)),
        False,
        np.tile(species, len(images)),
        cutoff,
    )
    return mapped, closure(unrolled, torch.arange(len(points)), hops)[0]


def joined(one: Graph, other: Graph) -> Graph:
    """Return one graph of both, far apart; every atom of each must be a center."""
    return Graph(
        torch.cat((one.species, other.species)),
        one.n_local + other.n_local,
        torch.cat((one.edge_index, other.edge_index + one.n_local), 1),
        torch.cat((one.edge_vec, other.edge_vec)),
    )


def lone_atoms(n_elements: int) -> Graph:
    """Return one atom of every element without neighbors."""
    return Graph(
        torch.arange(n_elements), n_elements, torch.zeros((2, 0), dtype=torch.int64), torch.zeros((0, 3)).double()
    )


def relabeled(graph: Graph, order: Tensor) -> Graph:
    """Return the graph with its atoms in another order: atom ``order[i]`` becomes atom i."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    return _sorted(graph.species[order], graph.n_local, place[graph.edge_index], graph.edge_vec)


def reordered(graph: Graph, rng: np.random.Generator) -> Graph:
    """Return the graph with the edges of each center in another order."""
    order = torch.from_numpy(rng.permutation(graph.edge_index.shape[1]))
    return _sorted(graph.species, graph.n_local, graph.edge_index[:, order], graph.edge_vec[order])


def split(graph: Graph) -> Graph:
    """Return the graph with a separate atom at the far end of every edge."""
    n_edges = graph.edge_index.shape[1]
    ends = torch.arange(len(graph.species), len(graph.species) + n_edges)
    return replace(
        graph,
        species=torch.cat((graph.species, graph.species[graph.edge_index[1]])),
        edge_index=torch.stack((graph.edge_index[0], ends)),
    )


def closure(graph: Graph, centers: Tensor, hops: int) -> tuple[Graph, Tensor]:
    """Return the graph that a rank with these centers gives a model: edges of atoms up to ``hops - 1`` steps away.

    Returns:
        The graph, with its centers first in the given order, and the indices in ``graph`` of its edges, in its order.
    """
    inside = torch.zeros(len(graph.species), dtype=torch.bool)
    inside[centers] = True
    center, neighbor = graph.edge_index
    for _ in range(hops - 1):
        reached = inside.clone()
        reached[neighbor[inside[center]]] = True
        inside = reached
    kept = torch.nonzero(inside[center]).ravel()
    present = inside.clone()
    present[neighbor[kept]] = True
    present[centers] = False
    atoms = torch.cat((centers, torch.nonzero(present).ravel()))
    place = torch.full((len(graph.species),), -1)
    place[atoms] = torch.arange(len(atoms))
    edge_index = place[graph.edge_index[:, kept]]
    order = torch.argsort(edge_index[0], stable=True)
    found = Graph(graph.species[atoms], len(centers), edge_index[:, order], graph.edge_vec[kept[order]])
    return found, kept[order]


def _sorted(species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Graph:
    order = torch.argsort(edge_index[0], stable=True)
    return Graph(species, n_local, edge_index[:, order].contiguous(), edge_vec[order].contiguous())
