"""Read structures and labels from any format that nnpal supports."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ase import Atoms

from nnpal.data import how_to_give
from nnpal.data.ase_database import read_database
from nnpal.data.ase_files import BY_CONTENTS, format_by_contents, is_ase_format, read_ase_file
from nnpal.data.columns import Columns
from nnpal.data.cp2k_files import NAME as CP2K
from nnpal.data.cp2k_files import is_cp2k, read_cp2k
from nnpal.data.dataset_file import is_dataset, read_dataset_columns
from nnpal.data.deepmd_npy import NAME as DEEPMD
from nnpal.data.deepmd_npy import read_deepmd, systems_of
from nnpal.data.dump_columns import read_dump_columns
from nnpal.data.elements import rename
from nnpal.data.error import DatasetError
from nnpal.data.extxyz import read_extxyz
from nnpal.data.finding import Finding, report
from nnpal.data.foreign_hdf5 import read_foreign_hdf5
from nnpal.data.keys import Keys, require_everywhere
from nnpal.data.labels import labels_of, with_zero_forces
from nnpal.data.lammps_data import read_data
from nnpal.data.lammps_dump import read_dump
from nnpal.data.plain_columns import read_plain
from nnpal.data.plain_extxyz import NotPlainError
from nnpal.data.stresses import no_stress
from nnpal.data.units import OURS, Units
from nnpal.geometry.electrons import check_parity
from nnpal.runtime.spelling import did_you_mean

SUFFIXES = {
    ".h5": "hdf5", ".hdf5": "hdf5", ".xyz": "extxyz", ".extxyz": "extxyz", ".db": "ase-db", ".json": "ase-db",
    ".dump": "lammps-dump", ".lammpstrj": "lammps-dump", ".data": "lammps-data", ".traj": "traj",
}  # fmt: skip
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
GZIPPED = ("lammps-dump", "extxyz")  # formats that may be gzipped
FORMATS = ("hdf5", "extxyz", "ase-db", "lammps-dump", "lammps-data", DEEPMD, CP2K, BY_CONTENTS)


def read_frames(
    path: str | os.PathLike[str],
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    labeled: bool | None = True,
    tag: str | None = None,
    keys: Keys | None = None,
    format: str | None = None,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Return the configurations of a file, in eV and Å, with labels as a SinglePointCalculator.

    Each has `info["tag"]` (the argument, from the file, or the file's name without suffix) and `info["source"]` (from
    the file, or PATH:INDEX).

    Arguments:
        path: file, or folder with systems of deepmd/npy.
        units: units of the file; required if it does not state them.
        symbols: an element for each LAMMPS type, or OLD=NEW if the file's symbols are not the elements.
        labeled: True requires energy and forces of every configuration (a single atom with an energy gets zero forces);
            False reads structures only; None reads the labels present.
        tag: name of the group that all its configurations belong to.
        keys: names of the labels, if they are not the usual ones of the format.
        format: one of ``FORMATS``, or ASE's name such as ``vasp-xml``; by default from the suffix or the contents.
        faults: list to which faults are appended: stresses that contradict virials of the same frame, and virials that
            the cell does not allow, which are then left out, so that :func:`nnpal.data.check_frames` can check all
            frames; and a warning if some frames have a stress and others a virial. None raises an error at the first
            fault, or at a stress that the cell does not allow.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: something is missing, corrupted, or would have to be guessed.
        TypeError: units or keys of another type.

    Example:
        >>> from nnpal import read_frames
        >>> frames = read_frames("labeled.h5")
        >>> len(frames), frames[0].get_forces().shape
        (4, (16, 3))
    """
    for name, value, kind in (("units", units, Units), ("keys", keys, Keys)):
        if not isinstance(value, kind | None):
            example = "Units('eV', 'Å')" if kind is Units else "Keys(energy='dft_energy')"
            raise TypeError(f"{name} = {value!r}, expected {kind.__name__}, e.g. {example} of nnpal.data")
    given: dict[str, Any] = {
        "units": units,
        "symbols": symbols,
        "labeled": labeled,
        "tag": tag,
        "keys": keys,
        "format": format,
    }
    columns = _quickly(path, **given, faults=faults)
    return _slowly(path, **given, faults=faults) if columns is None else list(columns)


