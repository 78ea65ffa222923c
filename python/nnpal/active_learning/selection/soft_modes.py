"""Soft motions along a pull, and configurations displaced along them.

Near a bond rupture the model's forces along the path may be right, but not its stiffness off the path; then another
bond breaks, or the bond breaks later. Displaced configurations provide the stiffness. For two equal bonds that compete,
the softest motion along the pull moves the atoms between them from one towards the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.linalg import null_space

from nnpal.geometry.along import rigid_motions
from nnpal.geometry.nearest_image import nearest_vectors

STEP = 0.01
"""Step of the central differences of forces, Å."""
SOFTEST = 3
"""Number of modes along which a configuration is displaced."""
ENERGY = 0.1
"""Largest energy of a displacement along one mode, to second order, eV."""
SOFT = 0.05
"""Smallest absolute stiffness of a mode used for displacements, eV/Å²."""
MOST_ATOMS = 60
"""Largest number of atoms that move, those nearest to the pulled ones."""

Forces = Callable[[Sequence[Atoms]], np.ndarray]
"""Configurations of n atoms each -> forces, eV/Å, [n_configurations, n, 3]."""


@dataclass(frozen=True)
class Modes:
    """Modes of motion of atoms along a pull.

    Attributes:
        direction: unit vector of the pull, [3].
        stiffness: stiffness of each mode, the softest first, eV/Å², [n_modes].
        vectors: displacements of the atoms along ``direction`` in each mode, of norm 1, [n_modes, n_atoms].
    """

    direction: np.ndarray
    stiffness: np.ndarray
    vectors: np.ndarray


def soft_modes(atoms: Atoms, pulled: tuple[int, int], spring: float, forces: Forces) -> Modes:
    """Return the softest modes of a configuration along its pull.

    K is the Hessian of the potential and the spring, restricted to displacements of atoms along the pull's direction u,
    by central differences of forces::

        K_ab = -d(F_a . u)/dx_b + k (1_ai - 1_aj)(1_bi - 1_bj)

    Translations, and rotations of a molecule, are projected out. There is no mass weighting: the modes describe the
    potential, not vibrations.

    Arguments:
        atoms: the configuration.
        pulled: indices i, j of the two atoms that the spring pulls, from 0.
        spring: spring constant k, eV/Å².
        forces: forces of the model.
    """
    i, j = pulled
    vector = nearest_vectors(atoms, [i], [j])[0, 0]
    direction = vector / np.linalg.norm(vector)
    moving = _nearest(atoms, pulled)
    copies = []
    for atom in moving:
        for sign in (1.0, -1.0):
            copy = atoms.copy()
            copy.positions[atom] += sign * STEP * direction
            copies.append(copy)
    along = forces(copies)[:, moving] @ direction
    stiffness = -(along[::2] - along[1::2]) / (2 * STEP)
    ends = (moving == i).astype(float) - (moving == j)
    stiffness = 0.5 * (stiffness + stiffness.T) + spring * np.outer(ends, ends)
    free = _free(atoms, moving, direction)
    values, vectors = np.linalg.eigh(free.T @ stiffness @ free)
    n_modes = min(SOFTEST, len(values))
    full = np.zeros((n_modes, len(atoms)))
    full[:, moving] = (free @ vectors[:, :n_modes]).T
    return Modes(direction, values[:n_modes], full)


def displaced(atoms: Atoms, modes: Modes, largest: float, rng: np.random.Generator) -> Atoms:
    """Return a copy of a configuration, displaced along its soft modes.

    The amplitude of each mode is uniform in ±A. A is the largest value for which the mode alone costs at most
    ``ENERGY`` and no atom moves farther than ``largest``.

    Arguments:
        atoms: the configuration.
        modes: its soft modes.
        largest: largest displacement of an atom along one mode, Å.
        rng: random generator.
    """
    shift = np.zeros(len(atoms))
    for stiffness, vector in zip(modes.stiffness, modes.vectors, strict=True):
        size = min(np.sqrt(2 * ENERGY / max(abs(stiffness), SOFT)), largest / np.abs(vector).max())
        shift += rng.uniform(-size, size) * vector
    copy: Atoms = atoms.copy()
    copy.set_constraint()
    copy.positions += np.outer(shift, modes.direction)
    return copy


def _nearest(atoms: Atoms, pulled: tuple[int, int]) -> np.ndarray:
    """Return the atoms nearest to the two that are pulled, in the order of the configuration."""
    if len(atoms) <= MOST_ATOMS:
        return np.arange(len(atoms))
    vectors = nearest_vectors(atoms, list(pulled), range(len(atoms)))
    distance = np.linalg.norm(vectors, axis=2).min(axis=0)
    return np.sort(np.argsort(distance, kind="stable")[:MOST_ATOMS])


def _free(atoms: Atoms, moving: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return a basis of displacements without translation and rotation, [n_moving, n_free].

    If only some of the atoms move, all their displacements are included, since the others hold them in place.
    """
    if len(moving) < len(atoms):
        return np.eye(len(moving))
    free: np.ndarray = null_space(rigid_motions(atoms, direction).T)
    return free
