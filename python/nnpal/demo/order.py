"""Order parameter that distinguishes a face-centered cubic crystal from its melt."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def fcc_order(atoms: Atoms, repeat: int) -> float:
    """Return O = 1/(N_g N_A) Σ_g |Σ_i exp(i g·r_i)|², g over the shortest reciprocal vectors of the crystal.

    The eight g = 2π (±1, ±1, ±1)/a are multiples ±``repeat`` of the reciprocal vectors of the box, so O
    depends only on fractional coordinates: it is N_A for the perfect crystal of ``repeat``³ cubic
    cells, and about 1 for a liquid. Equation (2) of the supplementary text of Jung et al. on data
    distillation; g and −g give the same term, so four vectors suffice.

    Arguments:
        atoms: configuration of ``repeat`` conventional cells along each box vector.
        repeat: conventional cells along each box vector.
    """
    fractional = atoms.cell.scaled_positions(atoms.positions)
    directions = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    phases = 2.0 * np.pi * repeat * fractional @ directions.T
    structure_factor = np.abs(np.exp(1j * phases).sum(axis=0)) ** 2 / len(atoms)
    return float(structure_factor.mean())
