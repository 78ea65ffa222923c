"""Shortest reciprocal vectors of crystals, as integer multiples of the box's reciprocal vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import HookError


@dataclass(frozen=True)
class Lattice:
    """A crystal in its conventional cell.

    Attributes:
        basis: fractional coordinates of the cell's atoms, [n, 3].
        vectors: shortest reciprocal vectors, as multiples of the cell's reciprocal vectors, [n_g, 3].
        edges: edges of the cell in units of the first, [3].
    """

    basis: tuple[tuple[float, float, float], ...]
    vectors: tuple[tuple[int, int, int], ...]
    edges: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def intensity(self) -> float:
        """O/N of the perfect crystal: the mean of |F_g|² over the vectors, F the structure factor per atom."""
        phases = np.exp(2j * np.pi * np.array(self.vectors) @ np.array(self.basis).T)
        return float(np.mean(np.abs(phases.mean(axis=1)) ** 2))


_111 = tuple((h, k, m) for h, k, m in product((1, -1), repeat=3))
_110 = tuple((h, k, m) for h, k, m in product((-1, 0, 1), repeat=3) if abs(h) + abs(k) + abs(m) == 2)
_FCC = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))

LATTICES = {
    "fcc": Lattice(_FCC, _111),
    "bcc": Lattice(((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), _110),
    "diamond": Lattice((*_FCC, *((x + 0.25, y + 0.25, z + 0.25) for x, y, z in _FCC)), _111),
    # The four-atom orthogonal cell of LAMMPS's `lattice hcp`, a, √3 a, √(8/3) a; the vectors are {10-10}
    "hcp": Lattice(
        ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 5 / 6, 0.5), (0.0, 1 / 3, 0.5)),
        ((0, 2, 0), (0, -2, 0), (1, 1, 0), (1, -1, 0), (-1, 1, 0), (-1, -1, 0)),
        (1.0, 3**0.5, (8 / 3) ** 0.5),
    ),
}

# Largest relative difference of an edge from the lattice's shape: a strained crystal, but not another crystal
_SHAPE_TOLERANCE = 0.2
# Largest cosine of the angle between two edges
_ANGLE_TOLERANCE = 0.25
# Largest relative excess of sites (vacancies) or atoms (interstitials)
_SITES_TOLERANCE = 0.2
# Larger multiples of the box's reciprocal vectors are no reflections of a crystal in any box that LAMMPS could hold
_MAX_INDEX = 100_000


def cell_matrix(cells: Sequence[float]) -> NDArray[np.float64]:
    """Return the box vectors in units of the conventional cell's, as rows, [3, 3].

    Arguments:
        cells: numbers of cells along the box vectors, [3], or the elements of the matrix by rows, [9].

    Raises:
        HookError: there are not 3 or 9 numbers, or they span no box.
    """
    if len(cells) not in (3, 9):
        raise HookError(f"option cells: expected 3 or 9 numbers, found {len(cells)}")
    values = np.asarray(cells, dtype=float)
    said = " ".join(f"{c:g}" for c in cells)
    if not np.isfinite(values).all() or np.abs(values).max() > _MAX_INDEX:
        raise HookError(f"option cells {said}: expected finite numbers up to {_MAX_INDEX}")
    if len(cells) == 3:
        if values.min() <= 0:
            raise HookError(f"option cells {said}: expected numbers above 0, how often the cell repeats")
        return np.diag(values)
    matrix = values.reshape(3, 3)
    if not abs(np.linalg.det(matrix)) > 1e-6:
        raise HookError(f"option cells {said}: these vectors span no volume; give the box matrix in units of the cell")
    return matrix


def require_fitting_cells(
    lattice: str, cells: Sequence[float], n_group: int, n_atoms: int, box: NDArray[np.float64]
) -> None:
    """Check the user's cells against the box: the shape of one cell, and the number of sites.

    Arguments:
        lattice: name in `LATTICES`.
        cells: 3 or 9 numbers, see `cell_matrix`.
        n_group, n_atoms: numbers of atoms in the crystal's group and of all atoms.
        box: box vectors as rows, [3, 3].

    Raises:
        HookError: the shape of the cell differs from the lattice's, or the number of sites from that of atoms.
    """
    matrix, lattice_cell = cell_matrix(cells), LATTICES[lattice]
    said = f"lattice {lattice} with cells {' '.join(f'{c:g}' for c in cells)}"
    vectors = np.linalg.solve(matrix, box)
    lengths = np.linalg.norm(vectors, axis=1)
    edges = np.array(lattice_cell.edges)
    a = (lengths.prod() / edges.prod()) ** (1 / 3)
    cosines = (vectors @ vectors.T / np.outer(lengths, lengths))[np.triu_indices(3, 1)]
    if np.abs(lengths / (a * edges) - 1).max() > _SHAPE_TOLERANCE or np.abs(cosines).max() > _ANGLE_TOLERANCE:
        raise HookError(
            f"{said} contradicts the box: one cell would have the edges {' '.join(f'{x:.4g}' for x in lengths)} with "
            f"the cosines {' '.join(f'{c:.2f}' for c in cosines)} between them, expected edges as "
            f"{' : '.join(f'{e:.3f}' for e in edges)} at right angles; give the box vectors in units of the "
            "conventional cell's, or remove cells"
        )
    n_sites = round(len(lattice_cell.basis) * abs(float(np.linalg.det(matrix))))
    if n_sites < (1 - _SITES_TOLERANCE) * n_group or n_sites > (1 + _SITES_TOLERANCE) * n_atoms:
        raise HookError(
            f"{said} contradicts the number of atoms: {n_sites} sites for {n_group} atoms of the group and {n_atoms} "
            "in all; give the box vectors in units of the conventional cell's, or, for a crystal that does not fill "
            "the box, reciprocal h k l ..."
        )


def reciprocal_vectors(lattice: str, cells: Sequence[float]) -> list[tuple[int, int, int]]:
    """Return a lattice's shortest reciprocal vectors as multiples of the box's reciprocal vectors.

    If the box vectors are M times those of the conventional cell, (h k l) of the cell is M (h k l) of the box.

    Arguments:
        lattice: name in `LATTICES`.
        cells: numbers of cells along the box vectors, [3], or the elements of M by rows, [9].

    Raises:
        HookError: there are not 3 or 9 numbers, or a vector is not a reciprocal vector of the box.
    """
    vectors = np.array(LATTICES[lattice].vectors) @ cell_matrix(cells).T
    rounded = np.rint(vectors)
    if np.abs(vectors - rounded).max() > 1e-6 or not np.abs(rounded).any(axis=1).all():
        bad = vectors[np.abs(vectors - rounded).max(axis=1).argmax()]
        raise HookError(
            f"lattice {lattice} does not fit cells {' '.join(f'{c:g}' for c in cells)}: the reciprocal vector "
            f"({', '.join(f'{b:g}' for b in bad)}) is not one of the box; give the box vectors in units of the "
            "conventional cell's"
        )
    return [(int(h), int(k), int(m)) for h, k, m in rounded]


def deduce_cells(lattice: str, n_atoms: int, box: NDArray[np.float64]) -> tuple[int, int, int]:
    """Return the number of conventional cells along each box vector.

    Arguments:
        lattice: name in `LATTICES`.
        n_atoms: number of atoms of the crystal.
        box: box vectors as rows, [3, 3].

    Raises:
        HookError: no integer numbers of cells match the number of atoms and the shape of the box.
    """
    cell = LATTICES[lattice]
    per_cell = len(cell.basis)
    lengths = np.linalg.norm(box, axis=1)
    edges = np.array(cell.edges)
    # Length of the first cell vector if the atoms fill the box
    a = (abs(np.linalg.det(box)) * per_cell / (n_atoms * edges.prod())) ** (1 / 3)
    ratio = lengths / (a * edges)
    counts = np.maximum(1, np.rint(ratio)).astype(int)
    fits = per_cell * counts.prod() == n_atoms and np.abs(ratio / counts - 1).max() < _SHAPE_TOLERANCE
    if not fits:
        raise HookError(
            f"lattice {lattice} does not fit {n_atoms} atoms in a box of {' x '.join(f'{x:.4g}' for x in lengths)}: "
            f"its cell of {per_cell} atoms would repeat {' x '.join(f'{r:.2f}' for r in ratio)} times; build the box "
            "from whole cells, or say cells NA NB NC (or the nine elements of the box matrix in units of the cell)"
        )
    return int(counts[0]), int(counts[1]), int(counts[2])


def triples(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the user's reciprocal vectors, given as h k l h k l ...

    Raises:
        HookError: the numbers are not triples, a vector is 0 0 0, or an index is too large.
    """
    if len(values) == 0 or len(values) % 3:
        raise HookError(f"option reciprocal: expected triples h k l, found {len(values)} numbers")
    vectors = [(values[i], values[i + 1], values[i + 2]) for i in range(0, len(values), 3)]
    if max(map(abs, values)) > _MAX_INDEX:
        raise HookError(f"option reciprocal: expected indices up to {_MAX_INDEX}, found {max(values, key=abs)}")
    if (0, 0, 0) in vectors:
        raise HookError("option reciprocal: 0 0 0 is not a reciprocal vector of a crystal; remove it")
    return vectors
