"""Distances to the nearest periodic images of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances


def nearest_distances(atoms: Atoms, ones: Sequence[int], others: Sequence[int]) -> np.ndarray:
    """Return distances of each of ``ones`` to the nearest image of each of ``others``, Å, [n_ones, n_others].

    Vectors along directions that do not repeat are left out: where one is askew, ASE's distances come out too long
    (findings/ase_mic_of_slabs_cut_askew.sh).
    """
    cell = atoms.cell.array * atoms.pbc[:, None]
    _, found = get_distances(atoms.positions[list(ones)], atoms.positions[list(others)], cell=cell, pbc=atoms.pbc)
    return np.asarray(found)
