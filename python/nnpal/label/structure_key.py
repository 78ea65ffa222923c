"""Key of a structure in a label store: its hash, with charge and spin if stated."""

from __future__ import annotations

import hashlib

import numpy as np
from ase import Atoms

from nnpal.geometry.electrons import COLUMNS, electrons_of, marks


def structure_key(atoms: Atoms) -> str:
    """Return the SHA-256 of a structure, with charge, spin, initial charges and moments if stated.

    Cell vectors along nonperiodic directions are ignored. If nothing but a charge of 0 is stated, it is the hash of
    the structure alone.
    """
    from nnpal.data.hashes import structure_hash  # imports torch, which workers do not need

    return _with_electrons(structure_hash(atoms), atoms)


def structure_key_with_box(atoms: Atoms) -> str:
    """Return the key of older stores, which hashed all cell vectors; it is the same if all directions are periodic."""
    from nnpal.data.hashes import structure_hash_with_box

    return _with_electrons(structure_hash_with_box(atoms), atoms)


def _with_electrons(digest: str, atoms: Atoms) -> str:
    stated = electrons_of(atoms)
    for name, column in zip(COLUMNS, (stated.charges, stated.moments), strict=True):
        if column is not None:
            values = np.ascontiguousarray(column, "<f8").tobytes()
            digest = hashlib.sha256(f"{digest} {name} ".encode() + values).hexdigest()
    for mark in marks(stated):
        digest = hashlib.sha256(digest.encode() + b" " + mark).hexdigest()
    return digest
