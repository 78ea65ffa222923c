"""The key of a structure in a label store: its hash, with charge and spin where any are stated."""

from __future__ import annotations

import hashlib

import numpy as np
from ase import Atoms

from nnpal.geometry.electrons import COLUMNS, electrons_of, marks


def structure_key(atoms: Atoms) -> str:
    """Return the SHA-256 of a structure, with charge, spin, initial charges and moments where any are stated.

    Cell vectors along directions that do not repeat play no part. Of a structure that states nothing, or a charge of 0,
    it is the hash of the structure alone.
    """
    from nnpal.data.hashes import structure_hash  # brings torch, which workers do without

    return _with_electrons(structure_hash(atoms), atoms)


def structure_key_with_box(atoms: Atoms) -> str:
    """Return the key of older stores, which hashed all cell vectors; the same where all directions repeat."""
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
