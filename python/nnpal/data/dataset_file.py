"""nnpal's dataset file: HDF5 as TorchANI's `ANIDataset` lays it out, in eV and Å, with the order and origin of all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms

from nnpal.data.error import DatasetError
from nnpal.data.hashes import content_hash
from nnpal.data.labels import NAMES, VOIGT, attach, labels_of, to_voigt
from nnpal.electrons import COLUMNS, Electrons, electrons_of, from_json, put, to_json
from nnpal.hdf5_image import new_hdf5

FORMAT = "nnpal dataset"
VERSION = 2
"""Of files in which a configuration states charge or spin; others are of version 1, which older nnpal reads."""
STATED = ("charge", "multiplicity", *COLUMNS)
# Units of each property, as attributes of the file and of the HDF5 dataset
UNITS = {"coordinates": "Å", "cell": "Å", "energies": "eV", "forces": "eV/Å", "stresses": "eV/Å³",
         "charge": "e", "initial_charges": "e", "initial_magmoms": "μB"}  # fmt: skip
BITS = {name: 1 << i for i, name in enumerate(NAMES)}  # of the property `labels`: which of them are there
STATED_BITS = {name: 1 << i for i, name in enumerate(STATED)}  # of the property `stated`


@dataclass(frozen=True)
class Contents:
    """A dataset file: configurations in the order in which they were written, and what was said of them."""

    frames: list[Atoms]
    content_hash: str
    provenance: dict[str, Any]


def write_dataset(path: str | os.PathLike[str], frames: Sequence[Atoms], *, provenance: dict[str, Any]) -> str:
    """Write configurations with what labels they have, aside and renamed; return their content hash.

    Kept are atomic numbers, positions, cell, periodicity, charge and multiplicity, initial charges and moments, energy,
    forces, stress, `info["tag"]` and
    `info["source"]`, and nothing else.

    Args:
        path: ends in .h5, by which TorchANI knows the format.
        provenance: where they come from; anything JSON can say.

    Raises:
        ValueError: no configuration, one without atoms, one that has changed since it was labelled, or another suffix.
        TypeError: provenance that is no JSON.
        nnpal.disk_full.DiskFullError: no space is left.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise ValueError(f"{path}: expected a name ending in .h5, by which TorchANI knows the format")
    if not frames:
        raise ValueError(f"{path}: no configurations to write")
    texts = {
        "tags": [str(frame.info.get("tag", "")) for frame in frames],
        "sources": [str(frame.info.get("source", "")) for frame in frames],
        "provenance": json.dumps(provenance, sort_keys=True, ensure_ascii=False),
    }
    labels = [labels_of(frame, f"configuration {index}") for index, frame in enumerate(frames)]
    electrons = [to_json(electrons_of(frame, what=f"configuration {index}")) for index, frame in enumerate(frames)]
    content = content_hash(frames)
    sizes: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        if len(frame) == 0:
            raise ValueError(f"{path}: configuration {index} has no atoms")
        sizes.setdefault(len(frame), []).append(index)
    present = {name for one in labels for name in one}
    with new_hdf5(path) as file:
        version = VERSION if any(electrons) else 1
        file.attrs.update({"grouping": "by_num_atoms", "format": FORMAT, "format_version": version})
        file.attrs.update({"content_hash": content, "checksum": _checksum(content, texts)})
        file.attrs.update({f"unit_{name}": unit for name, unit in UNITS.items()})
        file.attrs["provenance"] = texts["provenance"]
        meta = file.create_group("_meta")
        for name in ("tags", "sources"):
            meta.create_dataset(name, data=texts[name], dtype=h5py.string_dtype())
        for size, indices in sizes.items():
            arrays = _arrays([frames[i] for i in indices], [labels[i] for i in indices], indices, present)
            arrays.update(_stated_arrays([electrons[i] for i in indices], size))
            _write_group(file.create_group(f"num_atoms_{size}"), arrays)
    return content


