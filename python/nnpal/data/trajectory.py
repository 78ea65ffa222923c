"""Trajectories of runs: configurations with their LAMMPS steps, to match them with other records of the run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.data.error import DatasetError
from nnpal.data.opened import opened
from nnpal.data.read import format_of, read_frames, require_readable
from nnpal.data.units import OURS, Units

_STEP_OF_SOURCE = re.compile(r"\bstep (\d+)$")
_STEP_OF_COMMENT = re.compile(r"""(?:^|\s)(?:step|timestep)=["']?(\d+)""", re.I)


def read_trajectory(
    path: str | os.PathLike[str], *, units: Units | None = None, symbols: Sequence[str] | None = None
) -> tuple[np.ndarray, list[Atoms]]:
    """Return steps, int [n_frames], and configurations without labels.

    Steps come from a LAMMPS dump, the key `step` of an extended XYZ file, or the end of `info["source"]` (`... step
    200`), as nnpal's runs write it.

    Arguments:
        units, symbols: for dumps, see :func:`nnpal.data.read_frames`; other files are in eV and Å.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: no configurations, or one without a step.
    """
    require_readable(Path(path))
    kind = format_of(Path(path))
    if kind == "lammps-dump":
        frames = read_frames(path, units=units, symbols=symbols, labeled=False)
    else:
        frames = read_frames(path, units=OURS, labeled=False)
    found = steps_of(path, frames)
    missing = [index for index, step in enumerate(found) if step is None]
    if missing:
        raise DatasetError(
            f"{path}: configuration {missing[0]} has no step; give the LAMMPS dump of the run, or an extended XYZ file "
            "with step=N in each comment line"
        )
    return np.array(found, dtype=np.int64), frames


def steps_of(path: str | os.PathLike[str], frames: Sequence[Atoms]) -> list[int | None]:
    """Return the step of each configuration, as :func:`read_trajectory` does; None if the file states none.

    Arguments:
        path: file or folder.
        frames: all its configurations, as read.

    Raises:
        DatasetError: the numbers of steps and of configurations differ.
    """
    kind = format_of(Path(path))
    steps: list[int | None] = [None] * len(frames)
    if kind == "lammps-dump":
        steps = list(_dump_steps(path))
    elif kind == "extxyz":
        steps = [_matched(_STEP_OF_COMMENT, line) for line in _comments(path, [len(frame) for frame in frames])]
    if len(steps) != len(frames):
        raise DatasetError(f"{path}: {len(frames)} configurations, but {len(steps)} steps; give a whole file")
    return [
        step if step is not None else _matched(_STEP_OF_SOURCE, str(frame.info.get("source", "")))
        for step, frame in zip(steps, frames, strict=True)
    ]


def _matched(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return None if match is None else int(match[1])


def _dump_steps(path: str | os.PathLike[str]) -> list[int]:
    with opened(path) as file:
        return [int(next(file)) for line in file if line.startswith("ITEM: TIMESTEP")]


def _comments(path: str | os.PathLike[str], n_atoms: Sequence[int]) -> list[str]:
    with opened(path) as file:
        lines = file.read().splitlines()
    starts = np.concatenate([[0], np.cumsum(np.array(n_atoms) + 2)[:-1]])
    return [lines[start + 1] for start in starts]
