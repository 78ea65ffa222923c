"""Vectors and distances to the nearest periodic images of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances


def nearest_vectors(atoms: Atoms, ones: Sequence[int], others: Sequence[int]) -> np.ndarray:
    """Return vectors from each of ``ones`` to the nearest image of each of ``others``, Å, [n_ones, n_others, 3].

    Cell vectors along nonperiodic directions are set to zero: if one is oblique, ASE's distances are too long
    (findings/ase_mic_of_slabs_cut_askew.sh).
    """
    return np.asarray(_nearest(atoms, ones, others)[0])


def nearest_distances(atoms: Atoms, ones: Sequence[int], others: Sequence[int]) -> np.ndarray:
    """Return the lengths of :func:`nearest_vectors`, Å, [n_ones, n_others]."""
    return np.asarray(_nearest(atoms, ones, others)[1])


def _nearest(atoms: Atoms, ones: Sequence[int], others: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    cell = atoms.cell.array * atoms.pbc[:, None]
    vectors, lengths = get_distances(
        atoms.positions[list(ones)], atoms.positions[list(others)], cell=cell, pbc=atoms.pbc
    )
    return vectors, lengths
