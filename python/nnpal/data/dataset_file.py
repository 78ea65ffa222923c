"""nnpal's dataset file: HDF5 in the layout of TorchANI's `ANIDataset`, in eV and Å, with order, tags and sources."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.data.columns import Columns, joined
from nnpal.data.error import DatasetError
from nnpal.data.hashes import content_hash
from nnpal.data.labels import NAMES, VOIGT, to_voigt
from nnpal.geometry.electrons import COLUMNS, Electrons, from_json, to_json
from nnpal.runtime.hdf5_image import check_seal, new_hdf5

FORMAT = "nnpal dataset"
VERSION = 2
"""Version of files that store charge or spin; others have version 1, which older versions of nnpal can read."""
STATED = ("charge", "multiplicity", *COLUMNS)
# Units of each property, as attributes of the file and of the HDF5 dataset
UNITS = {"coordinates": "Å", "cell": "Å", "energies": "eV", "forces": "eV/Å", "stresses": "eV/Å³",
         "charge": "e", "initial_charges": "e", "initial_magmoms": "μB"}  # fmt: skip
TOGETHER = 1000  # texts that are converted at once
CHUNK = 1 << 18  # approximate size of an HDF5 chunk, bytes
BITS = {name: 1 << i for i, name in enumerate(NAMES)}  # of the property `labels`: which labels are present
STATED_BITS = {name: 1 << i for i, name in enumerate(STATED)}  # of the property `stated`


@dataclass(frozen=True)
class Contents:
    """Contents of a dataset file: configurations in the order in which they were written, hash and provenance."""

    frames: list[Atoms]
    content_hash: str
    provenance: dict[str, Any]


@dataclass(frozen=True)
class ColumnContents:
    """Contents of a dataset file, with the configurations as columns."""

    frames: Columns
    content_hash: str
    provenance: dict[str, Any]


def write_dataset(path: str | os.PathLike[str], frames: Sequence[Atoms], *, provenance: dict[str, Any]) -> str:
    """Write configurations with the labels that they have, atomically; return their content hash.

    Stored are atomic numbers, positions, cell, periodicity, charge and multiplicity, initial charges and moments,
    energy, forces, stress, `info["tag"]` and `info["source"]`, nothing else.

    Arguments:
        path: file name; it ends in .h5, by which TorchANI recognizes the format.
        frames: configurations, with or without labels; eV, Å.
        provenance: origin of the configurations; anything that JSON can represent.

    Returns:
        The content hash, SHA-256 in hexadecimal digits.

    Raises:
        ValueError: no configuration, one without atoms, one that has changed since it was labeled, or another suffix.
        TypeError: provenance that is not valid JSON, or one configuration in place of a list.
        nnpal.runtime.disk_full.DiskFullError: the disk is full.

    Example:
        >>> from nnpal import read_frames, write_dataset
        >>> frames = read_frames("labeled.h5")
        >>> content_hash = write_dataset("copy.h5", frames[:2], provenance={"from": "labeled.h5"})
        >>> len(content_hash)
        64
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise ValueError(f"{path}: expected a name ending in .h5, by which TorchANI recognizes the format")
    if not frames:
        raise ValueError(f"{path}: no configurations to write")
    columns = Columns.of(frames)
    columns.require_consistent()
    if not columns.sizes.all():
        raise ValueError(f"{path}: configuration {int(columns.sizes.argmin())} has no atoms")
    texts = {
        "tags": [tag or "" for tag in columns.tags],
        "sources": [source or "" for source in columns.sources],
        "provenance": json.dumps(provenance, sort_keys=True, ensure_ascii=False),
    }
    content = content_hash(columns)
    with new_hdf5(path) as file:
        version = VERSION if columns.electrons else 1
        file.attrs.update({"grouping": "by_num_atoms", "format": FORMAT, "format_version": version})
        file.attrs.update({"content_hash": content, "checksum": _checksum(content, texts)})
        file.attrs.update({f"unit_{name}": unit for name, unit in UNITS.items()})
        file.attrs["provenance"] = texts["provenance"]
        meta = file.create_group("_meta")
        for name in ("tags", "sources"):
            meta.create_dataset(name, data=texts[name], dtype=h5py.string_dtype())
        for size in dict.fromkeys(columns.sizes.tolist()):
            group = file.create_group(f"num_atoms_{size}")
            for name, values in _arrays(columns, np.flatnonzero(columns.sizes == size)):
                _write_array(group, name, values)
    return content


