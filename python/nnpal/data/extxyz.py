"""Read and write extended XYZ files, compatible with ASE, MACE and other programs."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase import Atoms

from nnpal.data import how_to_give
from nnpal.data.chosen import choose, converted
from nnpal.data.columns import require_several
from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding
from nnpal.data.keys import ANY_KEYS, Keys
from nnpal.data.labels import labels_of
from nnpal.data.opened import opened
from nnpal.data.stresses import mixed_stresses, stated_stresses
from nnpal.data.units import Units
from nnpal.geometry.electrons import COLUMNS, electrons_of
from nnpal.runtime.files import aside

UNITS_KEY = "units"
PROPERTIES = re.compile(r"""(?:^|\s)Properties=["']?([^\s"']+)""")
_OF_BROKEN_FILES = (ValueError, IndexError, TypeError, StopIteration, RuntimeError)
_OF_DAMAGED_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)


def read_extxyz(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    keys: Keys = ANY_KEYS,
    labeled: bool | None = True,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Read an extended XYZ file; labels come from :class:`Keys`, else REF_ keys if any frame has one, else plain keys.

    Arguments:
        units: units of the file; None reads them from the key `units` of its frames.
        labeled: True requires energy and forces in every frame, None reads the labels present, False none.
        faults: see :func:`nnpal.data.read_frames`.

    Raises:
        DatasetError: a file that cannot be parsed, a frame without a required key, or units that are unknown or
            contradict the file's.
    """
    frames = _parsed(path)
    names = choose(path, [_held(frame) for frame in frames], keys, labeled, sizes=[len(f) for f in frames])
    if faults is not None:
        faults += mixed_stresses(stated_stresses(map(_held, frames), names))
    result = []
    for index, frame in enumerate(frames):
        own = units_of(path, index, frame, units)
        result.append(_in_ev_and_angstrom(path, index, frame, names, own, keys, faults))
    return result


def write_extxyz(path: str | os.PathLike[str], frames: Sequence[Atoms]) -> None:
    """Write configurations atomically and without loss of digits: REF_energy, REF_forces, REF_stress, charge and
    multiplicity, initial charges and moments, tag, source, units.

    Arguments:
        path: file, .xyz or .extxyz.
        frames: configurations, with or without labels; eV, Å.

    Raises:
        ValueError: no configuration, or one that has changed since it was labeled.
    """
    path = Path(path)
    require_several(frames)
    if not frames:
        raise ValueError(f"{path}: no configurations to write")
    with aside(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for index, frame in enumerate(frames):
            file.writelines(line + "\n" for line in _lines(frame, f"{path}: configuration {index}"))


def units_of(path: object, index: int, frame: Atoms, given: Units | None) -> Units:
    """Return the units of a frame: from its key `units` or as given; if both, they must agree."""
    text = frame.info.get(UNITS_KEY)
    try:
        stated = None if text is None else Units.parse(str(text))
    except ValueError as error:
        raise DatasetError(f"{path}: frame {index}: {error}") from error
    if stated and given and stated != given:
        raise DatasetError(f"{path}: frame {index} states units {stated}, but {given} were given; give none or these")
    units = given or stated
    if units is None:
        raise DatasetError(
            f"{path}: frame {index} does not state its units; "
            f"{how_to_give.units(path, 'eV', 'Å')}; ASE and MACE write eV and Å"
        )
    return units


def _parsed(path: str | os.PathLike[str]) -> list[Atoms]:
    from ase.io.extxyz import XYZError, read_xyz  # imports SciPy: 1 s and 50 MB that plain files do not need

    frames: list[Atoms] = []
    try:
        with opened(path) as file:
            _require_whole(path, file)
            file.seek(0)
            for frame in read_xyz(file, index=slice(None)):
                frames.append(frame)
            file.seek(0)
            n_lines = sum(1 for line in file if line.strip() or line == "\n")
            file.seek(0)
            n_blank_at_end = _blank_at_end(file)
    except (FileNotFoundError, DatasetError):
        raise
    except KeyError as error:  # from ASE's table of elements
        raise DatasetError(
            f"{path}: frame {len(frames)}: {error.args[0]!r} is not a chemical element; expected chemical symbols, "
            "such as Al. Replace the name in the file"
        ) from error
    except _OF_DAMAGED_GZIP as error:
        raise DatasetError(f"{path}: damaged, or not compressed by gzip: {error}; copy or compress it again") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not text in UTF-8: {error.reason}; damaged, or of another format") from error
    except (XYZError, *_OF_BROKEN_FILES) as error:
        reason = str(error).removeprefix("ase.io.extxyz: ").strip() or type(error).__name__
        raise DatasetError(f"{path}: frame {len(frames)} is not valid extended XYZ: {reason}") from error
    if not frames:
        raise DatasetError(f"{path}: holds no frame")
    # ASE stops silently at an empty line between frames
    used = sum(len(frame) + 2 for frame in frames)
    if n_lines - n_blank_at_end > used:
        raise DatasetError(
            f"{path}: there is more text after line {used}, where an empty line ends frame {len(frames) - 1}"
        )
    return frames


def _require_whole(path: object, file: TextIO) -> None:
    """Refuse numbers of atoms and columns that exceed the file, which ASE's reader reports unclearly or takes hours to
    read."""
    n_of_file = sum(1 for _ in file)
    file.seek(0)
    frame, n_lines = 0, 0
    while (line := file.readline()).strip():
        what = f"{path}: frame {frame} is not valid extended XYZ: line {n_lines + 1}"
        try:
            n_atoms = int(line)
        except ValueError:
            n_atoms = -1
        if n_atoms < 0:
            raise DatasetError(f"{what} is {line.strip()[:60]!r}, expected the frame's number of atoms")
        if (n_rows := max(n_of_file - n_lines - 2, 0)) < n_atoms:
            raise DatasetError(f"{what} says {n_atoms} atoms, but {n_rows} lines of atoms follow")
        n_columns = _n_columns(f"{path}: frame {frame} is not valid extended XYZ: line {n_lines + 2}", file.readline())
        for number in range(n_lines + 3, n_lines + 3 + n_atoms):
            row = file.readline()
            if (n_words := len(row.split())) < n_columns:
                raise DatasetError(
                    f"{path}: frame {frame} is not valid extended XYZ: line {number} has {n_words} words, expected "
                    f"{n_columns}, as many as Properties has columns: {row.strip()[:60]!r}"
                )
        n_lines += n_atoms + 2
        frame += 1


def _n_columns(what: str, header: str) -> int:
    """Return the number of columns that a frame's Properties define; 0 if they cannot be parsed."""
    found = PROPERTIES.search(header)
    widths = (found.group(1) if found else "species:S:1:pos:R:3").split(":")[2::3]
    if any(re.fullmatch(r"[-+]?[0-9]+", width) and int(width) < 1 for width in widths):
        raise DatasetError(f"{what}: Properties={found and found.group(1)}, expected 1 column at least for each name")
    return sum(int(width) for width in widths) if all(width.isdigit() for width in widths) else 0


def _blank_at_end(lines: Iterator[str]) -> int:
    count = 0
    for line in lines:
        count = 0 if line.strip() else count + 1
    return count


def _held(frame: Atoms) -> dict[str, Any]:
    """Return all possible labels by their names in the file; ASE moves plain keys into a calculator."""
    results = frame.calc.results if frame.calc is not None else {}
    arrays = {k: v for k, v in frame.arrays.items() if k not in ("numbers", "positions")}
    return {**frame.info, **arrays, **results}


def _in_ev_and_angstrom(
    path: object,
    index: int,
    frame: Atoms,
    names: Mapping[str, Sequence[str]],
    units: Units,
    keys: Keys,
    faults: list[Finding] | None,
) -> Atoms:
    what = f"{path}: frame {index}"
    atoms = converted(what, index, frame, _held(frame), names, units, keys, faults=faults)
    for name in ("tag", "source"):
        if name in frame.info:
            atoms.info[name] = str(frame.info[name])
    if "tag" not in atoms.info and "config_type" in frame.info:
        atoms.info["tag"] = str(frame.info["config_type"])
    return atoms


def _lines(frame: Atoms, what: str) -> Iterator[str]:
    labels = labels_of(frame, what)
    columns = [frame.positions]
    properties = "species:S:1:pos:R:3"
    if "forces" in labels:
        columns.append(labels["forces"])
        properties += ":REF_forces:R:3"
    stated = electrons_of(frame, what=what)
    for name, column in zip(COLUMNS, (stated.charges, stated.moments), strict=True):
        if column is not None:
            columns.append(column.reshape(len(frame), -1))
            properties += f":{name}:R:{columns[-1].shape[1]}"
    header = []
    if frame.cell.array.any():
        header.append(f'Lattice="{_numbers(frame.cell.array.ravel())}"')
    header.append(f"Properties={properties}")
    if "energy" in labels:
        header.append(f"REF_energy={labels['energy']!r}")
    if "stress" in labels:
        xx, yy, zz, yz, xz, xy = labels["stress"]
        header.append(f'REF_stress="{_numbers([xx, xy, xz, xy, yy, yz, xz, yz, zz])}"')
    for name, number in (("charge", stated.charge), ("multiplicity", stated.multiplicity)):
        if number is not None:
            header.append(f"{name}={number}")
    header.extend(f"{name}={_text(frame.info[name])}" for name in ("tag", "source") if name in frame.info)
    header.append(f'{UNITS_KEY}="eV Å"')
    header.append('pbc="' + " ".join("T" if periodic else "F" for periodic in frame.pbc) + '"')
    yield str(len(frame))
    yield " ".join(header)
    for symbol, row in zip(frame.get_chemical_symbols(), np.hstack(columns), strict=True):
        yield f"{symbol} {_numbers(row)}"


def _numbers(values: Any) -> str:
    return " ".join(repr(float(value)) for value in values)


def _text(value: object) -> str:
    """Write a string so that ASE reads the same string, not a number or a logical value."""
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z_][\w./:#+-]*", text, re.ASCII)
    if plain and text.lower() not in ("t", "f", "true", "false", "nan", "inf", "infinity"):
        return text
    quoted = ("_JSON " + json.dumps(text)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
