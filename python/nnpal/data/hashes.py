"""Hashes of structures and of labelled configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.labels import NAMES, labels_of


def structure_hash(atoms: Atoms) -> str:
    """Return the SHA-256 of atomic numbers, cell, periodicity and positions, to the last bit and in the atoms' order.

    Only the sign of zeros does not count.
    """
    return _sha256(part + 0 if part.dtype.kind == "f" else part for part in _structure(atoms))


def content_hash(frames: Sequence[Atoms]) -> str:
    """Return the SHA-256 of structures and labels, in order; tags and sources play no part.

    Energies and forces follow the structure as they are; a stress follows a mark, where there is one.

    Raises:
        ValueError: a configuration that has changed since it was labelled.
    """
    return _sha256(chunk for index, frame in enumerate(frames) for chunk in _configuration(index, frame))


def _configuration(index: int, frame: Atoms) -> Iterable[Any]:
    labels = labels_of(frame, f"configuration {index}")
    yield from _structure(frame)
    for name in NAMES:
        if (name == "stress" and name in labels) or (name != "stress" and name not in labels):
            yield np.frombuffer(f"{'' if name in labels else 'no '}{name}".encode(), dtype="u1")
        if name in labels:
            yield np.atleast_1d(labels[name]).astype("<f8")


def _structure(atoms: Atoms) -> Iterable[Any]:
    yield atoms.numbers.astype("<i8")
    yield atoms.cell.array.astype("<f8")
    yield atoms.pbc.astype("u1")
    yield atoms.positions.astype("<f8")


def _sha256(chunks: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(np.ascontiguousarray(chunk).tobytes())
    return digest.hexdigest()
