"""Files of a CP2K run: NAME-pos-1.xyz with energies, and NAME-frc-1.xyz, NAME-1.cell, NAME-1.restart in its folder.

They are in CP2K's default units: hartree, Å, hartree/bohr. The stress file (NAME-1.stress) is not read: in molecular
dynamics it includes the kinetic part, so it is not a derivative of the energy.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from nnpal.data.elements import number_of
from nnpal.data.error import DatasetError
from nnpal.data.keys import Keys
from nnpal.data.labels import attach
from nnpal.data.units import OURS, Units

NAME = "cp2k"
_HARTREE_PER_BOHR = Hartree / Bohr
_COMMENT = re.compile(rb"^\s*\d+\s*\n i =\s*\d+,.*\bE =\s*[-+\d.]+\s*$", re.MULTILINE)
_VALUES = re.compile(r"^ i =\s*(\d+),.*\bE =\s*([-+\d.]+)\s*$")
_CELL = re.compile(r"&CELL\s*\n\s*A\s.*?&END CELL", re.S)
_OF_DFT = re.compile(r"&DFT\s*\n((?:\s+[A-Z_]+ .*\n)*)")
_UNIT = re.compile(r"&(TRAJECTORY|FORCES|CELL)\b[^&]*?\bUNIT\s+(\S+)")


@dataclass(frozen=True)
class _Frame:
    step: int
    energy: str
    symbols: tuple[str, ...]
    values: NDArray[np.float64]


def is_cp2k(start: bytes) -> bool:
    """Return whether a file starts like CP2K's trajectories of positions and forces."""
    return _COMMENT.match(start) is not None


def read_cp2k(path: str | os.PathLike[str], *, units: Units | None, keys: Keys, labeled: bool | None) -> list[Atoms]:
    """Read all configurations of NAME-pos-N.xyz, with forces, cells and periodic directions from files in its folder.

    Arguments:
        labeled: see :func:`nnpal.data.read_frames`; True requires forces.

    Raises:
        DatasetError: units or keys were given, another file name, a file that is missing, truncated or does not belong
            to the others, or units other than CP2K's defaults.
    """
    if units not in (None, OURS):
        raise DatasetError(f"{path}: CP2K's files are read in its default units, but {units} were given; give none")
    if keys not in (Keys(), Keys(stress="")):
        raise DatasetError(f"{path}: CP2K's files have no keys of labels; give no keys")
    found = re.fullmatch(r"(.+)-pos-(\d+)\.xyz", Path(path).name)
    if found is None:
        raise DatasetError(
            f"{path}: a trajectory of CP2K, expected its file of positions with its own name, such as h2o-pos-1.xyz"
        )
    folder, name, number = Path(path).parent, found[1], found[2]
    frames = _frames(Path(path))
    restart = folder / f"{name}-{number}.restart"
    settings = _text(restart, "MOTION / PRINT / RESTART")
    periodic, electrons = _periodic(restart, settings), _electrons(settings)
    cells = _cells(folder / f"{name}-{number}.cell", frames)
    forces_file = folder / f"{name}-frc-{number}.xyz"
    forces = _forces(forces_file, frames) if labeled or (labeled is None and forces_file.exists()) else None
    found_atoms = []
    for index, (frame, cell) in enumerate(zip(frames, cells, strict=True)):
        numbers = [number_of(symbol, f"{path}: frame {index}") for symbol in frame.symbols]
        atoms = Atoms(numbers, frame.values, cell=cell, pbc=periodic)
        own = None if forces is None else forces[index].values * _HARTREE_PER_BOHR
        attach(atoms, energy=float(frame.energy) * Hartree, forces=own)
        atoms.info.update(electrons)
        atoms.info["source"] = f"{path}:{index} step {frame.step}"
        found_atoms.append(atoms)
    return found_atoms


def _frames(path: Path) -> list[_Frame]:
    """Return the frames of a trajectory of positions or forces."""
    lines = _text(
        path, "MOTION / PRINT / FORCES" if "-frc-" in path.name else "MOTION / PRINT / TRAJECTORY"
    ).splitlines()
    frames: list[_Frame] = []
    start = 0
    while start < len(lines):
        try:
            n_atoms, match = int(lines[start]), _VALUES.match(lines[start + 1])
            rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
            values = np.array([[float(word) for word in row[1:]] for row in rows])
            if match is None or values.shape != (n_atoms, 3):
                raise ValueError(f"found {values.shape[0]} rows of {n_atoms} atoms below {lines[start + 1]!r}")
        except (ValueError, IndexError) as error:
            raise DatasetError(
                f"{path}: frame {len(frames)} is truncated or damaged: {error}; remove its lines"
            ) from error
        frames.append(_Frame(int(match[1]), match[2], tuple(row[0] for row in rows), values))
        start += 2 + n_atoms
    return frames


def _forces(path: Path, frames: list[_Frame]) -> list[_Frame]:
    """Return the forces of the same configurations, hartree/bohr."""
    forces = _frames(path)
    ours, theirs = ([(one.step, one.energy, one.symbols) for one in of] for of in (frames, forces))
    if ours != theirs:
        wrong = next(
            (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
        )
        raise DatasetError(
            f"{path}: has {len(theirs)} frames, and the positions {len(ours)}; frame {wrong} is of another step, "
            "energy or atoms; print both every so many steps (EACH), and give files of one run"
        )
    return forces


def _cells(path: Path, frames: list[_Frame]) -> list[NDArray[np.float64]]:
    """Return the cell of each configuration, Å."""
    rows: dict[int, NDArray[np.float64]] = {}
    for number, line in enumerate(_text(path, "MOTION / PRINT / CELL").splitlines(), start=1):
        words = line.split()
        if line.lstrip().startswith("#") or len(words) != 12:
            continue
        try:
            rows[int(words[0])] = np.array(words[2:11], dtype=float).reshape(3, 3)
        except ValueError as error:
            raise DatasetError(
                f"{path}, line {number}: {error}; expected step, time, nine numbers and volume"
            ) from error
    missing = [frame.step for frame in frames if frame.step not in rows]
    if missing:
        raise DatasetError(f"{path}: has no cell of step {missing[0]}; print it as often as the positions (EACH)")
    return [rows[frame.step] for frame in frames]


def _periodic(path: Path, text: str) -> list[bool]:
    """Return the periodic directions, and check that the files are in the default units."""
    if unit := _UNIT.search(text):
        raise DatasetError(f"{path}: {unit[1]} was printed in UNIT {unit[2]}, expected CP2K's default; remove UNIT")
    cell = _CELL.search(text)
    if cell is None:
        raise DatasetError(f"{path}: has no &CELL with the vectors A, B and C; expected a restart file of CP2K")
    directions = re.search(r"\bPERIODIC\s+(\w+)", cell[0])
    words = "XYZ" if directions is None else directions[1].upper()
    return [axis in words and words != "NONE" for axis in "XYZ"]


def _electrons(text: str) -> dict[str, int]:
    """Return the charge and the multiplicity of &DFT."""
    stated = _OF_DFT.search(text)
    words = dict(re.findall(r"\b(CHARGE|MULTIPLICITY)\s+(-?\d+)\s*$", stated[1] if stated else "", re.M))
    return {name.lower(): int(value) for name, value in words.items() if (name, value) != ("MULTIPLICITY", "0")}


def _text(path: Path, section: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: no such file, which holds a part of the configurations; print {section}"
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: {error}; expected text") from error
