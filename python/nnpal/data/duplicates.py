"""Configurations that occur more than once in a dataset."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.data.check_geometry import Finite
from nnpal.data.columns import Columns
from nnpal.data.electron_states import state_of
from nnpal.data.finding import Finding
from nnpal.data.hashes import structure_hashes

SAME_ENERGY = 1e-5  # eV/atom; the accuracy of oracles and printed digits
MANY = 8192  # atoms that are wrapped at once
TOGETHER = 1000  # configurations that are hashed at once, to bound memory


def duplicates(columns: Columns, finite: Finite) -> Iterator[Finding]:
    """Yield configurations that equal an earlier one, bitwise or after wrapping into the cell.

    It is an error if the two energies differ, because one of them is wrong; otherwise a warning.
    """
    exact: dict[bytes, int] = {}
    wrapped: dict[bytes, int] = {}
    energies = columns.energies / np.maximum(columns.sizes, 1)
    has = finite.having("energy")
    for index, own, inside in _hashes(columns, finite.sound):
        if columns.electrons:  # with another charge or spin it is another structure, see mixed_electrons
            state = state_of(columns, index).encode()
            own, inside = own + state, inside + state
        same = exact.setdefault(own, index)
        how = "the same structure"
        if same == index:
            same = wrapped.setdefault(inside, index)
            how = "the same structure but for atoms a cell vector away"
        if same == index:
            continue
        value = f"{how} as configuration {same}"
        apart = float(abs(energies[index] - energies[same])) if has[index] and has[same] else 0.0
        if apart > SAME_ENERGY:
            yield Finding(index, "error", "duplicate", f"{value}, {apart:.4g} eV/atom apart", "one energy for it")
        else:
            yield Finding(index, "warning", "duplicate", value, "each structure once")


def _hashes(columns: Columns, indices: NDArray[np.int64]) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the index of each structure, and its hashes unwrapped and wrapped."""
    for start in range(0, len(indices), TOGETHER):
        part = indices[start : start + TOGETHER]
        own = columns.take(part)
        yield from zip(part.tolist(), structure_hashes(own), structure_hashes(_canonical(own)), strict=True)


def _canonical(columns: Columns) -> Columns:
    """Return structures wrapped, and rounded to 1e-6 of a cell vector along periodic directions, else to 1e-6 Å."""
    positions, cells = columns.positions.copy(), columns.cells.copy()
    full = np.abs(np.linalg.det(cells)) >= 1e-6
    none = ~cells.any(axis=(1, 2)) & ~columns.pbc.any(axis=1)
    for group in columns.by_size(np.flatnonzero(full | none), MANY):
        atoms = columns.atoms_in(group)
        points = positions[atoms].reshape(len(group), -1, 3)
        periodic = columns.pbc[group]
        some = periodic.any(axis=1)
        inverse = np.linalg.inv(cells[group][some])
        points[some] = points[some] @ inverse
        across = np.broadcast_to(periodic[:, None], points.shape)
        points[across] %= 1.0
        points = np.round(points, 6)
        points[across] %= 1.0  # so that 0.9999999 becomes 0
        positions[atoms] = points.reshape(-1, 3)
        cells[group] = np.round(cells[group], 6)
    for index in map(int, np.flatnonzero(~(full | none))):
        own = _of_open_cell(columns[index])
        positions[columns.atoms_of(index)], cells[index] = own.positions, own.cell.array
    return columns.with_structure(positions, cells)


def _of_open_cell(frame: Atoms) -> Atoms:
    """Return a structure whose cell vectors are zero or linearly dependent, wrapped and rounded."""
    cell = frame.cell.complete()
    if abs(np.linalg.det(cell.array)) < 1e-6:
        return frame
    scaled = cell.scaled_positions(frame.positions) if frame.pbc.any() else frame.positions.copy()
    scaled[:, frame.pbc] %= 1.0
    rounded = np.round(scaled, 6)
    rounded[:, frame.pbc] %= 1.0
    return Atoms(frame.numbers, positions=rounded, cell=np.round(frame.cell.array, 6), pbc=frame.pbc)