def read_columns(path: str | os.PathLike[str], *, faults: list[Finding] | None = None, **given: Any) -> Columns:
    """Return the configurations of a file as :class:`Columns`, for files of many configurations.

    Arguments:
        faults, given: see :func:`read_frames`.
    """
    columns = _quickly(path, **given, faults=faults)
    return Columns.of(_slowly(path, **given, faults=faults)) if columns is None else columns


def _quickly(
    path: str | os.PathLike[str],
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    labeled: bool | None = True,
    tag: str | None = None,
    keys: Keys | None = None,
    format: str | None = None,
    faults: list[Finding] | None = None,
) -> Columns | None:
    """Read a whole file at once; return None if it has to be read frame by frame, if only for an error message."""
    require_readable(Path(path))
    kind, keys = format or format_of(Path(path)), keys or Keys()
    if symbols is not None and kind != "lammps-dump":
        return None
    try:
        if kind == "hdf5" and is_dataset(path):
            columns = _dataset(path, units, keys)
        elif kind == "extxyz" and Path(path).suffix not in COMPRESSED:
            columns = read_plain(path, units=units, keys=keys, labeled=labeled, faults=faults)
        elif kind == "lammps-dump":
            columns = read_dump_columns(path, units=units, symbols=symbols, keys=keys, labeled=labeled)
        else:
            return None
    except NotPlainError:
        return None
    n = len(columns)
    if labeled is False:
        columns = columns.without(*columns.has)
    elif faults is None and len(indices := columns.impossible_stresses()):
        _require_possible_stress(f"{path}: frame {indices[0]}", int(indices[0]), columns[int(indices[0])])
    if labeled:
        columns = columns.with_zero_forces()
        if not (columns.has["energy"].all() and columns.has["forces"].all()):
            held = [set(columns.labels(index)) for index in range(n)]
            for name in ("energy", "forces"):
                require_everywhere(path, name, columns.has[name].tolist(), held)
    for index in columns.electrons:
        _require_parity(f"{path}: frame {index}", columns[index])
    stem = Path(path).stem
    tags = [stem if own is None else own for own in columns.tags] if tag is None else [tag] * n
    sources = [f"{path}:{index}" if own is None else own for index, own in enumerate(columns.sources)]
    return replace(columns, tags=tags, sources=sources)


def _dataset(path: str | os.PathLike[str], units: Units | None, keys: Keys) -> Columns:
    if units not in (None, OURS):
        raise DatasetError(f"{path}: is in {OURS} by its own record, but {units} were given")
    columns = read_dataset_columns(path).frames
    return columns.without("stress") if keys.stress == "" else columns


