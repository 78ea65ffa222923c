"""LAMMPS boxes: rotate a configuration to a lower triangular cell, add walls along nonperiodic directions; read bounds.

LAMMPS manual, "Triclinic (non-orthogonal) simulation boxes": a along x, b in the xy plane; dumps give the bounding box
of a tilted box, or the three vectors and the origin of a general triclinic box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.cell import Cell

MARGIN = 1.0
"""Å, from the outermost atoms to a wall along a nonperiodic direction; it has no effect on forces."""
NO_TILT = 1e-10
"""Å; a cell with smaller tilts is orthogonal."""
NO_VOLUME = 1e-6
"""Smallest volume, relative to the product of the edge lengths."""


class BoxError(ValueError):
    """A configuration that does not fit into a LAMMPS box."""


@dataclass(frozen=True)
class Box:
    """A configuration, rotated for LAMMPS.

    Attributes:
        low, high: corners along x, y, z, Å, [3].
        tilt: xy, xz, yz, Å, [3].
        periodic: bool, [3].
        turn: rotation matrix, [3, 3]: ``vectors @ turn.T`` rotates to LAMMPS's axes, ``vectors @ turn`` rotates back.
        positions: rotated positions, Å, [n_atoms, 3]; LAMMPS wraps them.
    """

    low: np.ndarray
    high: np.ndarray
    tilt: np.ndarray
    periodic: tuple[bool, ...]
    turn: np.ndarray
    positions: np.ndarray

    @property
    def triclinic(self) -> bool:
        return bool(np.abs(self.tilt).max() > NO_TILT)

    @property
    def cell(self) -> np.ndarray:
        """Return the vectors of the box as rows, Å, [3, 3]; walls end the nonperiodic ones."""
        cell = np.diag(self.high - self.low)
        cell[(1, 2, 2), (0, 0, 1)] = self.tilt
        return cell

    def stress_back(self, stress: np.ndarray) -> np.ndarray:
        """Rotate a symmetric tensor [3, 3] back to the original axes."""
        return self.turn.T @ stress @ self.turn


def box_of(atoms: Atoms) -> Box:
    """Rotate a configuration; a left-handed cell is replaced with the right-handed cell of opposite vectors.

    Cell vectors along nonperiodic directions are ignored, and may be zero.

    Raises:
        BoxError: no atoms, numbers that are not finite, or periodic cell vectors that are linearly dependent.
    """
    if len(atoms) == 0:
        raise BoxError("no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise BoxError("positions or cell are not finite")
    periodic = np.array(atoms.pbc, dtype=bool)
    vectors = atoms.cell.array * periodic[:, None]
    lengths = np.linalg.norm(vectors, axis=1)
    if (lengths[periodic] <= 0).any():
        raise BoxError(f"cell {atoms.cell.array.tolist()} has no vector along a periodic direction")
    whole = Cell(vectors + np.diag(~periodic)) if _is_turned(vectors, periodic) else Cell(vectors).complete()
    if whole.volume <= NO_VOLUME * np.prod(whole.lengths()):
        raise BoxError(f"cell {atoms.cell.array.tolist()} has no volume")
    triangle, turn = whole.standard_form()
    lower = triangle.array * np.sign(triangle[0, 0])  # for a left-handed cell ASE returns the negative vectors
    positions = atoms.positions @ turn.T
    # a vector completed by ASE is normal to the others, and now lies along its own axis
    low = np.where(periodic, 0.0, positions.min(axis=0) - MARGIN)
    high = np.where(periodic, np.diag(lower), positions.max(axis=0) + MARGIN)
    tilt = np.array([lower[1, 0], lower[2, 0], lower[2, 1]])
    return Box(low, high, tilt, tuple(periodic.tolist()), turn, positions)


def _is_turned(vectors: np.ndarray, periodic: np.ndarray) -> bool:
    """Return whether the configuration already has LAMMPS's orientation and must not be rotated again."""
    lower = not np.triu(vectors, 1).any() and (np.diag(vectors)[periodic] > 0).all()
    return bool(lower and (np.abs(vectors[:, ~periodic]) <= NO_TILT).all())


def cells_of_bounds(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cell vectors as rows, [n, 3, 3], and lower corners, [n, 3], of boxes from their bounds in a dump.

    Arguments:
        bounds: bounding boxes along x, y, z: low, high and, for tilted boxes, xy, xz, yz; [n, 3, 2 or 3].
    """
    tilt = bounds[:, :, 2] if bounds.shape[2] == 3 else np.zeros((len(bounds), 3))
    xy, xz, yz = tilt.T
    zero = np.zeros(len(bounds))
    low = bounds[:, :, 0] - np.stack([np.min([zero, xy, xz, xy + xz], axis=0), np.minimum(zero, yz), zero], axis=1)
    high = bounds[:, :, 1] - np.stack([np.max([zero, xy, xz, xy + xz], axis=0), np.maximum(zero, yz), zero], axis=1)
    cells = np.zeros((len(bounds), 3, 3))
    cells[:, (0, 1, 2), (0, 1, 2)] = high - low
    cells[:, 1, 0], cells[:, 2, 0], cells[:, 2, 1] = xy, xz, yz
    return cells, low


def box_of_bounds(words: Sequence[str], rows: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Return cell vectors as rows, [3, 3], lower corner, [3], and periodicity of a box in a dump.

    Arguments:
        words: words after ``ITEM: BOX BOUNDS``: ``xy xz yz`` for a tilted box, ``abc origin`` for a general triclinic
            one, and the boundaries.
        rows: numbers of the next three lines.

    Raises:
        ValueError: the numbers do not match the words.
    """
    pbc = [word == "pp" for word in words[-3:]]
    widths = [len(row) for row in rows]
    width = {"abc": 4, "xy": 3}.get(words[0] if words else "", 2)
    if len(pbc) != 3 or widths != [width] * 3:
        raise ValueError(
            f"box with {' and '.join(map(str, widths))} numbers in its lines after `{' '.join(words)}`, expected "
            f"three lines of {width} numbers, and three boundaries such as pp"
        )
    bounds = np.array(rows, dtype=float)
    if width == 4:
        return bounds[:, :3], bounds[:, 3], pbc
    cells, origins = cells_of_bounds(bounds[None])
    return cells[0], origins[0], pbc
