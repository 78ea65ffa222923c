"""A configuration as LAMMPS wants it: a lower triangular cell, and walls around what does not repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.cell import Cell

MARGIN = 1.0
"""Å, from the outermost atoms to a wall where nothing repeats; no force knows of it."""
NO_TILT = 1e-10
"""Å; a cell with smaller tilts is orthogonal."""
NO_VOLUME = 1e-6
"""Of the product of the edge lengths."""


class BoxError(ValueError):
    """LAMMPS can have no such configuration."""


@dataclass(frozen=True)
class Box:
    """A configuration, turned.

    Attributes:
        low, high: corners along x, y, z, Å, [3].
        tilt: xy, xz, yz, Å, [3].
        periodic: bool, [3].
        turn: rotation matrix, [3, 3]: ``vectors @ turn.T`` goes to LAMMPS, ``vectors @ turn`` comes back.
        positions: turned, Å, [n_atoms, 3]; LAMMPS wraps them.
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

    def stress_back(self, stress: np.ndarray) -> np.ndarray:
        """Return a symmetric tensor [3, 3] of the turned system in the axes of the original one."""
        return self.turn.T @ stress @ self.turn


def box_of(atoms: Atoms) -> Box:
    """Turn a configuration. A left-handed cell becomes the right-handed one of the opposite vectors: the same lattice.

    Along directions that do not repeat the cell vectors do not matter, and may be zero.

    Raises:
        BoxError: no atoms, numbers that are not finite, or periodic cell vectors that span nothing.
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
    whole = Cell(vectors).complete()
    if whole.volume <= NO_VOLUME * np.prod(whole.lengths()):
        raise BoxError(f"cell {atoms.cell.array.tolist()} has no volume")
    triangle, turn = whole.standard_form()
    lower = triangle.array * np.sign(triangle[0, 0])  # of a left-handed cell ASE gives minus the vectors
    positions = atoms.positions @ turn.T
    # a vector completed by ASE is normal to the others, so that it lies along its own axis now
    low = np.where(periodic, 0.0, positions.min(axis=0) - MARGIN)
    high = np.where(periodic, np.diag(lower), positions.max(axis=0) + MARGIN)
    tilt = np.array([lower[1, 0], lower[2, 0], lower[2, 1]])
    return Box(low, high, tilt, tuple(periodic.tolist()), turn, positions)
