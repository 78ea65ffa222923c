"""Read LAMMPS text dumps of many snapshots quickly: into few arrays, not into one `ase.Atoms` per snapshot.

A dump with a fault, or with columns that change, is left to :func:`nnpal.data.lammps_dump.read_dump`, whose messages
name the snapshot; both readers give the same result.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise
from operator import itemgetter
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from nnpal.data.elements import number_of, renaming
from nnpal.data.keys import Keys
from nnpal.data.lammps_dump import SCALED, item, next_line
from nnpal.data.opened import opened
from nnpal.data.plain_extxyz import NotPlainError, numbers_in
from nnpal.geometry.electrons import COLUMNS, NAMES, is_lookalike
from nnpal.geometry.lammps_box import box_of_bounds

TOGETHER = 4096
"""Number of atom lines that are split at once."""


@dataclass
class Parsed:
    """Parsed snapshots of a dump.

    Attributes:
        units: unit style that the dump states.
        names: columns of all snapshots.
        sizes: numbers of atoms of the snapshots.
        ids, numbers: IDs and atomic numbers of all atoms; no IDs without a column `id`.
        reals: coordinates, forces, energy and charge of all atoms, if present, in the order of ``Wanted.reals``.
        cells, origins, pbc: cell vectors, origins and periodicity of the boxes.
    """

    units: str | None = None
    names: tuple[str, ...] = ()
    sizes: array[int] = field(default_factory=lambda: array("q"))
    ids: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    reals: array[float] = field(default_factory=lambda: array("d"))
    cells: array[float] = field(default_factory=lambda: array("d"))
    origins: array[float] = field(default_factory=lambda: array("d"))
    pbc: array[int] = field(default_factory=lambda: array("b"))


@dataclass(frozen=True)
class Snapshots:
    """All atoms of a dump, in the order of their IDs within each snapshot, in the file's units.

    Attributes:
        units: unit style that the dump states.
        held: names of the forces and energy that the dump has.
        forces: forces, [n_atoms, 3], or None.
        energies: sums of the per-atom energies, [n], or None.
        has_charges: whether any atom has a charge.
    """

    units: str | None
    held: frozenset[str]
    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    cells: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    forces: NDArray[np.float64] | None
    energies: NDArray[np.float64] | None
    has_charges: bool


@dataclass(frozen=True)
class Wanted:
    """Indices of the columns to read.

    Attributes:
        id: column of the ID; None if there is none.
        element: column from which elements are read.
        by_type: whether that column is the type, for which symbols are given.
        type: column of the type, to detect LAMMPS's default element C; None if not needed.
        reals: columns of numbers: three coordinates, then forces, energy and charge.
        forces, energy, charge: positions in ``reals``.
        scaled: whether coordinates are scaled by the cell vectors.
    """

    id: int | None
    element: int
    by_type: bool
    type: int | None
    reals: tuple[int, ...]
    forces: slice | None
    energy: int | None
    charge: int | None
    scaled: bool

    @classmethod
    def of(cls, names: Sequence[str], symbols: Sequence[str] | None, keys: Keys) -> Wanted:
        first = next((name for name in SCALED if name in names), None)
        by_type = symbols is not None and not any("=" in symbol for symbol in symbols)
        tells = ["type"] if by_type else [name for name in ("element", "typelabel") if name in names]
        if first is None or len(tells) != 1 or len(set(names)) < len(names):
            raise NotPlainError
        wanted = [first.replace("x", axis, 1) for axis in "xyz"]
        forces: slice | None = None
        if len(components := (keys.forces or "fx fy fz").split()) != 3:
            raise NotPlainError
        if set(components) <= set(names):
            forces = slice(len(wanted), len(wanted) + 3)
            wanted += components
        places: dict[str, int] = {}
        for name in (keys.energy, "q"):
            if name is not None and name in names:
                places[name] = len(wanted)
                wanted.append(name)
        return cls(
            names.index("id") if "id" in names else None,
            names.index(tells[0]),
            by_type,
            names.index("type") if tells == ["element"] and "type" in names else None,
            tuple(names.index(name) for name in wanted),
            forces,
            places.get(keys.energy or ""),
            places.get("q"),
            SCALED[first],
        )


def parse_dump(path: str | os.PathLike[str], symbols: Sequence[str] | None, keys: Keys) -> Snapshots:
    """Read a dump whose snapshots all have the same columns.

    Arguments:
        symbols, keys: see :func:`nnpal.data.lammps_dump.read_dump`.

    Raises:
        NotPlainError: any other file; the other reader reports what is wrong.
    """
    labels = {keys.energy, keys.forces} - {None}
    if any(name in (*NAMES, *COLUMNS, "q") or is_lookalike(str(name)) for name in labels):
        raise NotPlainError
    parsed = Parsed()
    try:
        with opened(path) as file:
            wanted = _snapshots(file, parsed, symbols, keys)
        return _in_order(parsed, wanted, keys)
    except (ValueError, KeyError, IndexError, OverflowError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise NotPlainError from error


def _snapshots(file: TextIO, parsed: Parsed, symbols: Sequence[str] | None, keys: Keys) -> Wanted:
    wanted: Wanted | None = None
    elements = _Elements(symbols)
    items: dict[str, Any] = {}
    boxes = cache(_box)
    while line := file.readline():
        if not line.strip():
            continue
        name, rest = item(line)
        if name == "UNITS":
            parsed.units = next_line(file).strip()
        elif name in ("TIMESTEP", "NUMBER OF ATOMS"):
            items[name] = int(next_line(file))
        elif name == "BOX BOUNDS":
            if boxes.cache_info().currsize > 1000:
                boxes.cache_clear()
            items[name] = boxes(tuple(rest), next_line(file), next_line(file), next_line(file))
        elif name == "ATOMS":
            if wanted is None:
                parsed.names = tuple(rest)
                wanted = Wanted.of(parsed.names, symbols, keys)
            if tuple(rest) != parsed.names or "TIMESTEP" not in items:
                raise NotPlainError
            _atoms(file, items["NUMBER OF ATOMS"], parsed, wanted, elements)
            cell, origin, pbc = items["BOX BOUNDS"]
            parsed.cells.extend(cell)
            parsed.origins.extend(origin)
            parsed.pbc.extend(pbc)
            items = {}
        else:
            next_line(file)
    if items or wanted is None:
        raise NotPlainError
    return wanted


def _box(words: tuple[str, ...], *lines: str) -> tuple[tuple[float, ...], tuple[float, ...], tuple[bool, ...]]:
    cell, origin, pbc = box_of_bounds(words, [[float(word) for word in line.split()] for line in lines])
    return tuple(cell.ravel().tolist()), tuple(origin.tolist()), tuple(pbc)


class _Elements(dict[str, int]):
    """Atomic numbers of element or type words, looked up on first use."""

    def __init__(self, symbols: Sequence[str] | None) -> None:
        self.by_type = symbols is not None and not any("=" in symbol for symbol in symbols)
        if self.by_type and symbols is not None:
            self.numbers = [number_of(symbol, "symbols") for symbol in symbols]
            self.pairs: dict[str, str] = {}
        else:
            self.pairs = renaming("symbols", symbols)

    def __missing__(self, word: str) -> int:
        if self.by_type:
            if not 1 <= int(word) <= len(self.numbers):
                raise NotPlainError
            number = self.numbers[int(word) - 1]
        else:
            number = number_of(self.pairs.get(word, word), "element")
        self[word] = number
        return number


def _atoms(file: TextIO, n_atoms: int, parsed: Parsed, wanted: Wanted, elements: _Elements) -> None:
    """Read the lines of a snapshot's atoms."""
    if n_atoms < 1:
        raise NotPlainError
    parsed.sizes.append(n_atoms)
    n_columns, reals, left = len(parsed.names), itemgetter(*wanted.reals), n_atoms
    names: set[str] = set()
    types: set[str] = set()
    while left:
        rows = [line.split() for line in islice(file, min(left, TOGETHER))]
        if not rows:
            raise NotPlainError
        left -= len(rows)
        for row in rows:
            if len(row) != n_columns:
                raise NotPlainError
            parsed.reals.extend(map(float, reals(row)))
            parsed.numbers.append(elements[row[wanted.element]])
        if wanted.id is not None:
            parsed.ids.extend([int(row[wanted.id]) for row in rows])
        if wanted.type is not None:
            names.update(row[wanted.element] for row in rows)
            types.update(row[wanted.type] for row in rows)
    if names == {"C"} and len(types) > 1:
        raise NotPlainError  # LAMMPS's default, not an element


