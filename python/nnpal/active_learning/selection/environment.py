"""Small configurations for the oracle, cut from a large one around one atom."""

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

_REACH = 0.75  # search range from the atom in edges of the new cell: a quarter beyond its faces
_DIAGONALS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))
_ROUNDING = 1e-9  # relative: in a perfect crystal the distances across the seam are the shortest ones


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

    They mention a neighbor list without details; their distilled nickel data are periodic cells of 32 atoms. The two
    kinds here are our own.

    ``cell``: a periodic cell with the shape and density of ``atoms``, each edge scaled by (n_atoms/N)^(1/3), with the
    atom at the center. Atoms inside the faces fill it, nearest first. An atom too close to an image of another is left
    out: of two that meet across the faces, the farther one. Atoms up to a quarter of an edge beyond the faces replace
    such atoms, so a lattice site that has moved across a face thermally is filled from the other side. Then atoms
    beyond ``radius`` move until none is closer than ``min_distance`` to another across the seam. No random numbers are
    used.
    Exact: the neighbors of the atom up to ``preserved_radius``. Approximate: the seam. If the new cell consists of
    whole cells of the crystal (32 of 108 or of 256 atoms of fcc), only thermal displacements do not match; otherwise
    crystals get grain boundaries, so choose a matching ``n_atoms``, and melts get a seam without their order. The cell
    is not a sample of the ensemble of ``atoms``, but its label from the oracle is correct.

    ``cluster``: all atoms and periodic images within ``radius``, in vacuum. Exact: the neighbors of the atom up to
    ``radius``. Approximate: the other atoms are at or near a surface, unlike in a melt or crystal. Labels are correct
    for the cluster: the force on the atom is unchanged only if everything that it depends on is inside, with EAM twice
    the cutoff.

    Arguments:
        atoms: configuration; its tag and source are kept, its labels, velocities and constraints are not.
        index: index of the atom, which becomes atom 0; the others follow by their distance from it in ``atoms``.
        radius: radius of a cluster, Å; for a cell, the radius to preserve, at most half of the cell's smallest height.
            The angular cutoff of the AEV is a good choice.
        kind: ``cell`` or ``cluster``.
        n_atoms: number of atoms in a cell; it gets fewer if the atom's surroundings are much less dense than ``atoms``.
        min_distance: smallest distance across the seam of a cell, Å, reached as closely as possible; by default (volume
            per atom)^(1/3), 0.89 of the nearest-neighbor distance in fcc. Set it if elements differ in size.
        vacuum: distance from a cluster's radius to the faces of its box, Å, for oracles that need a box.

    Returns:
        Configuration with numbers in ``info``. ``preserved_radius``: radius, Å, within which the neighbors of atom 0,
        elements and vectors, are those in ``atoms``; for a cell at most half of its longest diagonal, the search range.
        ``seam_distance``, for a cell: shortest distance of two atoms across the seam, Å.

    Raises:
        ValueError: an argument is out of range; ``atoms`` have a charge or spin, whose share in a part of them is
            unknown; for a cell, ``atoms`` are not periodic in three directions or not more than ``n_atoms``, or images
            of the same atom are closer than ``min_distance``.
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
    # largest fractional coordinate from the center of the new cell; its faces are at 0.5
    out = np.abs(vectors @ inverse).max(axis=1)
    order = np.lexsort((np.where(out < 0.5, 0.0, out), out >= 0.5))  # stable: those inside stay sorted by distance
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
    """Return the cell vectors, Å, [3, 3], and the smallest distance across the seam, Å."""
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
    """Return numbers and vectors of an atom and its neighbors by distance, and the shortest of all distances, Å."""
    graph = neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, atoms.numbers, reach)
    center, neighbor = graph.edge_index.numpy()
    edges = graph.edge_vec.numpy()
    own = center == index
    numbers = np.concatenate(([atoms.numbers[index]], atoms.numbers[neighbor[own]]))
    vectors = np.concatenate((np.zeros((1, 3)), edges[own]))
    order = np.lexsort((*vectors.T[::-1], np.linalg.norm(vectors, axis=1)))
    return numbers[order], vectors[order], float(np.linalg.norm(edges, axis=1).min(initial=math.inf))


def _preserved_radius(numbers: np.ndarray, vectors: np.ndarray, cut: Atoms, limit: float) -> float:
    """Return the radius within which atom 0 of ``cut`` has the given neighbors, at most ``limit``, Å."""
    new_numbers, new, _ = _neighbors(cut, 0, limit)
    within = np.linalg.norm(vectors, axis=1) <= limit
    numbers, vectors = numbers[within], vectors[within]
    same = np.linalg.norm(vectors[:, None] - new[None], axis=-1) < SAME
    same &= numbers[:, None] == new_numbers[None]
    unmatched = np.concatenate((vectors[~same.any(axis=1)], new[~same.any(axis=0)]))
    return float(np.linalg.norm(unmatched, axis=1).min(initial=limit))
