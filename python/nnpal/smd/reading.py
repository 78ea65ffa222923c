"""Read a pull from the hook's own file, a file of `fix print`, or a LAMMPS log."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from nnpal.smd.pull import Pull
from nnpal.smd.trace import FIELDS


def read_pull(path: str | os.PathLike[str], fix: str | None = None) -> Pull:
    """Read a pull from a file.

    The file may be the hook's own (`file pull.txt`); a table with the names `step d lambda force work` in a line that
    begins with #, as written by `fix print ... title "# step d lambda force work"`; or a log with a thermo table that
    has the columns Step and f_ID[1] ... f_ID[4].

    Arguments:
        path: path of the file.
        fix: fix ID, for a log with several fixes of four values.

    Returns:
        Columns of the pull, in the units of its script.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file contains no pull.

    Example:
        >>> from nnpal import read_pull
        >>> pull = read_pull("pull.1.txt")
        >>> pull.work.shape, pull.facts["units"]
        ((200,), 'metal')
    """
    if Path(path).is_dir():
        raise ValueError(f"{path}: a folder, expected the file of a pull; name the files in it")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    text = Path(path).read_text(errors="replace")
    facts = {name: value.replace(",", " ") for name, value in re.findall(r"^#! SET (\w+) (.*)$", text, re.M)}
    names, rows = _table(text) if text.lstrip().startswith("#") else _thermo(text, fix, str(path))
    missing = [name for name in FIELDS if name not in names]
    if missing or not rows:
        what = f"no column {', '.join(missing)}" if missing else "no rows"
        raise ValueError(
            f"{path}: {what}; expected a file of fix python/hook nnpal.smd:SMD ... file NAME, a table below a line "
            "`# step d lambda force work`, or a log with Step and f_ID[1] ... f_ID[4]"
        )
    values = np.array([[row[names.index(name)] for name in FIELDS] for row in rows])
    # Thermo output repeats the step at the boundary of two runs
    fresh = np.ones(len(values), dtype=bool)
    fresh[1:] = np.any(values[1:, [0, 2]] != values[:-1, [0, 2]], axis=1)
    values = values[fresh]
    d, target, force, work = values[:, 1:].T
    return Pull(values[:, 0].astype(np.int64), d, target, force, work, facts=facts, name=str(path))


def _table(text: str) -> tuple[list[str], list[list[float]]]:
    names: list[str] = []
    for line in text.splitlines():
        words = line.lstrip("#! ").split()
        if line.startswith("#") and set(FIELDS) <= set(words):
            names = [word for word in words if word != "FIELDS"]
            break
    return names, _numbers(text.splitlines(), len(names))


def _thermo(text: str, fix: str | None, path: str) -> tuple[list[str], list[list[float]]]:
    names: list[str] = []
    rows: list[list[float]] = []
    for header, body in re.findall(r"^ *(Step .*)\n((?:.*\n)*?)(?=Loop time|ERROR|\Z)", text, re.M):
        columns = header.split()
        fixes = [match[1] for name in columns if (match := re.fullmatch(r"f_(\w+)\[4\]", name))]
        chosen = [name for name in fixes if fix in (None, name)]
        if not chosen:
            continue
        if len(chosen) > 1:
            raise ValueError(f"{path}: columns of several fixes, {', '.join(chosen)}; name one")
        renamed = {"Step": "step"} | {f"f_{chosen[0]}[{i}]": FIELDS[i] for i in range(1, 5)}
        columns = [renamed.get(name, name) for name in columns]
        if names and columns != names:
            raise ValueError(f"{path}: thermo tables with different columns; keep one thermo_style during the pull")
        names = columns
        rows += _numbers(body.splitlines(), len(columns))
    return names, rows


def _numbers(lines: list[str], n_columns: int) -> list[list[float]]:
    """Return the lines that have n numbers each, without warnings and incomplete lines."""
    rows = []
    for line in lines:
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            continue
        if row and len(row) == n_columns:
            rows.append(row)
    return rows
