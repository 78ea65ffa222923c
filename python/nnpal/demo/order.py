"""Order parameter that tells a face-centered cubic crystal from its melt."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def fcc_order(atoms: Atoms, repeat: int) -> float:
    """Return O = 1/(N_g N_A) Σ_g |Σ_i exp(i g·r_i)|², g over the shortest reciprocal vectors of the crystal.

    The eight g = 2π (±1, ±1, ±1)/a are taken as multiples ±``repeat`` of the box's own reciprocal
    vectors, so O depends on fractional coordinates alone: N_A for the perfect crystal of
    ``repeat``³ cubic cells, about 1 for a liquid. Equation (2) of the supplementary text of Jung et
    al. on data distillation; g and −g give the same term, so four suffice.

    Arguments:
        atoms: configuration made from ``repeat`` conventional cells along each box vector.
        repeat: conventional cells along each box vector.
    """
    fractional = atoms.cell.scaled_positions(atoms.positions)
    directions = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    phases = 2.0 * np.pi * repeat * fractional @ directions.T
    structure_factor = np.abs(np.exp(1j * phases).sum(axis=0)) ** 2 / len(atoms)
    return float(structure_factor.mean())
