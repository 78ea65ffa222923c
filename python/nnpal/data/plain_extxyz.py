"""Read plain extended XYZ files quickly: ASE's reader takes a millisecond for a small frame.

Plain files are those that ASE, MACE and nnpal write: `key=value` and `key="value"` without brackets; species, positions
and other columns of numbers, words and logical values. Any other file is left to ASE's reader as a whole, so that both
readers give the same result.
"""

from __future__ import annotations

import functools
import json
import os
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TextIO

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nnpal.data.chosen import FREE_ENERGY
from nnpal.data.keys import Keys
from nnpal.geometry.electrons import COLUMNS, Electrons, electrons_of, is_lookalike
from nnpal.geometry.electrons import NAMES as STATED

TOKEN = re.compile(r"""([A-Za-z_][A-Za-z0-9_-]*)=(?:"((?:[^"\\]|\\.)+)"|([^\s"'{}\[\]\\=,]+))(?:\s+|$)""", re.ASCII)
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
ELECTRONS = frozenset(STATED)
ESCAPED = re.compile(r"\\(.)")
PLAIN_TEXT = re.compile(r"[A-Za-z_/~][^\s,]*")
NO_TEXT = {"t", "f", "true", "false", "nan", "inf", "infinity"}  # words that ASE parses as numbers and logical values
TEXTS = ("tag", "source", "config_type", "units")
THREE_BY_THREE = ("stress", "virial")  # ASE reads these only as matrices, in Fortran order
# Columns that ASE renames or converts, and names that it reserves
OTHER_COLUMNS = {"species", "symbols", "pos", "positions", "Z", "numbers", "charges", "move_mask", "energy", "stress"}
OTHER_COLUMNS |= {*STATED, *COLUMNS} | {"Lattice", "pbc", "Properties", *TEXTS}
LOGICAL = {"T": True, "F": False, "true": True, "false": False, "True": True, "False": False}
LOGICAL |= {"TRUE": True, "FALSE": False}


class NotPlainError(Exception):
    """The file is not plain, or has a fault that ASE's reader reports."""


@dataclass
class Table:
    """Numbers of one key or column: the frames that have it, and their concatenated values."""

    frames: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


@dataclass
class Parsed:
    """Parsed frames of a file.

    Attributes:
        sizes, numbers: see :class:`nnpal.data.columns.Columns`.
        positions, cells, pbc: as they stand in the file.
        held: names of possible labels, for each frame.
        labels: numbers of the requested keys and columns, by name; the rows of a table have the same length.
        electrons: charge and spin of the frames that state any, by index.
        texts: `tag`, `source`, `config_type` and `units`, for each frame.
    """

    sizes: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    positions: array[float] = field(default_factory=lambda: array("d"))
    cells: array[float] = field(default_factory=lambda: array("d"))
    pbc: array[int] = field(default_factory=lambda: array("b"))
    held: list[frozenset[str]] = field(default_factory=list)
    labels: dict[str, Table] = field(default_factory=dict)
    texts: list[tuple[str | None, ...]] = field(default_factory=list)
    electrons: dict[int, Electrons] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """Column layout of a frame.

    Attributes:
        species, positions: first column of each.
        reals, whole, logical: other columns of real numbers, of integers, and of T and F; columns of words are not
            listed.
        names: names of the other columns.
        forces: first column of each property that may be forces, by name.
        n_columns: total number of columns.
    """

    species: int
    positions: int
    reals: tuple[int, ...]
    whole: tuple[int, ...]
    logical: tuple[int, ...]
    names: frozenset[str]
    forces: Mapping[str, int]
    n_columns: int


def parse_plain(path: str | os.PathLike[str], keys: Keys) -> Parsed:
    """Read a plain file.

    Arguments:
        keys: names of labels, in addition to the usual ones with and without REF_.

    Raises:
        NotPlainError: any other file; ASE's reader reports what is wrong.
    """
    names = Names.of(keys)
    parsed = Parsed()
    shapes: dict[Any, frozenset[str]] = {}
    try:
        with open(path, encoding="utf-8") as file:
            while _frame(file, parsed, names, shapes):
                pass
    except (ValueError, KeyError, OverflowError) as error:
        raise NotPlainError from error
    if not parsed.sizes:
        raise NotPlainError
    return parsed


