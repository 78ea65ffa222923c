"""Slopes of a model's energy by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
"""Steps and weights of the fourth-order central difference."""
STEP = 1e-4
"""Å, length of the vector of all displacements, about 1e-5 Å per atom. CELU's second derivative jumps by 1/alpha at 0:
with steps of 1e-3 Å so many neurons cross 0 that 1 of 40 configurations of correct random models exceeded the gate's
tolerance; with 1e-4 Å the largest difference is 0.6 % of it."""
STRAIN_STEP = 1e-5
"""Moves atoms at the cutoff distance by less than 1e-4 Å, so that few pairs cross the cutoff, where the second
derivative of a cosine cutoff jumps."""


def random_directions(n_atoms: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return random unit vectors over all coordinates, [count, n_atoms, 3]."""
    directions = rng.normal(size=(count, n_atoms, 3))
    return directions / np.linalg.norm(directions, axis=(1, 2), keepdims=True)


def random_strains(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return random symmetric matrices of unit norm, [count, 3, 3]."""
    strains = rng.normal(size=(count, 3, 3))
    strains = strains + strains.transpose(0, 2, 1)
    return strains / np.linalg.norm(strains, axis=(1, 2), keepdims=True)


def displaced(atoms: Atoms, direction: NDArray[np.float64]) -> list[Atoms]:
    """Return the configurations of the stencil along ``direction``, [n_atoms, 3]."""
    found = []
    for k in STENCIL:
        copy = atoms.copy()
        copy.positions += k * STEP * direction
        found.append(copy)
    return found


def strained(atoms: Atoms, strain: NDArray[np.float64]) -> list[Atoms]:
    """Return the configurations of the stencil, atoms and cell times 1 + k STRAIN_STEP strain; strain is [3, 3]."""
    found = []
    for k in STENCIL:
        copy = atoms.copy()
        copy.set_cell(atoms.cell[:] @ (np.eye(3) + k * STRAIN_STEP * strain), scale_atoms=True)
        found.append(copy)
    return found


def slopes(
    groups: Sequence[Sequence[Atoms]], step: float, energies: Callable[[Sequence[Atoms]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return dE/dx of each group of stencil configurations, [n_groups]; ``energies`` evaluates a list of them."""
    values = energies([atoms for group in groups for atoms in group]).reshape(len(groups), len(STENCIL))
    return values @ np.array(list(STENCIL.values())) / step
