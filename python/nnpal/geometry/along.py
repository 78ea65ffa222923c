"""Displacements of atoms along one direction."""

from __future__ import annotations

import numpy as np
from ase import Atoms

SAME = 1e-8


def rigid_motions(atoms: Atoms, direction: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the displacements along a direction that move, or turn, all atoms as one.

    Nothing that repeats can turn.

    Arguments:
        direction: of length 1, [3].

    Returns:
        How far each atom moves along the direction, [n_atoms, n_motions].
    """
    motions = [np.ones(len(atoms))]
    if not atoms.pbc.any():
        across = np.linalg.svd(direction[None])[2][1:]
        motions += list(across @ (atoms.positions - atoms.positions.mean(axis=0)).T)
    basis, sizes, _ = np.linalg.svd(np.array(motions).T, full_matrices=False)
    found: np.ndarray = basis[:, sizes > SAME * sizes[0]]
    return found
