"""HDF5 files of other programs in TorchANI's layouts: groups of conformers, without units."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from ase import Atoms

from nnpal.data import how_to_give
from nnpal.data.chosen import choose, converted
from nnpal.data.elements import check_used, number_of, renaming
from nnpal.data.error import DatasetError
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys
from nnpal.data.stresses import mixed_stresses, stated_stresses
from nnpal.data.units import Units

SPECIES = ("species", "numbers", "atomic_numbers")
COORDINATES = ("coordinates", "coord")
USUAL = {
    "energy": ("energies", "energy"),
    "forces": ("forces", "force"),
    "stress": ("stresses", "stress"),
    "virial": ("virials", "virial"),
}


def read_foreign_hdf5(
    path: str | os.PathLike[str],
    *,
    units: Units | None,
    symbols: Sequence[str] | None,
    keys: Keys,
    labeled: bool | None,
    faults: list[Finding] | None = None,
) -> list[Atoms]:
    """Read every group that has coordinates, sorted by name; a cell without `pbc` is periodic.

    Arguments:
        units: units of the file; required.
        symbols: OLD=NEW if the file's symbols are not the elements.
        faults: see :func:`nnpal.data.read_frames`.

    Raises:
        DatasetError: no units, no such groups, arrays of inconsistent shapes, or a frame without a required label.
    """
    if units is None:
        raise DatasetError(f"{path}: does not state its units; {how_to_give.units(path, 'hartree', 'Å')}")
    try:
        with h5py.File(path) as file:
            groups = _groups(file)
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{path}: damaged, or not an HDF5 file: {error}") from error
    if not groups:
        raise DatasetError(f"{path}: no group holds `coordinates`, expected TorchANI's layout")
    pairs = renaming(path, symbols)
    frames: list[tuple[str, Atoms, dict[str, Any]]] = []
    present: set[str] = set()
    for name, arrays in groups.items():
        frames.extend(_rows(f"{path}: group {name}", arrays, pairs, present))
    check_used(path, pairs, present)
    sizes = [len(atoms) for _, atoms, _ in frames]
    names = choose(path, [held for _, _, held in frames], keys, labeled, USUAL, sizes=sizes)
    if faults is not None:
        faults += mixed_stresses(stated_stresses((held for _, _, held in frames), names))
    return [
        converted(what, index, atoms, held, names, units, keys, six=None, faults=faults)
        for index, (what, atoms, held) in enumerate(frames)
    ]


def _groups(file: h5py.File) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group) and any(key in item for key in COORDINATES):
            found[name] = {key: value[()] for key, value in item.items() if isinstance(value, h5py.Dataset)}

    file.visititems(visit)
    return found


def _rows(
    what: str, arrays: dict[str, np.ndarray], pairs: dict[str, str], present: set[str]
) -> list[tuple[str, Atoms, dict[str, Any]]]:
    """Return (name for messages, structure, possible labels) of each row of a group."""
    coordinates = next(arrays[key] for key in COORDINATES if key in arrays)
    if coordinates.ndim != 3 or coordinates.shape[2] != 3:
        raise DatasetError(f"{what}: coordinates have shape {coordinates.shape}, expected (configurations, atoms, 3)")
    n_frames, n_atoms = coordinates.shape[:2]
    key = next((key for key in SPECIES if key in arrays), None)
    if key is None:
        raise DatasetError(f"{what}: has none of {', '.join(SPECIES)}, so that its elements are not known")
    species = arrays.pop(key)
    if species.ndim == 1:
        species = np.broadcast_to(species, (n_frames, n_atoms)) if species.size == n_atoms else species
    if species.shape != (n_frames, n_atoms):
        raise DatasetError(f"{what}: {key} have shape {species.shape}, expected ({n_frames}, {n_atoms})")
    own = {name: values for name, values in arrays.items() if np.ndim(values) and len(values) == n_frames}
    labels = {name: values for name, values in own.items() if name not in COORDINATES}
    labels = {name: values for name, values in labels.items() if name not in ("cell", "pbc")}
    cells = _for_all(what, "cell", arrays.get("cell"), (n_frames, 3, 3))
    pbcs = _for_all(what, "pbc", arrays.get("pbc"), (n_frames, 3))
    rows = []
    for i in range(n_frames):
        cell = None if cells is None else cells[i]
        atoms = Atoms(
            _numbers(f"{what}, row {i}", species[i], pairs, present),
            positions=coordinates[i],
            cell=cell,
            pbc=pbcs[i] if pbcs is not None else cell is not None and bool(np.any(cell)),
        )
        rows.append((f"{what}, row {i}", atoms, {name: values[i] for name, values in labels.items()}))
    return rows


def _for_all(what: str, name: str, values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return ``values`` for each configuration; a single one is broadcast to all."""
    if values is None:
        return None
    if values.shape not in (shape, shape[1:]):
        raise DatasetError(f"{what}: {name} has shape {values.shape}, expected {shape} or {shape[1:]}")
    return np.broadcast_to(values, shape)


def _numbers(what: str, species: np.ndarray, pairs: dict[str, str], present: set[str]) -> np.ndarray:
    """Return atomic numbers from symbols or numbers, after renaming."""
    if species.dtype.kind in "iu":
        from ase.data import chemical_symbols

        if species.min() < 1 or species.max() >= len(chemical_symbols):
            raise DatasetError(f"{what}: atomic numbers {species.min()} to {species.max()}, expected 1 to 118")
        names = [chemical_symbols[number] for number in species]
    else:
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in species]
    known = {name: number_of(pairs.get(name, name), what) for name in set(names)}
    present.update(known)
    return np.array([known[name] for name in names])