@dataclass(frozen=True)
class Names:
    """Keys and columns to read: energies (one number), stresses (nine or six), forces (three per atom)."""

    energy: frozenset[str]
    stress: frozenset[str]
    forces: frozenset[str]

    @classmethod
    def of(cls, keys: Keys) -> Names:
        def named(*names: str | None) -> frozenset[str]:
            return frozenset(prefix + name for name in names if name for prefix in ("", "REF_"))

        names = cls(
            named("energy", FREE_ENERGY, keys.energy), named("stress", "virial", "virials", keys.stress, keys.virial),
            named("forces", keys.forces),
        )  # fmt: skip
        every = [*names.energy, *names.stress, *names.forces]
        if len(set(every)) < len(every) or not OTHER_COLUMNS.isdisjoint(set(every) - {"energy", "stress"}):
            raise NotPlainError
        return names


def _frame(file: TextIO, parsed: Parsed, names: Names, shapes: dict[Any, frozenset[str]]) -> bool:
    """Read the next frame; return whether there was one."""
    line = file.readline()
    if not line.strip():
        if file.read().strip():
            raise NotPlainError  # text after an empty line
        return False
    size = int(line)
    if size < 1:
        raise NotPlainError
    index = len(parsed.sizes)
    pairs = _pairs(file.readline().strip())
    properties = pairs.pop("Properties", "species:S:1:pos:R:3")
    form = _form(properties, names.forces)
    cell, periodic = pairs.pop("Lattice", None), pairs.pop("pbc", None)
    parsed.cells.extend(_several(cell, 9) if cell is not None else (0.0,) * 9)
    parsed.pbc.extend(_periodic(periodic) if periodic is not None else (cell is not None,) * 3)
    for name, text in pairs.items():
        if name in names.energy:
            _put(parsed.labels, name, index, (float(text),))
        elif name in names.stress or name in THREE_BY_THREE:
            _put(parsed.labels, name, index, _tensor(name, text))
        elif name in STATED:
            if not WHOLE_NUMBER.fullmatch(text):
                raise NotPlainError
        elif text.startswith("_JSON") and name not in TEXTS:
            raise NotPlainError
    if not ELECTRONS.isdisjoint(pairs):
        parsed.electrons[index] = _electrons(tuple((name, pairs[name]) for name in pairs if name in ELECTRONS))
    shape = (properties, *pairs)
    if shape not in shapes:
        shapes[shape] = _held(form, pairs, names)
    parsed.held.append(shapes[shape])
    parsed.texts.append(tuple(_text(name, pairs[name]) if name in pairs else None for name in TEXTS))
    rows = [line.split() for line in islice(file, size)]  # stops at the end of the file
    if len(rows) < size:
        raise NotPlainError
    _rows(rows, form, parsed, index)
    parsed.sizes.append(size)
    return True


