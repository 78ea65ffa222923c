"""Folders of deepmd/npy, DeePMD-kit's format: eV and Å by definition, virials with LAMMPS's sign.

A system is a folder with ``type.raw`` (an index for each atom), ``type_map.raw`` (elements), ``set.*`` with arrays of
its configurations, and ``nopbc`` if they are not periodic (DeePMD-kit, "Data conversion" and "System"). All
configurations have the same atoms in the same order or, in the mixed-type format, ``real_atom_types.npy``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.data.error import DatasetError
from nnpal.data.keys import Keys, require_everywhere
from nnpal.data.labels import attach, labels_of, stress_of_virial, to_voigt
from nnpal.data.units import OURS, Units
from nnpal.geometry.electrons import electrons_of
from nnpal.runtime.files import sync_tree

SUFFIX = ".deepmd"  # suffix of folders that nnpal writes
NAME = "deepmd-npy"


def systems_of(path: str | os.PathLike[str]) -> list[Path]:
    """Return the system folders in a folder, or the folder itself if it is one, sorted by name; none for files."""
    return sorted(found.parent for found in Path(path).rglob("type.raw")) if Path(path).is_dir() else []


def read_deepmd(path: str | os.PathLike[str], *, units: Units | None, keys: Keys, labeled: bool | None) -> list[Atoms]:
    """Read all systems in a folder; tags are the names of their folders.

    Raises:
        DatasetError: units other than eV and Å, label names (the format defines them), no systems, a file that is
            missing or has the wrong shape, or a configuration without a required label.
    """
    if units not in (None, OURS):
        raise DatasetError(f"{path}: deepmd/npy is in eV and Å, but {units} were given; give none")
    if keys not in (Keys(), Keys(stress="")):
        raise DatasetError(f"{path}: deepmd/npy has names of its own for labels; give no keys")
    frames: list[Atoms] = []
    for system in systems_of(path):
        for folder in sorted(system.glob("set.*")):
            frames += _read_set(system, folder, stress=keys.stress is None)
    if not frames:
        raise DatasetError(f"{path}: holds no configurations of deepmd/npy (type.raw, set.*/coord.npy)")
    if labeled:
        held = [labels_of(frame) for frame in frames]
        for name in ("energy", "forces"):
            require_everywhere(path, name, [name in one for one in held], held)
    return frames


def _read_set(system: Path, folder: Path, *, stress: bool) -> list[Atoms]:
    coordinates = _array(folder / "coord.npy")
    n = len(coordinates)
    numbers = _numbers(system, folder, n)
    shape = (n, numbers.shape[1], 3)
    periodic = not (system / "nopbc").exists()
    cells = _array(folder / "box.npy", (n, 9)).reshape(n, 3, 3) if periodic else np.zeros((n, 3, 3))
    positions = _shaped(folder / "coord.npy", coordinates, (n, shape[1] * 3)).reshape(shape)
    energies = _array(folder / "energy.npy", (n,), flat=True) if (folder / "energy.npy").exists() else None
    forces = _array(folder / "force.npy", (n, shape[1] * 3)).reshape(shape) if (folder / "force.npy").exists() else None
    virials = None
    if stress and periodic and (folder / "virial.npy").exists():
        virials = _array(folder / "virial.npy", (n, 9)).reshape(n, 3, 3)
    frames = []
    for k in range(n):
        real = numbers[k] > 0
        atoms = Atoms(numbers[k][real], positions[k][real], cell=cells[k], pbc=periodic)
        try:
            six = None if virials is None else to_voigt(stress_of_virial(virials[k], atoms, "it"), "virial")
        except ValueError as error:
            raise DatasetError(f"{folder}: configuration {k}: {error}") from error
        attach(
            atoms,
            energy=None if energies is None else float(energies[k]),
            forces=None if forces is None else forces[k][real],
            stress=six,
        )
        atoms.info.update(tag=system.name, source=f"{folder}:{k}")
        frames.append(atoms)
    return frames


def _numbers(system: Path, folder: Path, n: int) -> NDArray[np.int64]:
    """Return atomic numbers, [n, atoms]; 0 stands for no atom in the mixed-type format."""
    from ase.data import atomic_numbers

    try:
        types = np.loadtxt(system / "type.raw", dtype=int, ndmin=1)
        elements = (system / "type_map.raw").read_text().split()
    except FileNotFoundError as error:
        raise DatasetError(f"{error.filename}: missing; without it the elements are not known") from error
    except ValueError as error:
        raise DatasetError(f"{system / 'type.raw'}: {error}; expected an index for each atom") from error
    mixed = folder / "real_atom_types.npy"
    every = _array(mixed, (n, len(types))).astype(int) if mixed.exists() else np.tile(types, (n, 1))
    unknown = sorted({name for name in elements if not atomic_numbers.get(name)})
    if unknown or (every.size and not -1 <= every.min() <= every.max() < len(elements)):
        wrong = f"{', '.join(unknown)} in type_map.raw" if unknown else f"types {every.min()} to {every.max()}"
        raise DatasetError(f"{system}: {wrong}; expected chemical symbols, and indices of them from 0")
    return np.array([*(atomic_numbers[name] for name in elements), 0])[every]


def _array(path: Path, shape: tuple[int, ...] | None = None, *, flat: bool = False) -> NDArray[np.float64]:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: missing") from error
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: damaged, or not an array of NumPy: {error}") from error
    values = values.reshape(-1) if flat else values
    return np.asarray(values if shape is None else _shaped(path, values, shape), dtype=np.float64)


def _shaped(path: Path, values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if values.shape != shape:
        raise DatasetError(f"{path}: has shape {values.shape}, expected {shape}")
    return values


def write_deepmd(path: str | os.PathLike[str], frames: Iterable[Atoms]) -> None:
    """Write a new folder with one system for each order of atoms, periodicity and set of labels.

    A left-handed cell is replaced with the right-handed cell of opposite vectors, which has the same lattice.

    Arguments:
        path: folder to write, which must not exist.
        frames: configurations, with labels as a SinglePointCalculator; eV and Å.

    Raises:
        FileExistsError: ``path`` exists.
        DatasetError: a configuration that the format cannot store: periodic in only some directions, or with a
            charge other than 0 or a spin.
    """
    target = Path(path)
    if target.exists():
        raise FileExistsError(f"{target}: exists; give the name of a new folder")
    systems: dict[tuple[object, ...], list[Atoms]] = {}
    for index, frame in enumerate(frames):
        if frame.pbc.any() != frame.pbc.all():
            raise DatasetError(
                f"configuration {index}: periodic = {frame.pbc.tolist()}; deepmd/npy holds configurations that are "
                "periodic in all directions or in none"
            )
        electrons = electrons_of(frame, what=f"configuration {index}")
        if not electrons.is_plain:
            raise DatasetError(f"configuration {index}: states {electrons}, which deepmd/npy cannot hold; remove it")
        key = (tuple(frame.numbers), bool(frame.pbc.all()), *sorted(labels_of(frame, f"configuration {index}")))
        systems.setdefault(key, []).append(frame)
    part = target.with_name(f".{os.getpid()}.{target.name}")  # temporary folder, renamed when complete
    try:
        taken: dict[str, int] = {}
        for system in systems.values():
            formula = system[0].get_chemical_formula()
            number = taken[formula] = taken.get(formula, 0) + 1
            _write_system(part / (formula if number == 1 else f"{formula}-{number}"), system)
        sync_tree(part)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_system(folder: Path, frames: list[Atoms]) -> None:
    symbols = frames[0].get_chemical_symbols()
    elements = sorted(set(symbols))
    first = folder / "set.000"
    first.mkdir(parents=True)
    (folder / "type.raw").write_text("".join(f"{elements.index(symbol)}\n" for symbol in symbols))
    (folder / "type_map.raw").write_text("".join(f"{element}\n" for element in elements))
    cells = np.array([frame.cell.array for frame in frames])
    if frames[0].pbc.any():
        handedness = np.sign(np.linalg.det(cells))
        np.save(first / "box.npy", (handedness[:, None, None] * cells).reshape(len(frames), 9))
    else:
        (folder / "nopbc").touch()
        np.save(first / "box.npy", np.tile(np.eye(3).ravel(), (len(frames), 1)))
    np.save(first / "coord.npy", np.array([frame.positions.ravel() for frame in frames]))
    labels = [labels_of(frame) for frame in frames]
    if "energy" in labels[0]:
        np.save(first / "energy.npy", np.array([one["energy"] for one in labels]))
    if "forces" in labels[0]:
        np.save(first / "force.npy", np.array([one["forces"].ravel() for one in labels]))
    if "stress" in labels[0]:
        stresses = np.array([one["stress"] for one in labels])[:, [0, 5, 4, 5, 1, 3, 4, 3, 2]]
        np.save(first / "virial.npy", -stresses * np.abs(np.linalg.det(cells))[:, None])