def read_dataset(path: str | os.PathLike[str]) -> Contents:
    """Read a file of :func:`write_dataset` into a list of configurations, and check its hashes.

    Arguments:
        path: file, .h5.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: another kind of file, a later version, or contents that do not match the hashes.
    """
    contents = read_dataset_columns(path)
    return Contents(list(contents.frames), contents.content_hash, contents.provenance)


def read_dataset_columns(path: str | os.PathLike[str]) -> ColumnContents:
    """Read a file of :func:`write_dataset` and check its hashes.

    Raises:
        FileNotFoundError: no such file.
        DatasetError: another kind of file, a later version, or contents that do not match the hashes.
    """
    if Path(path).is_dir():
        raise DatasetError(f"{path}: a folder, expected a dataset file (.h5)")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        check_seal(path)
        with h5py.File(path) as file:
            _check_format(path, file)
            texts: dict[str, Any] = {name: _texts(file["_meta"][name]) for name in ("tags", "sources")}
            texts["provenance"] = str(file.attrs["provenance"])
            recorded = str(file.attrs["content_hash"])
            checksum = str(file.attrs["checksum"])
            columns, indices = _columns(
                [{key: dataset[()] for key, dataset in file[name].items()} for name in file if name != "_meta"], texts
            )
    except DatasetError:
        raise
    except Exception as error:  # from h5py and NumPy
        raise DatasetError(f"{path}: damaged, or not a dataset file: {error}") from error
    found = content_hash(columns)
    if not np.array_equal(indices, np.arange(len(texts["tags"]))) or found != recorded:
        raise DatasetError(
            f"{path}: damaged or changed: the contents hash to {found[:16]}…, the file records {recorded[:16]}…; "
            "restore it from a copy or recreate it"
        )
    if _checksum(found, texts) != checksum:
        raise DatasetError(f"{path}: damaged or changed: tags, sources or provenance do not fit the file's checksum")
    return ColumnContents(columns, found, json.loads(texts["provenance"]))


def _texts(dataset: h5py.Dataset) -> list[str]:
    """Return texts; equal ones share memory."""
    known: dict[str, str] = {}
    found: list[str] = []
    for start in range(0, len(dataset), TOGETHER):
        found += [known.setdefault(text, text) for text in dataset.asstr()[start : start + TOGETHER]]
    return found


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the provenance that :func:`write_dataset` stored; the rest of the file is not checked."""
    with h5py.File(path) as file:
        return dict(json.loads(str(file.attrs["provenance"])))


def is_dataset(path: str | os.PathLike[str]) -> bool:
    """Return whether an HDF5 file was written by nnpal."""
    try:
        check_seal(path)
        with h5py.File(path) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: damaged, or not an HDF5 file: {error}") from error


def _check_format(path: str | os.PathLike[str], file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT:
        raise DatasetError(f"{path}: not a dataset that nnpal wrote; read_frames reads others, given their units")
    version = int(file.attrs["format_version"])
    if version > VERSION:
        raise DatasetError(
            f"{path}: format version {version}, this version of nnpal reads up to {VERSION}; install a later one"
        )


def _arrays(columns: Columns, indices: NDArray[np.int64]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the properties of configurations of one size; missing values are NaN."""
    n, atoms = len(indices), columns.atoms_in(indices)
    has = {name: there[indices] for name, there in columns.has.items()}
    yield "species", columns.numbers[atoms].reshape(n, -1)
    yield "coordinates", columns.positions[atoms].reshape(n, -1, 3)
    yield "cell", columns.cells[indices]
    yield "pbc", columns.pbc[indices]
    yield "index", indices
    yield "labels", np.array([bit * has[name] for name, bit in BITS.items()]).sum(axis=0, dtype=np.int64)
    if columns.has["energy"].any():
        yield "energies", np.where(has["energy"], columns.energies[indices], np.nan)
    if columns.has["forces"].any():
        forces = columns.forces[atoms].reshape(n, -1, 3)
        forces[~has["forces"]] = np.nan
        yield "forces", forces
    if columns.has["stress"].any():
        stresses = np.full((n, 3, 3), np.nan)
        for k, (i, j) in enumerate(VOIGT):
            stresses[has["stress"], i, j] = stresses[has["stress"], j, i] = columns.stresses[indices, k][has["stress"]]
        yield "stresses", stresses
    if columns.electrons and not columns.electrons.keys().isdisjoint(indices.tolist()):
        own = [columns.electrons.get(index, Electrons()) for index in indices.tolist()]
        stated = [to_json(one) if isinstance(one, Electrons) else {} for one in own]
        yield from _stated_arrays(stated, int(columns.sizes[indices[0]])).items()


