"""Hashes of structures and of labeled configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.columns import Columns
from nnpal.data.labels import NAMES, labels_of
from nnpal.geometry.electrons import COLUMNS, Electrons, electrons_of, marks

TOGETHER = 1000
"""Configurations that are copied at once, to bound memory."""


def structure_hash(atoms: Atoms) -> str:
    """Return the SHA-256 of atomic numbers, cell, periodicity and positions, bitwise and in the atoms' order.

    The sign of zeros and cell vectors along nonperiodic directions are ignored.

    Arguments:
        atoms: one configuration; lengths in Å.
    """
    return structure_hash_with_box(atoms, cell=atoms.cell.array * atoms.pbc[:, None])


def structure_hash_with_box(atoms: Atoms, cell: np.ndarray | None = None) -> str:
    """Return the hash with all cell vectors, or those of ``cell``, which older label stores use as the key."""
    return _sha256(part + 0 if part.dtype.kind == "f" else part for part in _structure(atoms, cell))


def content_hash(frames: Sequence[Atoms]) -> str:
    """Return the SHA-256 of structures and labels, in order; tags and sources are not included.

    Each structure is followed by its charge, spin, initial charges and moments if stated (except a charge of 0), by
    energy and forces, and by a marker and the stress if there is one.

    Arguments:
        frames: configurations, with or without labels.

    Raises:
        ValueError: a configuration that has changed since it was labeled.
    """
    if isinstance(frames, Columns):
        return _content_of_columns(frames)
    return _sha256(chunk for index, frame in enumerate(frames) for chunk in _configuration(index, frame))


def structure_hashes(columns: Columns) -> Iterator[bytes]:
    """Yield the SHA-256 of each structure, the bytes of :func:`structure_hash`."""
    for first in range(0, len(columns), TOGETHER):
        group = slice(first, first + TOGETHER)
        bounds = columns.starts[first : first + TOGETHER + 1].tolist()
        positions = _bytes(columns.positions[bounds[0] : bounds[-1]] + 0.0)
        cells = _bytes(columns.cells[group] * columns.pbc[group, :, None] + 0.0)
        numbers, periodic = _bytes(columns.numbers[bounds[0] : bounds[-1]]), _bytes(columns.pbc[group])
        for i, (start, end) in enumerate(pairwise(bound - bounds[0] for bound in bounds)):
            digest = hashlib.sha256(numbers[8 * start : 8 * end])
            digest.update(cells[72 * i : 72 * i + 72])
            digest.update(periodic[3 * i : 3 * i + 3])
            digest.update(positions[24 * start : 24 * end])
            yield digest.digest()


def _content_of_columns(columns: Columns) -> str:
    columns.require_consistent()
    parts = (columns.numbers, columns.cells, columns.pbc.astype("u1"), columns.positions)
    numbers, cells, periodic, positions = (_bytes(part) for part in parts)
    energies, forces, stresses = (_bytes(part) for part in (columns.energies, columns.forces, columns.stresses))
    has = [columns.has[name].tolist() for name in NAMES]
    digest = hashlib.sha256()
    for i, (start, end) in enumerate(pairwise(columns.starts.tolist())):
        digest.update(numbers[8 * start : 8 * end])
        digest.update(cells[72 * i : 72 * i + 72])
        digest.update(periodic[3 * i : 3 * i + 3])
        digest.update(positions[24 * start : 24 * end])
        if isinstance(stated := columns.electrons.get(i), Electrons):
            for chunk in _electrons(stated):
                digest.update(chunk)
        digest.update(energies[8 * i : 8 * i + 8] if has[0][i] else b"no energy")
        digest.update(forces[24 * start : 24 * end] if has[1][i] else b"no forces")
        if has[2][i]:
            digest.update(b"stress")
            digest.update(stresses[48 * i : 48 * i + 48])
    return digest.hexdigest()


def _bytes(values: np.ndarray) -> memoryview:
    """Return the bytes of an array: little-endian, 8 bytes per integer or float; else single bytes."""
    kind = {"i": "<i8", "f": "<f8"}.get(values.dtype.kind, "u1")
    return np.ascontiguousarray(values, dtype=kind).reshape(-1).data.cast("B")


def _configuration(index: int, frame: Atoms) -> Iterable[Any]:
    labels = labels_of(frame, f"configuration {index}")
    yield from _structure(frame)
    stated = electrons_of(frame, what=f"configuration {index}")
    yield from (np.frombuffer(chunk, dtype="u1") for chunk in _electrons(stated))
    for name in NAMES:
        if (name == "stress" and name in labels) or (name != "stress" and name not in labels):
            yield np.frombuffer(f"{'' if name in labels else 'no '}{name}".encode(), dtype="u1")
        if name in labels:
            yield np.atleast_1d(labels[name]).astype("<f8")


def _electrons(stated: Electrons) -> Iterator[bytes]:
    for name, column in zip(COLUMNS, (stated.charges, stated.moments), strict=True):
        if column is not None:
            yield name.encode()
            yield np.ascontiguousarray(column, dtype="<f8").tobytes()
    yield from marks(stated)


def _structure(atoms: Atoms, cell: np.ndarray | None = None) -> Iterable[Any]:
    yield atoms.numbers.astype("<i8")
    yield (atoms.cell.array if cell is None else cell).astype("<f8")
    yield atoms.pbc.astype("u1")
    yield atoms.positions.astype("<f8")


def _sha256(chunks: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(np.ascontiguousarray(chunk).tobytes())
    return digest.hexdigest()
