"""Unlabeled configurations in files of a run, stored bitwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.io.trajectory import Trajectory

from nnpal.geometry.electrons import carry
from nnpal.runtime.files import aside

KEPT = ("tag", "source", "step")


def write_bare(path: Path, frames: Sequence[Atoms]) -> None:
    """Write each frame's structure, charge and spin, initial charges and moments, tag, source and step."""
    with aside(path) as temporary, Trajectory(str(temporary), "w") as file:
        for frame in frames:
            file.write(_bare(frame))


def read_bare(path: Path) -> list[Atoms]:
    """Read what :func:`write_bare` wrote."""
    with Trajectory(str(path)) as file:
        return list(file)


def _bare(frame: Atoms) -> Atoms:
    bare = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    carry(frame, bare)
    bare.info.update({key: frame.info[key] for key in KEPT if key in frame.info})
    return bare
