"""Distances to nearest images, where one vector does not repeat and lies askew too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from nnpal.geometry.nearest_image import nearest_distances


@pytest.mark.parametrize("pbc", list(itertools.product((True, False), repeat=3)))
def test_nearest_of_all_images(pbc: tuple[bool, bool, bool]) -> None:
    atoms = bulk("Al", a=4.05) * (1, 1, 6)
    atoms.rattle(0.1, seed=1)
    atoms.pbc = pbc
    apart = atoms.positions[None, [1, 5]] - atoms.positions[:, None]
    shifts = itertools.product(*[range(-6, 7) if repeats else (0,) for repeats in pbc])
    expected = np.min([np.linalg.norm(apart + np.array(s) @ atoms.cell.array, axis=-1) for s in shifts], axis=0)
    np.testing.assert_allclose(nearest_distances(atoms, range(6), [1, 5]), expected, atol=1e-12)


def test_without_a_cell() -> None:
    atoms = Atoms("H2", positions=[[0, 0, 0], [0, 3, 4]])
    np.testing.assert_allclose(nearest_distances(atoms, [0], [1]), [[5.0]])
