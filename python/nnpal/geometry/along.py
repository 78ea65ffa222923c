"""Displacements of atoms along one direction."""

from __future__ import annotations

import numpy as np
from ase import Atoms

SAME = 1e-8


def rigid_motions(atoms: Atoms, direction: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the rigid translations and rotations, as displacements along a direction.

    Periodic systems cannot rotate.

    Arguments:
        direction: unit vector, [3].

    Returns:
        Displacement of each atom along the direction, [n_atoms, n_motions].
    """
    motions = [np.ones(len(atoms))]
    if not atoms.pbc.any():
        across = np.linalg.svd(direction[None])[2][1:]
        motions += list(across @ (atoms.positions - atoms.positions.mean(axis=0)).T)
    basis, sizes, _ = np.linalg.svd(np.array(motions).T, full_matrices=False)
    found: np.ndarray = basis[:, sizes > SAME * sizes[0]]
    return found