def _slowly(
    path: str | os.PathLike[str],
    *,
    units: Units | None = None,
    symbols: Sequence[str] | None = None,
    labeled: bool | None = True,
    tag: str | None = None,
    keys: Keys | None = None,
    format: str | None = None,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Read a file frame by frame, see :func:`read_frames`."""
    kind = format or format_of(Path(path))
    frames = _read(kind, path, units, symbols, labeled, keys or Keys(), faults)
    for index, frame in enumerate(frames):
        _require_parity(f"{path}: frame {index}", frame)  # after elements are renamed
        if tag is not None:
            frame.info["tag"] = tag
        frame.info.setdefault("tag", Path(path).stem)
        frame.info.setdefault("source", f"{path}:{index}")
        if labeled is False:
            frame.calc = None
        if labeled is not False and faults is None:
            _require_possible_stress(f"{path}: frame {index}", index, frame)
        if labeled and frame.calc is not None:
            frame.calc.results = with_zero_forces(frame.calc.results, len(frame))
    if labeled:
        held = [set(labels_of(frame)) for frame in frames]
        for name in ("energy", "forces"):
            require_everywhere(path, name, [name in one for one in held], held)
    return frames


def _require_parity(what: str, frame: Atoms) -> None:
    try:
        check_parity(frame, what)
    except ValueError as error:
        raise DatasetError(str(error)) from error


def _require_possible_stress(what: str, index: int, frame: Atoms) -> None:
    if frame.calc is not None and "stress" in frame.calc.results and (fault := no_stress(index, frame)):
        report(what, fault, None)


def _read(
    kind: str,
    path: str | os.PathLike[str],
    units: Units | None,
    symbols: Sequence[str] | None,
    labeled: bool | None,
    keys: Keys,
    faults: list[Finding] | None,
) -> list[Atoms]:
    if kind == "hdf5" and not is_dataset(path):
        return read_foreign_hdf5(path, units=units, symbols=symbols, keys=keys, labeled=labeled, faults=faults)
    if kind == "lammps-dump":
        return read_dump(path, units=units, symbols=symbols, keys=keys, labeled=labeled)
    if kind == "lammps-data":
        if labeled:
            raise DatasetError(f"{path}: a LAMMPS data file holds no labels; {how_to_give.STRUCTURES}")
        return [read_data(path, units=units, symbols=symbols)]
    if kind == "hdf5":
        frames = list(_dataset(path, units, keys))
    elif kind == "extxyz":
        frames = read_extxyz(path, units=units, keys=keys, labeled=labeled, faults=faults)
    elif kind == "ase-db":
        frames = read_database(path, units=units, keys=keys, labeled=labeled, faults=faults)
    elif kind == DEEPMD:
        frames = read_deepmd(path, units=units, keys=keys, labeled=labeled)
    elif kind == CP2K:
        frames = read_cp2k(path, units=units, keys=keys, labeled=labeled)
    elif kind == BY_CONTENTS or is_ase_format(kind):
        frames = read_ase_file(path, format=kind, units=units, keys=keys, labeled=labeled, faults=faults)
    else:
        raise DatasetError(f"{path}: format {kind!r}: unknown{did_you_mean(kind, FORMATS)}")
    rename(path, frames, symbols)
    return frames


def require_readable(path: Path) -> None:
    """Refuse a path that is neither a file nor a deepmd/npy folder, is not readable, or is empty.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: another folder, a file without read permission, or an empty file.
    """
    if path.is_dir() and systems_of(path):
        return
    if path.is_dir():
        raise DatasetError(f"{path}: a folder, expected a file; name the files in it")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not os.access(path, os.R_OK):
        raise DatasetError(
            f"{path}: you have no permission to read it; ask its owner, or change its permissions (chmod)"
        )
    if not path.stat().st_size:
        raise DatasetError(
            f"{path}: empty (0 bytes), expected configurations; write it again, as its program was interrupted or the "
            "disk was full"
        )


def _format_of_compressed(path: Path) -> str:
    """Return the format of a compressed file from the suffix before .gz; a dump if there is none."""
    kind = SUFFIXES.get(Path(path.stem).suffix, "lammps-dump" if path.suffix == ".gz" else "")
    if path.suffix != ".gz" or kind not in GZIPPED:
        raise DatasetError(
            f"{path}: compressed ({path.suffix}); {' and '.join(GZIPPED)} are read as .gz, everything else is to be "
            "unpacked first"
        )
    return kind


def format_of(path: Path) -> str:
    """Return the format from the suffix or the contents, for names such as dump.X, data.X (LAMMPS) or OUTCAR."""
    if path.is_dir():
        return DEEPMD
    if path.suffix in COMPRESSED:
        return _format_of_compressed(path)
    kind = SUFFIXES.get(path.suffix)
    if kind in (None, "extxyz"):
        with open(path, "rb") as file:
            start = file.read(2000)
    if kind == "extxyz" and is_cp2k(start):
        kind = CP2K
    elif kind is None:
        if start.startswith(b"ITEM: "):
            kind = "lammps-dump"
        elif re.search(rb"^\s*\d+\s+atoms\b", start, re.MULTILINE):
            kind = "lammps-data"
        else:
            kind = format_by_contents(path)
    if kind is None:
        raise DatasetError(
            f"{path}: neither suffix nor contents show the format; give format, one of {', '.join(FORMATS)}, or a name "
            "of ASE's (ase info --formats)"
        )
    return kind
