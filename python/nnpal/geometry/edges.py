"""Edges between the atoms of a configuration, as NumPy arrays, without torch.

An edge points from a center i to a neighbor j closer than the cutoff; both directions of a pair are in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import ArrayLike, NDArray

_LARGEST_SPREAD = 1e4
"""Å. Larger than any configuration, and far below the limit of the search's precision."""


@dataclass(frozen=True)
class Edges:
    """Atoms, all of which are centers, and the edges between them.

    Attributes:
        species: element index of every atom, int64 [n_atoms].
        edge_index: (center, neighbor) of every edge, int64 [2, n_edges], sorted by center.
        edge_vec: r_neighbor - r_center, Å, float64 [n_edges, 3].
    """

    species: NDArray[np.int64]
    edge_index: NDArray[np.int64]
    edge_vec: NDArray[np.float64]


@dataclass(frozen=True)
class Configuration:
    """Positions, Å, [n_atoms, 3]; cell vectors as rows, Å; periodicity, [3]; element indices, [n_atoms]."""

    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    periodic: NDArray[np.bool_]
    species: NDArray[np.int64]


def neighbor_edges(
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    species: ArrayLike,
    cutoff: float,
) -> Edges:
    """Find the neighbors of every atom, including its own periodic images.

    Arguments:
        positions: Å, [n_atoms, 3]; they need not lie inside the cell.
        cell: cell vectors as rows, Å, [3, 3]; any shape, also shorter than the cutoff.
        pbc: whether each cell vector is periodic, one bool or [3].
        species: element index of every atom, [n_atoms].
        cutoff: cutoff radius, Å.

    Raises:
        ValueError: a position or the cell is not finite, periodic cell vectors are linearly dependent, atoms are too
            far apart along a nonperiodic direction for the search, or shapes do not match.
    """
    from nnpal._core import periodic_edges  # compiled; imported here so that other commands need no build

    found = checked_configuration(positions, cell, pbc, species)
    periodic = [bool(one) for one in found.periodic]
    edge_index, edge_vec = periodic_edges(found.positions, found.cell, periodic, cutoff)
    return Edges(found.species, edge_index, edge_vec)


def checked_configuration(positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, species: ArrayLike) -> Configuration:
    """Return the arguments of :func:`neighbor_edges` as checked arrays.

    Raises:
        ValueError: see :func:`neighbor_edges`.
    """
    points = np.ascontiguousarray(positions, dtype=np.float64)
    elements = np.asarray(species, dtype=np.int64)
    if points.ndim != 2 or points.shape[1] != 3 or elements.shape != (len(points),):
        raise ValueError(
            f"positions have shape {points.shape} and species {elements.shape}; expected [n_atoms, 3] and [n_atoms]"
        )
    if not np.isfinite(points).all():
        atom = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise ValueError(f"position of atom {atom} is {points[atom]}; expected finite numbers in Å")
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    box = np.asarray(cell, dtype=np.float64)
    _require_searchable(points, box, periodic)
    return Configuration(points, box, periodic, elements)


def atoms_edges(atoms: Atoms, elements: Sequence[str], cutoff: float, *, model: str) -> Edges:
    """Return the edges of ``atoms`` with species as indices into ``elements``.

    Arguments:
        atoms: a configuration.
        elements: chemical symbols in the order of the element index.
        cutoff: cutoff radius, Å.
        model: name of the model in the error.

    Raises:
        ValueError: an element that is not among ``elements``; see also :func:`neighbor_edges`.
    """
    species = known_species(atoms, elements, model=model)
    return neighbor_edges(atoms.positions, atoms.cell[:], atoms.pbc, species, cutoff)


def known_species(atoms: Atoms, elements: Sequence[str], *, model: str) -> NDArray[np.int64]:
    """Return the index of every atom's element in ``elements``, [n_atoms].

    Raises:
        ValueError: an element is not in ``elements``; the message names ``model``.
    """
    species = element_indices(atoms, elements)
    if (species < 0).any():
        unknown = sorted(set(atoms.symbols) - set(elements))
        raise ValueError(f"atoms hold {', '.join(unknown)}; model {model} knows {', '.join(elements)}")
    return species


def element_indices(atoms: Atoms, elements: Sequence[str]) -> NDArray[np.int64]:
    """Return the index of every atom's element in ``elements``, [n_atoms], -1 if it is not there."""
    places = np.full(len(chemical_symbols), -1)
    places[[atomic_numbers[element] for element in elements]] = np.arange(len(elements))
    return places[atoms.numbers]


def forces_of_edges(edges: Edges, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the forces on all atoms, eV/Å, [n_atoms, 3], from d energy / d edge_vec [n_edges, 3].

    An edge contributes -gradient to the force on its neighbor and +gradient to that on its center.
    """
    center, neighbor = edges.edge_index
    n_atoms = len(edges.species)
    columns = [np.bincount(center, along, n_atoms) - np.bincount(neighbor, along, n_atoms) for along in gradient.T]
    return np.stack(columns, axis=1, dtype=np.float64)  # without edges NumPy's bincount returns integers


def _require_searchable(points: NDArray[np.float64], box: NDArray[np.float64], periodic: NDArray[np.bool_]) -> None:
    """Refuse cells and positions for which a neighbor search makes no sense."""
    if box.shape != (3, 3) or not np.isfinite(box).all():
        raise ValueError(f"cell is {box.tolist()}; expected three rows of three finite numbers in Å")
    repeats = box[periodic]
    if np.linalg.matrix_rank(repeats) < len(repeats):
        raise ValueError(f"cell is {box.tolist()}; expected periodic vectors that span a cell, or pbc=False")
    if periodic.all() or not len(points):
        return
    free = points - points @ np.linalg.pinv(repeats) @ repeats
    if (spread := np.ptp(free, axis=0)).max() > _LARGEST_SPREAD:
        raise ValueError(
            f"positions spread over {spread.max():.3g} Å along a direction without periodicity; expected at most "
            f"{_LARGEST_SPREAD:g} Å; has an atom flown away?"
        )
