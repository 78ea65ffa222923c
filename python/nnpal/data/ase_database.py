"""ASE databases (.db, .json): eV and Å by ASE's definition."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.chosen import choose, converted
from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys
from nnpal.data.stresses import mixed_stresses, stated_stresses
from nnpal.data.units import OURS, Units
from nnpal.geometry.electrons import NAMES


def read_database(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    keys: Keys,
    labeled: bool | None,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Read all rows in order of id; labels come from a row's calculator, its key-value pairs or its data.

    Arguments:
        faults: see :func:`nnpal.data.read_frames`.

    Raises:
        DatasetError: units other than eV and Å, no database, no rows, or a label that a row lacks.
    """
    from ase.db import connect  # imports SciPy: 1 s and 50 MB that other formats do not need
    from ase.io.formats import UnknownFileTypeError

    if units not in (None, OURS):
        raise DatasetError(f"{path}: ASE databases are in eV and Å, but {units} were given")
    kind = "json" if os.fspath(path).endswith(".json") else "db"
    rows: list[tuple[Atoms, dict[str, Any]]] = []
    try:
        for row in connect(os.fspath(path), type=kind, use_lock_file=False).select(sort="id"):
            atoms = row.toatoms()
            results = atoms.calc.results if atoms.calc is not None else {}
            pairs = {**row.key_value_pairs, **_hidden(row)}
            _compare(f"{path}: row {len(rows)}", pairs, row.data)
            rows.append((atoms, {**pairs, **row.data, **results}))
    except DatasetError:
        raise
    except (sqlite3.Error, UnknownFileTypeError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: row {len(rows)} is damaged, or not an ASE database: {error}") from error
    if not rows:
        raise DatasetError(f"{path}: holds no rows")
    names = choose(path, [held for _, held in rows], keys, labeled, sizes=[len(atoms) for atoms, _ in rows])
    if faults is not None:
        faults += mixed_stresses(stated_stresses((held for _, held in rows), names))
    frames = []
    for index, (atoms, held) in enumerate(rows):
        frame = converted(f"{path}: row {index}", index, atoms, held, names, OURS, keys, faults=faults)
        for name in ("config_type", "tag", "source"):
            if name in held:
                frame.info["tag" if name == "config_type" else name] = str(held[name])
        frames.append(frame)
    return frames


def _hidden(row: Any) -> dict[str, Any]:
    """Return key-value pairs hidden by attributes of ASE's row, such as `charge`, which ASE reports as 0."""
    own = vars(row)
    return {name: own[name] for name in own.get("_keys", ()) if name in own}


def _compare(what: str, pairs: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Refuse charges and spins whose values differ between the key-value pairs and the data."""
    for name in NAMES:
        if name in pairs and name in data and not np.array_equal(pairs[name], data[name]):
            raise DatasetError(
                f"{what}: {name} = {pairs[name]} in its key-value pairs, but {data[name]} in its data; correct either"
            )