def _stated_arrays(electrons: Sequence[dict[str, Any]], n_atoms: int) -> dict[str, np.ndarray]:
    """Return charge and spin of configurations of one size; values that are not stated are zero.

    Raises:
        ValueError: noncollinear moments, which the format cannot store.
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


def _write_array(group: h5py.Group, name: str, values: np.ndarray) -> None:
    # Resizable, so that ANIDataset can append; chunks of whole rows are read with little memory
    rows = max(1, min(len(values), CHUNK * len(values) // values.nbytes))
    dataset = group.create_dataset(
        name, data=values, maxshape=(None, *values.shape[1:]), chunks=(rows, *values.shape[1:])
    )
    if name in UNITS:
        dataset.attrs["unit"] = UNITS[name]


def _columns(groups: Sequence[dict[str, np.ndarray]], texts: dict[str, Any]) -> tuple[Columns, NDArray[np.int64]]:
    """Return all configurations in order, and their stored indices."""
    parts = [_of_group(arrays) for arrays in groups if len(arrays["index"])]
    if not parts:
        raise ValueError("it holds no configuration")
    indices = np.concatenate([arrays["index"] for arrays in groups if len(arrays["index"])])
    order = np.argsort(indices, kind="stable")
    columns = joined(parts).take(order)
    n = len(columns)
    return replace(columns, tags=texts["tags"][:n], sources=texts["sources"][:n]), indices[order]


def _of_group(arrays: dict[str, np.ndarray]) -> Columns:
    """Return the configurations of a group, without tags and sources, which are stored elsewhere."""
    n, n_atoms = arrays["species"].shape
    has = {name: (arrays["labels"] & bit).astype(bool) for name, bit in BITS.items()}
    stresses = np.zeros((n, 6))
    if has["stress"].any():
        stresses = np.stack([arrays["stresses"][:, i, j] for i, j in VOIGT], axis=1)
        for index in np.flatnonzero(has["stress"] & ~np.isclose(*_off_diagonal(arrays["stresses"])).all(axis=1)):
            to_voigt(arrays["stresses"][index], "stress")
    return Columns(
        np.full(n, n_atoms, dtype=np.int64),
        arrays["species"].astype(np.int64, copy=False).ravel(),
        arrays["coordinates"].astype(float, copy=False).reshape(n * n_atoms, 3),
        arrays["cell"].astype(float, copy=False).reshape(n, 3, 3),
        arrays["pbc"].astype(bool).reshape(n, 3),
        has,
        np.asarray(arrays["energies"], dtype=float).reshape(n) if has["energy"].any() else np.zeros(n),
        arrays["forces"].astype(float, copy=False).reshape(-1, 3)
        if has["forces"].any()
        else np.zeros((n * n_atoms, 3)),
        stresses,
        [None] * n,
        [None] * n,
        electrons=_electrons(arrays),
    )


def _electrons(arrays: dict[str, np.ndarray]) -> dict[int, Electrons]:
    """Return the stated charge and spin of configurations of a group, by row."""
    stated = arrays.get("stated", np.zeros(0, dtype=np.int64))
    return {
        row: from_json({name: arrays[name][row].tolist() for name, bit in STATED_BITS.items() if stated[row] & bit})
        for row in np.flatnonzero(stated).tolist()
    }


def _off_diagonal(stresses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return stresses[:, (1, 0, 0), (2, 2, 1)], stresses[:, (2, 2, 1), (1, 0, 0)]


def _checksum(content: str, texts: dict[str, Any]) -> str:
    """Return the SHA-256 of `[content, texts]` as JSON with sorted keys, encoded in parts."""
    digest = hashlib.sha256(f"[{json.dumps(content)}, {{".encode())
    for k, (name, value) in enumerate(sorted(texts.items())):
        digest.update(f"{', ' * (k > 0)}{json.dumps(name)}: ".encode())
        if isinstance(value, str):
            digest.update(json.dumps(value).encode())
            continue
        digest.update(b"[")
        for start in range(0, len(value), TOGETHER):
            part = json.dumps(value[start : start + TOGETHER])[1:-1]
            digest.update(f"{', ' * (start > 0)}{part}".encode())
        digest.update(b"]")
    digest.update(b"}]")
    return digest.hexdigest()
