"""Small constant forces that decide which bond breaks where neither velocities nor a bath do.

Of two bonds alike that stretch together, something must choose: in a pull at 0 K these forces, the same for every force
field, so that the activation energy is a smooth function of the potential and shows its bias without chance.
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
"""eV/Å, root mean square over atoms."""


def write_push(folder: Path, atoms: Atoms, pulled: tuple[int, int], seed: int) -> tuple[float, float, float]:
    """Write the forces as a file of LAMMPS's atomfile variables, and return their direction in LAMMPS's box: that of
    the pull.

    Arguments:
        folder: of the run.
        pulled: the two atoms, from 1.
        seed: of the pattern.
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

    Normal random numbers without the parts that would move all atoms, or turn a molecule, scaled to ``SIZE``. Of two
    atoms, between which there is one bond to break, equal forces along it are left, apart or together. Zeros where
    nothing is left: not along a pull.

    Arguments:
        direction: of the pull, of length 1, [3].
    """
    basis = rigid_motions(atoms, direction)
    drawn = np.random.default_rng(seed).normal(size=len(atoms))
    rest = drawn - basis @ (basis.T @ drawn)
    size = np.sqrt(np.mean(rest**2))
    pattern: np.ndarray = SIZE * rest / size if size > 1e-8 else np.zeros(len(atoms))
    return pattern
