"""Small constant forces that decide which bond breaks in a pull without thermal noise.

If two equivalent bonds stretch together at 0 K, these forces, equal for all force fields, choose one of them. So the
activation energy is a smooth function of the potential, and shows its systematic error without noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.active_learning.sampling.lammps_input import PUSH
from nnpal.geometry.along import rigid_motions
from nnpal.geometry.lammps_box import box_of
from nnpal.geometry.nearest_image import nearest_vectors
from nnpal.runtime.files import aside

SIZE = 0.03
"""Root mean square of the forces over atoms, eV/Å."""


def write_push(folder: Path, atoms: Atoms, pulled: tuple[int, int], seed: int) -> tuple[float, float, float]:
    """Write the forces as a file of LAMMPS's atomfile variables; return their direction, that of the pull.

    The direction is that in LAMMPS's box.

    Arguments:
        folder: folder of the run.
        atoms: initial structure.
        pulled: the two pulled atoms, from 1.
        seed: random seed of the pattern.
    """
    direction = nearest_vectors(atoms, [pulled[0] - 1], [pulled[1] - 1])[0, 0]
    unit = direction / np.linalg.norm(direction)
    forces = push_pattern(atoms, unit, seed)
    lines = [f"{len(atoms)}", *(f"{i} {force!r}" for i, force in enumerate(forces.tolist(), 1))]
    with aside(folder / PUSH) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    turned = box_of(atoms).turn @ unit
    return (float(turned[0]), float(turned[1]), float(turned[2]))


def push_pattern(atoms: Atoms, direction: np.ndarray, seed: int) -> np.ndarray:
    """Return the force of each atom along the pull, eV/Å, [n_atoms].

    Normal random numbers without their components along translations, and rotations of a molecule, scaled to ``SIZE``.
    For two atoms, with only one bond to break, equal and opposite forces along it remain. Zeros if nothing remains,
    which does not occur along a pull.

    Arguments:
        direction: unit vector of the pull, [3].
    """
    basis = rigid_motions(atoms, direction)
    drawn = np.random.default_rng(seed).normal(size=len(atoms))
    rest = drawn - basis @ (basis.T @ drawn)
    size = np.sqrt(np.mean(rest**2))
    pattern: np.ndarray = SIZE * rest / size if size > 1e-8 else np.zeros(len(atoms))
    return pattern
