"""LAMMPS text dumps.

ASE's reader is not used: it reads a truncated snapshot as a smaller one, and sets an energy of 0.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from ase import Atoms

from nnpal.data import how_to_give
from nnpal.data.chosen import choose, converted
from nnpal.data.elements import number_of, numbers_of_types, renaming
from nnpal.data.error import DatasetError
from nnpal.data.keys import Keys
from nnpal.data.lammps_data import CHARGES_LEFT_OUT
from nnpal.data.opened import opened
from nnpal.data.units import Units
from nnpal.geometry.lammps_box import box_of_bounds
from nnpal.runtime.caution import caution

# Coordinates in order of preference, wrapped ones first; whether they are scaled
SCALED = {"x": False, "xs": True, "xu": False, "xsu": True}


@dataclass
class _Snapshot:
    step: int
    cell: np.ndarray  # [3, 3], rows a, b, c
    origin: np.ndarray  # [3]
    pbc: list[bool]
    columns: dict[str, np.ndarray]  # of str, sorted by id


def read_dump(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    symbols: Sequence[str] | None,
    keys: Keys,
    labeled: bool | None,
) -> list[Atoms]:
    """Read all snapshots: atoms sorted by ID, positions as in the dump, box and periodicity.

    Charges (q) are ignored with a warning.

    The energy is the sum of a column of per-atom energies (`compute pe/atom`), named by keys.energy; a dump has no
    other energies. Forces are fx fy fz, or the three columns in keys.forces.

    Arguments:
        units: units of the dump; needed unless it states them (`dump_modify ID units yes`).
        symbols: elements of types 1, 2, ...; or OLD=NEW for names in the column `element` or `typelabel` that are not
            elements. By default the elements are those of this column.

    Raises:
        DatasetError: no units, elements or coordinates, or a truncated or corrupted dump.
    """
    stated, snapshots = _parsed(path)
    units = units_of(path, stated, units)
    rows = [_frame(f"{path}: frame {i} (step {s.step})", s, symbols, keys) for i, s in enumerate(snapshots)]
    held = [held for _, held in rows]
    if any("q" in s.columns and _numbers(str(path), s.columns, ["q"]).any() for s in snapshots):
        caution(f"{path}: {CHARGES_LEFT_OUT}")
    names = labels_in(path, held, keys, labeled, [len(atoms) for atoms, _ in rows])
    return [converted(f"{path}: frame {i}", i, atoms, own, names, units, keys) for i, (atoms, own) in enumerate(rows)]


def labels_in(
    path: object, held: Sequence[Collection[str]], keys: Keys, labeled: bool | None, sizes: Sequence[int]
) -> dict[str, tuple[str, ...]]:
    """Return the names of energy and forces in a dump, see :func:`nnpal.data.chosen.choose`.

    Raises:
        DatasetError: labels are required, and there are none.
    """
    if labeled and keys.energy is None:
        raise DatasetError(
            f"{path}: a dump contains no energies; name a column of per-atom energies (keys.energy, nnpal data convert "
            f"--energy-key), or {how_to_give.STRUCTURES} and label them"
        )
    return choose(path, held, keys, labeled, sizes=sizes)


def units_of(path: object, stated: str | None, given: Units | None) -> Units:
    """Return the units of a dump: those that it states, or those given; if both, they must agree.

    Raises:
        DatasetError: neither, or both and they differ.
    """
    try:
        own = None if stated is None else Units.lammps(stated)
    except ValueError as error:
        if given is None:
            raise DatasetError(f"{path}: {error}; give units") from error
        own = None
    if own and given and (own.energy, own.length, own.force) != (given.energy, given.length, given.force):
        raise DatasetError(f"{path}: states units {stated}, but {given} were given; give none or these")
    units = given or own
    if units is None:
        raise DatasetError(f"{path}: does not state its units; {how_to_give.unit_style(path)}")
    return units


def _parsed(path: str | os.PathLike[str]) -> tuple[str | None, list[_Snapshot]]:
    """Return the unit style that the dump states, and its snapshots."""
    stated: str | None = None
    snapshots: list[_Snapshot] = []
    items: dict[str, Any] = {}
    try:
        with opened(path) as file:
            for line in file:
                if not line.strip():
                    continue
                name, rest = item(line)
                if name == "UNITS":
                    stated = next_line(file).strip()
                elif name in ("TIMESTEP", "NUMBER OF ATOMS"):
                    items[name] = int(next_line(file))
                elif name == "BOX BOUNDS":
                    items[name] = box_of_bounds(rest, [[float(x) for x in next_line(file).split()] for _ in range(3)])
                elif name == "ATOMS":
                    columns = _columns(rest, [next_line(file).split() for _ in range(items["NUMBER OF ATOMS"])])
                    cell, origin, pbc = items["BOX BOUNDS"]
                    snapshots.append(_Snapshot(items["TIMESTEP"], cell, origin, pbc, columns))
                    items = {}
                else:
                    next_line(file)  # TIME and other items of one line
    except (ValueError, KeyError, IndexError, EOFError, OSError, zlib.error) as error:
        reason = f"no ITEM: {error.args[0]}" if isinstance(error, KeyError) else error
        raise DatasetError(f"{path}: frame {len(snapshots)} is damaged or not a LAMMPS text dump: {reason}") from error
    if items or not snapshots:
        raise DatasetError(f"{path}: frame {len(snapshots)} is truncated; remove its lines")
    return stated, snapshots


def item(line: str) -> tuple[str, list[str]]:
    """Split `ITEM: NAME words` into name, in capitals, and words."""
    if not line.startswith("ITEM: "):
        raise ValueError(f"found {line.strip()[:40]!r}, expected a line that starts with ITEM:")
    words = line.split()[1:]
    n = next((i for i, word in enumerate(words) if not word.isupper()), len(words))
    return " ".join(words[:n]), words[n:]


def next_line(file: Iterator[str] | TextIO) -> str:
    """Return the next line.

    Raises:
        ValueError: the file ends here.
    """
    line = next(iter(file), None)
    if line is None:
        raise ValueError("the file ends within it, as when LAMMPS was stopped; remove its lines")
    return line


def _columns(names: Sequence[str], rows: list[list[str]]) -> dict[str, np.ndarray]:
    """Return columns by name, sorted by atom ID if there are IDs."""
    wrong = [i for i, row in enumerate(rows) if len(row) != len(names)]
    if wrong:
        raise ValueError(f"its atom line {wrong[0] + 1} has {len(rows[wrong[0]])} words, expected {len(names)}")
    table = np.array(rows, dtype=object).reshape(len(rows), len(names))
    if "id" in names:
        ids = table[:, names.index("id")].astype(np.int64)
        if len(set(ids.tolist())) != len(ids):
            raise ValueError("an atom ID occurs twice")
        table = table[np.argsort(ids)]
    return {name: table[:, i] for i, name in enumerate(names)}


def _frame(what: str, snapshot: _Snapshot, symbols: Sequence[str] | None, keys: Keys) -> tuple[Atoms, dict[str, Any]]:
    """Return the structure, and the forces and per-atom energies of the snapshot."""
    columns = snapshot.columns
    first = next((name for name in SCALED if name in columns), None)
    if first is None:
        raise DatasetError(
            f"{what}: has columns {', '.join(columns)}, expected x y z, xs ys zs, xu yu zu or xsu ysu zsu"
        )
    positions = _numbers(what, columns, [first.replace("x", axis, 1) for axis in "xyz"])
    if SCALED[first]:
        positions = positions @ snapshot.cell + snapshot.origin
    numbers = _elements(what, columns, symbols)
    atoms = Atoms(numbers, positions=positions, cell=snapshot.cell, pbc=snapshot.pbc)
    held: dict[str, Any] = {}
    forces = (keys.forces or "fx fy fz").split()
    if all(name in columns for name in forces):
        held[keys.forces or "forces"] = _numbers(what, columns, forces)
    if keys.energy in columns:
        held[str(keys.energy)] = _numbers(what, columns, [str(keys.energy)]).sum()
    return atoms, held


def _numbers(what: str, columns: dict[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    try:
        return np.stack([columns[name].astype(float) for name in names], axis=1)
    except KeyError as error:
        raise DatasetError(f"{what}: has columns {', '.join(columns)}, but not {error.args[0]}") from error
    except ValueError as error:
        raise DatasetError(f"{what}: {error}") from error


def _elements(what: str, columns: dict[str, np.ndarray], symbols: Sequence[str] | None) -> np.ndarray:
    by_type = symbols is not None and not any("=" in symbol for symbol in symbols)
    if by_type and symbols is not None:
        if "type" not in columns:
            raise DatasetError(
                f"{what}: has no column `type`, so that symbols {list(symbols)} say nothing; where it "
                "has `element` or `typelabel`, give OLD=NEW for a wrong name, e.g. hc=H"
            )
        try:
            types = columns["type"].astype(int)
        except ValueError as error:
            raise DatasetError(f"{what}: column `type`: {error}; expected numbers of atom types") from error
        return numbers_of_types(what, types, symbols)
    column = _column_of_elements(what, columns)
    names, pairs = columns[column], renaming(what, symbols)
    is_label = column == "typelabel"
    hint = f"; name the element of this label, e.g. {how_to_give.symbols(('hc=H',))}" if is_label else ""
    known = {name: number_of(pairs.get(name, name), what, hint) for name in set(names)}
    return np.array([known[name] for name in names])


def _column_of_elements(what: str, columns: dict[str, np.ndarray]) -> str:
    """Return `element`, or `typelabel` if that column is missing or has only LAMMPS's default, C."""
    if "element" not in columns and "typelabel" not in columns:
        raise DatasetError(
            f"{what}: has no column `element`; give symbols, one for each atom type, e.g. "
            f"{how_to_give.symbols(('Ni', 'Al'))}, or dump a column `element` or `typelabel`"
        )
    if "element" not in columns or ("typelabel" in columns and set(columns["element"]) == {"C"}):
        return "typelabel"
    if "type" in columns and len(set(columns["type"])) > 1 and set(columns["element"]) == {"C"}:
        raise DatasetError(
            f"{what}: all types have element C, which is what LAMMPS writes without dump_modify element; give symbols, "
            "one for each type"
        )
    return "element"