def _pairs(line: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    place = 0
    while place < len(line):
        found = TOKEN.match(line, place)
        if found is None:
            raise NotPlainError
        name, quoted, bare = found.groups()
        pairs[name] = bare if quoted is None else ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
        place = found.end()
    return pairs


def _held(form: Form, pairs: Mapping[str, str], names: Names) -> frozenset[str]:
    """Return the names of possible labels; the file is not plain if a name is reserved or is a key and a column."""
    keys = frozenset(pairs)
    if any(map(is_lookalike, keys)):
        raise NotPlainError
    if not keys.isdisjoint(COLUMNS) or not form.names.isdisjoint(keys) or not names.forces.isdisjoint(keys):
        raise NotPlainError
    if not form.names.isdisjoint(names.energy | names.stress) or names.forces & form.names != form.forces.keys():
        raise NotPlainError
    return keys | form.names


@functools.lru_cache(maxsize=256)
def _form(properties: str, forces: frozenset[str]) -> Form:
    fields = properties.split(":")
    if len(fields) % 3:
        raise NotPlainError
    places: dict[str, tuple[str, int, int]] = {}
    start = 0
    for name, kind, width in zip(fields[::3], fields[1::3], map(int, fields[2::3]), strict=True):
        if name in places or kind not in ("S", "R", "I", "L") or width < 1:
            raise NotPlainError
        places[name] = kind, start, width
        start += width
    species, positions = places.pop("species", None), places.pop("pos", None)
    if species is None or positions is None or species[::2] != ("S", 1) or positions[::2] != ("R", 3):
        raise NotPlainError
    if not OTHER_COLUMNS.isdisjoint(places) or any(map(is_lookalike, places)):
        raise NotPlainError
    columns = {kind: tuple(c for k, at, n in places.values() if k == kind for c in range(at, at + n)) for kind in "RIL"}
    return Form(
        species[1],
        positions[1],
        columns["R"],
        columns["I"],
        columns["L"],
        frozenset(places),
        {name: at for name, (kind, at, width) in places.items() if name in forces and (kind, width) == ("R", 3)},
        start,
    )


def _rows(rows: Sequence[Sequence[str]], form: Form, parsed: Parsed, index: int) -> None:
    start = form.positions
    forces = list(form.forces.values())
    unread = [column for column in form.reals if not any(at <= column < at + 3 for at in forces)]
    for row in rows:
        if len(row) != form.n_columns:
            raise NotPlainError
        parsed.numbers.append(atomic_numbers[row[form.species].capitalize()])
        parsed.positions.extend(map(float, row[start : start + 3]))
        for column in unread:
            float(row[column])
        for column in form.whole:
            if not -(2**31) <= int(row[column]) < 2**31:
                raise NotPlainError
        for column in form.logical:
            if row[column] not in ("T", "F"):
                raise NotPlainError
    for name, at in form.forces.items():
        table = parsed.labels.setdefault(name, Table())
        table.frames.append(index)
        for row in rows:
            table.values.extend(map(float, row[at : at + 3]))


def _put(labels: dict[str, Table], name: str, index: int, values: Sequence[float]) -> None:
    table = labels.setdefault(name, Table())
    table.frames.append(index)
    table.values.extend(values)


def _tensor(name: str, text: str) -> Sequence[float]:
    """Return xx yy zz yz xz xy, then zy zx yx, in the order of ASE and `to_voigt`.

    Six components are in Voigt order, unless ASE reads the key as a matrix.
    """
    if name not in THREE_BY_THREE and len(words := text.replace(",", " ").split()) == 6:
        six = tuple(map(float, words))
        return *six, *six[3:]
    xx, xy, xz, yx, yy, yz, zx, zy, zz = _several(text, 9)
    if name in THREE_BY_THREE:  # in Fortran order
        xy, yx, xz, zx, yz, zy = yx, xy, zx, xz, zy, yz
    return xx, yy, zz, yz, xz, xy, zy, zx, yx


@functools.lru_cache(maxsize=256)
def _electrons(stated: tuple[tuple[str, str], ...]) -> Electrons:
    return electrons_of(Atoms(), {name: int(text) for name, text in stated})


def _several(text: str, n: int) -> tuple[float, ...]:
    values = tuple(map(float, text.replace(",", " ").split()))
    if len(values) != n:
        raise NotPlainError
    return values


@functools.lru_cache(maxsize=64)
def _periodic(text: str) -> tuple[bool, ...]:
    values = tuple(LOGICAL[word] for word in text.split())
    if len(values) != 3:
        raise NotPlainError
    return values


def _text(name: str, text: str) -> str:
    """Return a text as ASE would store it in ``atoms.info``."""
    if not text.startswith("_JSON") and any(map(_is_no_value, re.findall(r"[^\s,]+", text))):
        return text
    if text.startswith("_JSON "):
        value = json.loads(text.removeprefix("_JSON "))
        if isinstance(value, str):
            return value
    return _as_ase_reads(name, text)


def _is_no_value(word: str) -> bool:
    """Return whether ASE reads a word, and so the value that contains it, as text."""
    return PLAIN_TEXT.fullmatch(word) is not None and word.lower() not in NO_TEXT


@functools.lru_cache(maxsize=1024)
def _as_ase_reads(name: str, text: str) -> str:
    from ase.io.extxyz import key_val_str_to_dict  # imports SciPy: 1 s and 50 MB

    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return str(key_val_str_to_dict(f'{name}="{escaped}"')[name])


def numbers_in(values: array[float], *shape: int) -> NDArray[np.float64]:
    """Return a NumPy view of an array's numbers."""
    return np.frombuffer(values, dtype=np.float64).reshape(-1, *shape)