def _in_order(parsed: Parsed, wanted: Wanted, keys: Keys) -> Snapshots:
    sizes = np.frombuffer(parsed.sizes, dtype=np.int64)
    numbers = np.frombuffer(parsed.numbers, dtype=np.int64)
    reals = numbers_in(parsed.reals, len(wanted.reals))
    if wanted.id is not None:
        ids, owners = np.frombuffer(parsed.ids, dtype=np.int64), np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((ids, owners))
        if np.any((np.diff(ids[order]) == 0) & (np.diff(owners) == 0)):
            raise NotPlainError  # duplicate ID
        if np.any(np.diff(order) != 1):
            numbers, reals = numbers[order], reals[order]
    bounds = [0, *np.cumsum(sizes).tolist()]
    positions, cells = np.ascontiguousarray(reals[:, :3]), numbers_in(parsed.cells, 3, 3)
    if wanted.scaled:
        origins = numbers_in(parsed.origins, 3)
        for i, (start, end) in enumerate(pairwise(bounds)):
            positions[start:end] = positions[start:end] @ cells[i] + origins[i]
    held: set[str] = set()
    forces = energies = None
    if wanted.forces is not None:
        forces = np.ascontiguousarray(reals[:, wanted.forces])
        held.add(keys.forces or "forces")
    if wanted.energy is not None:
        own = np.ascontiguousarray(reals[:, wanted.energy])
        energies = np.array([own[start:end].sum() for start, end in pairwise(bounds)])
        held.add(str(keys.energy))
    return Snapshots(
        parsed.units,
        frozenset(held),
        sizes,
        numbers,
        positions,
        cells,
        np.array(parsed.pbc, dtype=bool).reshape(-1, 3),
        forces,
        energies,
        wanted.charge is not None and bool(reals[:, wanted.charge].any()),
    )