def read_dataset(path: str | os.PathLike[str]) -> Contents:
    """Read a file of :func:`write_dataset` and check its hashes.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: another kind of file, a later version, or contents that do not fit the hashes.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with h5py.File(path) as file:
            _check_format(path, file)
            texts: dict[str, Any] = {
                name: [str(text) for text in file["_meta"][name].asstr()[()]] for name in ("tags", "sources")
            }
            texts["provenance"] = str(file.attrs["provenance"])
            recorded = str(file.attrs["content_hash"])
            checksum = str(file.attrs["checksum"])
            numbered = [pair for name in file if name != "_meta" for pair in _read_group(file[name])]
    except (OSError, KeyError, RuntimeError, TypeError, IndexError, UnicodeDecodeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path}: damaged, or no dataset file: {error}") from error
    numbered.sort(key=lambda pair: pair[0])
    frames = [frame for _, frame in numbered]
    found = content_hash(frames)
    if [i for i, _ in numbered] != list(range(len(texts["tags"]))) or found != recorded:
        raise DatasetError(
            f"{path}: damaged or changed: the contents hash to {found[:16]}…, the file records {recorded[:16]}…; "
            "take it from a copy or make it anew"
        )
    if _checksum(found, texts) != checksum:
        raise DatasetError(f"{path}: damaged or changed: tags, sources or provenance do not fit the file's checksum")
    for frame, tag, source in zip(frames, texts["tags"], texts["sources"], strict=True):
        frame.info.update({"tag": tag, "source": source})
    return Contents(frames, found, json.loads(texts["provenance"]))


def is_dataset(path: str | os.PathLike[str]) -> bool:
    """Say whether an HDF5 file is one of ours."""
    try:
        with h5py.File(path) as file:
            return file.attrs.get("format") == FORMAT
    except OSError as error:
        raise DatasetError(f"{path}: damaged, or no HDF5 file: {error}") from error


def _check_format(path: str | os.PathLike[str], file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT:
        raise DatasetError(f"{path}: not a dataset that nnpal wrote; read_frames reads others, given their units")
    version = int(file.attrs["format_version"])
    if version > VERSION:
        raise DatasetError(f"{path}: format version {version}, this nnpal reads up to {VERSION}; install a later one")


def _arrays(
    frames: Sequence[Atoms], labels: Sequence[dict[str, Any]], indices: Sequence[int], present: set[str]
) -> dict[str, np.ndarray]:
    """Return the properties of configurations of one size; NaN for what some of them lack."""
    n_atoms = len(frames[0])
    arrays = {
        "species": np.array([frame.numbers for frame in frames], dtype=np.int64),
        "coordinates": np.array([frame.positions for frame in frames]),
        "cell": np.array([frame.cell.array for frame in frames]),
        "pbc": np.array([frame.pbc for frame in frames]),
        "index": np.array(indices, dtype=np.int64),
        "labels": np.array([sum(BITS[name] for name in one) for one in labels], dtype=np.int64),
    }
    if "energy" in present:
        arrays["energies"] = np.array([one.get("energy", np.nan) for one in labels])
    if "forces" in present:
        arrays["forces"] = np.array([one.get("forces", np.full((n_atoms, 3), np.nan)) for one in labels])
    if "stress" in present:
        stresses = np.full((len(frames), 3, 3), np.nan)
        for stress, one in zip(stresses, labels, strict=True):
            for value, (i, j) in zip(one.get("stress", ()), VOIGT, strict=False):
                stress[i, j] = stress[j, i] = value
        arrays["stresses"] = stresses
    return arrays


def _stated_arrays(electrons: Sequence[dict[str, Any]], n_atoms: int) -> dict[str, np.ndarray]:
    """Return what configurations of one size state of charge and spin; zero for what some of them do not.

    Raises:
        ValueError: moments that are not collinear, which the format does not hold.
    """
    present = [name for name in STATED if any(name in one for one in electrons)]
    if not present:
        return {}
    bits = [sum(STATED_BITS[name] for name in one) for one in electrons]
    arrays: dict[str, np.ndarray] = {"stated": np.array(bits, dtype=np.int64)}
    for name in present:
        if name in COLUMNS:
            columns = np.zeros((len(electrons), n_atoms))
            for row, one in zip(columns, electrons, strict=True):
                values = np.array(one.get(name, row))
                if values.shape != row.shape:
                    raise ValueError(f"{name} have shape {values.shape}, expected one number for each atom: collinear")
                row[:] = values
            arrays[name] = columns
        else:
            arrays[name] = np.array([one.get(name, 0) for one in electrons], dtype=np.int64)
    return arrays


def _stated(arrays: dict[str, np.ndarray], row: int) -> Electrons:
    bits = int(arrays["stated"][row]) if "stated" in arrays else 0
    return from_json({name: arrays[name][row].tolist() for name, bit in STATED_BITS.items() if bits & bit})


def _write_group(group: h5py.Group, arrays: dict[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        # Resizable, so that ANIDataset can append
        dataset = group.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]))
        if name in UNITS:
            dataset.attrs["unit"] = UNITS[name]


def _read_group(group: h5py.Group) -> list[tuple[int, Atoms]]:
    """Return (index, configuration) of each in a group."""
    arrays = {name: dataset[()] for name, dataset in group.items()}
    numbered = []
    for row, index in enumerate(arrays["index"]):
        atoms = Atoms(
            arrays["species"][row],
            positions=arrays["coordinates"][row],
            cell=arrays["cell"][row],
            pbc=arrays["pbc"][row],
        )
        put(atoms, _stated(arrays, row))
        held = {name for name, bit in BITS.items() if arrays["labels"][row] & bit}
        attach(
            atoms,
            energy=float(arrays["energies"][row]) if "energy" in held else None,
            forces=arrays["forces"][row] if "forces" in held else None,
            stress=to_voigt(arrays["stresses"][row], "stress") if "stress" in held else None,
        )
        numbered.append((int(index), atoms))
    return numbered


def _checksum(content: str, texts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([content, texts], sort_keys=True).encode()).hexdigest()
