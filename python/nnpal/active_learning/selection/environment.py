"""The environment of one atom, cut out of a large configuration into a small one that an oracle can label."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce

from nnpal.active_learning.selection.seam import SAME, Images, across, fill, held, push_apart
from nnpal.geometry.electrons import electrons_of
from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.runtime.caution import caution

Kind = Literal["cell", "cluster"]
KINDS: tuple[Kind, ...] = ("cell", "cluster")

_REACH = 0.75  # in edges of the new cell, from the atom: how far a cell looks for atoms, a quarter beyond its faces
_DIAGONALS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))
_ROUNDING = 1e-9  # relative: in a perfect crystal the distances across the seam are the shortest there are


def cut_environment(
    atoms: Atoms,
    index: int,
    radius: float,
    *,
    kind: Kind = "cell",
    n_atoms: int = 32,
    min_distance: float | None = None,
    vacuum: float = 10.0,
) -> Atoms:
    """Return a small configuration around one atom: the data reduction of Jung et al. (doi:10.1088/2632-2153/accd45).

    They name a neighbor list as the means and no more; their distilled nickel data are periodic cells of 32 atoms. The
    two kinds here are ours.

    ``cell``: periodic, in the shape and at the density of ``atoms``, each edge (n_atoms/N)^(1/3) of the old, the atom
    in the middle. Atoms inside the faces fill it, nearest first; one whose image is too near to another is left out,
    so of two that meet across the faces the farther; in its stead come atoms up to a quarter of an edge beyond the
    faces, so a place that heat has moved across a face is filled from the other side. Then atoms beyond ``radius``
    make room until none is nearer than ``min_distance`` to another across the seam. No random numbers.
    Exact: the neighbors of the atom up to ``preserved_radius``. Approximate: the seam. Where the new cell is whole
    cells of the crystal (32 of 108 or of 256 atoms of fcc) only thermal displacements do not fit; elsewhere crystals
    get grain boundaries, so choose ``n_atoms`` to fit, and melts a seam without their order. It is no sample of the
    ensemble that ``atoms`` is of; a label from the oracle is right all the same.

    ``cluster``: all atoms within ``radius``, each image of an atom for itself, in vacuum. Exact: the neighbors of the
    atom up to ``radius``. Approximate: the rest has a surface, which a melt or crystal has not. Labels are right, but
    those of the cluster: the force on the atom is the old one only if all that it depends on is inside, with EAM
    twice the cutoff.

    Arguments:
        atoms: configuration; of it tag and source are kept, but no labels, velocities and constraints.
        index: the atom; it becomes atom 0, the others follow by their distance in ``atoms``.
        radius: Å. Of a cluster its size; in a cell what must be preserved, as far as the cell permits: up to half of
            its smallest height. The angular cutoff of the AEV is a good choice.
        n_atoms: of a cell; it gets fewer where the atom's surroundings are much emptier than ``atoms`` at large.
        min_distance: of atoms across the seam of a cell, Å, as near as can be reached; by default (volume per
            atom)^(1/3), 0.89 of the nearest neighbors' distance in fcc. Give one where elements differ in size.
        vacuum: from a cluster's radius to the faces of its box, Å, for oracles that need a box.

    Returns:
        Configuration with figures in ``info``. ``preserved_radius``: up to here, Å, atom 0 has the very neighbors that
        the atom has, elements and vectors; in a cell at most half of its longest diagonal, as far as is looked.
        ``seam_distance``, of a cell: the shortest distance of two atoms that was not in ``atoms``, Å.

    Raises:
        ValueError: arguments out of range; ``atoms`` state a charge or spin, which a part of them need not have;
            for a cell, ``atoms`` not periodic in three directions or with no more
            atoms than ``n_atoms``, or a cell in which an atom's own images are nearer than ``min_distance``.
    """
    where = f"{atoms.info.get('source', 'configuration')}, atom {index}"
    if not 0 <= index < len(atoms):
        raise ValueError(f"cut_environment: index = {index}, expected 0 to {len(atoms) - 1}")
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"cut_environment: radius = {radius}, expected a finite number of Å above 0")
    if (stated := electrons_of(atoms, what=where)).binds_whole:
        raise ValueError(
            f"cut_environment: {where} states {stated}; the part of it that belongs to some of the atoms is unknown: "
            "keep "
            'configurations whole (reduction = "none"), or remove the statement from the structure file'
        )
    if not stated.is_plain:
        caution(f"environments that are cut out are without the {stated} of their configurations")
    if kind == "cluster":
        cut = _cluster(atoms, index, radius, vacuum)
    elif kind == "cell":
        cut = _cell(atoms, index, radius, n_atoms, min_distance)
    else:
        raise ValueError(f"cut_environment: kind = {kind!r}, expected {' or '.join(KINDS)}")
    if "tag" in atoms.info:
        cut.info["tag"] = atoms.info["tag"]
    cut.info["source"] = where
    return cut


def _cluster(atoms: Atoms, index: int, radius: float, vacuum: float) -> Atoms:
    if not (math.isfinite(vacuum) and vacuum >= 0):
        raise ValueError(f"cut_environment: vacuum = {vacuum}, expected a finite number of Å from 0 on")
    numbers, vectors, _ = _neighbors(atoms, index, radius)
    half = radius + vacuum
    cluster = Atoms(numbers, positions=vectors + half, cell=[2 * half] * 3, pbc=False)
    cluster.info["preserved_radius"] = float(radius)
    return cluster


def _cell(atoms: Atoms, index: int, radius: float, n_atoms: int, min_distance: float | None) -> Atoms:
    cell, min_distance = _new_cell(atoms, n_atoms, min_distance)
    inverse = np.linalg.inv(cell)
    half_height = 0.5 / np.linalg.norm(inverse, axis=0).max()
    half_diagonal = 0.5 * max(float(np.linalg.norm(signs @ cell)) for signs in _DIAGONALS)
    numbers, vectors, shortest = _neighbors(atoms, index, 2 * _REACH * half_diagonal)
    # how far out in edges of the new cell; its faces are at 0.5
    out = np.abs(vectors @ inverse).max(axis=1)
    order = np.lexsort((np.where(out < 0.5, 0.0, out), out >= 0.5))  # stable, so those inside stay by distance
    order = order[out[order] <= _REACH]
    least = min(shortest, min_distance) * (1 - _ROUNDING)
    images = Images(cell)
    chosen = np.sort(order[fill(vectors[order], images, n_atoms, least)])
    kept = min(radius, half_height)
    fixed = held(vectors[chosen], images, kept, least)
    places = push_apart(vectors[chosen], images, fixed, kept, min_distance)
    cut = Atoms(numbers[chosen], positions=places + 0.5 * cell.sum(axis=0), cell=cell, pbc=True)
    cut.info["preserved_radius"] = _preserved_radius(numbers, vectors, cut, half_diagonal)
    i, j = np.triu_indices(len(cut), 1)
    cut.info["seam_distance"] = float(across(places[j] - places[i], images).min(initial=math.inf))
    return cut


def _new_cell(atoms: Atoms, n_atoms: int, min_distance: float | None) -> tuple[np.ndarray, float]:
    """Return the cell vectors, Å, [3, 3], and the distance to keep, Å."""
    if not atoms.pbc.all():
        raise ValueError(
            f"cut_environment: pbc is {atoms.pbc.tolist()}, expected periodic in all three directions for "
            'kind = "cell"; use "cluster"'
        )
    if not 1 <= n_atoms < len(atoms):
        raise ValueError(
            f"cut_environment: n_atoms = {n_atoms} of {len(atoms)} atoms, expected at least 1 and fewer than all; "
            "a configuration of that size is labeled as it is"
        )
    if min_distance is None:
        min_distance = float(atoms.get_volume() / len(atoms)) ** (1 / 3)
    elif not (math.isfinite(min_distance) and min_distance > 0):
        raise ValueError(f"cut_environment: min_distance = {min_distance}, expected a finite number of Å above 0")
    cell = atoms.cell[:] * (n_atoms / len(atoms)) ** (1 / 3)
    shortest = float(np.linalg.norm(minkowski_reduce(cell)[0], axis=1).min())
    if shortest < min_distance * (1 - _ROUNDING):
        raise ValueError(
            f"cut_environment: a cell of n_atoms = {n_atoms} has images of each atom at {shortest:.3f} Å, expected "
            f"min_distance = {min_distance:.3f} Å at least; give more atoms"
        )
    return cell, min_distance


def _neighbors(atoms: Atoms, index: int, reach: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return numbers and vectors of an atom and its neighbors by distance, and the shortest distance of any two, Å."""
    graph = neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, atoms.numbers, reach)
    center, neighbor = graph.edge_index.numpy()
    edges = graph.edge_vec.numpy()
    own = center == index
    numbers = np.concatenate(([atoms.numbers[index]], atoms.numbers[neighbor[own]]))
    vectors = np.concatenate((np.zeros((1, 3)), edges[own]))
    order = np.lexsort((*vectors.T[::-1], np.linalg.norm(vectors, axis=1)))
    return numbers[order], vectors[order], float(np.linalg.norm(edges, axis=1).min(initial=math.inf))


def _preserved_radius(numbers: np.ndarray, vectors: np.ndarray, cut: Atoms, limit: float) -> float:
    """Return how far the neighbors of the cut's atom 0 are those given, up to ``limit``, Å."""
    new_numbers, new, _ = _neighbors(cut, 0, limit)
    within = np.linalg.norm(vectors, axis=1) <= limit
    numbers, vectors = numbers[within], vectors[within]
    same = np.linalg.norm(vectors[:, None] - new[None], axis=-1) < SAME
    same &= numbers[:, None] == new_numbers[None]
    unmatched = np.concatenate((vectors[~same.any(axis=1)], new[~same.any(axis=0)]))
    return float(np.linalg.norm(unmatched, axis=1).min(initial=limit))
