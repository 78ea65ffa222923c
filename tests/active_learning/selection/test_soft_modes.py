"""Soft motions along a pull, of springs whose normal modes are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ase import Atoms

from nnpal.active_learning.selection.soft_modes import ENERGY, MOST_ATOMS, displaced, soft_modes

AXIS = np.array([2.0, 1.0, -2.0]) / 3.0
WEAK, STIFF, SPRING = 3.0, 40.0, 20.0
BONDS = ((0, 1, WEAK), (1, 2, STIFF), (2, 3, WEAK))


def chain(n_atoms: int = 4) -> Atoms:
    return Atoms(f"C{n_atoms}", positions=np.outer(np.arange(n_atoms, dtype=float), AXIS) + np.array([0.3, 0.1, 0.2]))


def stiffness(bonds: Sequence[tuple[int, int, float]], n_atoms: int) -> np.ndarray:
    found = np.zeros((n_atoms, n_atoms))
    for i, j, k in bonds:
        ends = np.eye(n_atoms)[i] - np.eye(n_atoms)[j]
        found += k * np.outer(ends, ends)
    return found


def forces_of(rest: Atoms, bonds: Sequence[tuple[int, int, float]] = BONDS, across: float = 5.0):
    """Springs along the axis, and a hold across it that no motion along the axis may feel."""

    def forces(frames: Sequence[Atoms]) -> np.ndarray:
        shifts = np.array([frame.positions - rest.positions for frame in frames])
        along = shifts @ AXIS
        off = shifts - along[..., None] * AXIS
        return -(along @ stiffness(bonds, len(rest)))[..., None] * AXIS - across * off

    return forces


def test_modes_are_those_of_the_springs_with_that_of_the_pull() -> None:
    atoms = chain()
    modes = soft_modes(atoms, (0, 3), SPRING, forces_of(atoms))
    np.testing.assert_allclose(modes.direction, AXIS, atol=1e-12)
    values, vectors = np.linalg.eigh(stiffness((*BONDS, (0, 3, SPRING)), 4))
    np.testing.assert_allclose(modes.stiffness, values[1:], rtol=1e-9)  # the first moves all atoms alike
    np.testing.assert_allclose(np.abs(modes.vectors @ vectors[:, 1:]), np.eye(3), atol=1e-9)
    # the softest moves the middle from one weak bond to the other, while the spring holds the ends
    middle = np.array([-1.0, 1.0, 1.0, -1.0]) / 2
    assert abs(modes.vectors[0] @ middle) == pytest.approx(1.0, abs=1e-9)


def test_an_unstable_motion_is_the_first() -> None:
    atoms = chain()
    bonds = ((0, 1, -2.0), (1, 2, STIFF), (2, 3, -2.0))
    modes = soft_modes(atoms, (0, 3), SPRING, forces_of(atoms, bonds))
    # the middle moves one way and the ends the other, by a half each: two bonds of -2 eV/Å² change their length by 1
    assert modes.stiffness[0] == pytest.approx(-4.0)
    assert (np.diff(modes.stiffness) > 0).all()


def test_turning_a_molecule_is_no_mode() -> None:
    atoms = Atoms("C3", positions=[[0.0, 0.0, 0.0], [1.2, 1.0, 0.0], [2.4, 0.0, 0.0]])
    modes = soft_modes(atoms, (0, 2), SPRING, lambda frames: np.zeros((len(frames), 3, 3)))
    np.testing.assert_allclose(modes.stiffness, [2 * SPRING], rtol=1e-9)  # the spring alone
    atoms.cell, atoms.pbc = [9.0, 9.0, 9.0], True
    assert len(soft_modes(atoms, (0, 2), SPRING, lambda frames: np.zeros((len(frames), 3, 3))).stiffness) == 2


def test_of_many_atoms_those_near_the_pull_move() -> None:
    n_atoms = MOST_ATOMS + 20
    atoms = chain(n_atoms)
    bonds = [(i, i + 1, 1.0) for i in range(n_atoms - 1)]
    seen: list[int] = []
    forces = forces_of(atoms, bonds)

    def counted(frames: Sequence[Atoms]) -> np.ndarray:
        seen.append(len(frames))
        return forces(frames)

    modes = soft_modes(atoms, (0, 3), SPRING, counted)
    assert seen == [2 * MOST_ATOMS]
    assert not modes.vectors[:, MOST_ATOMS:].any()
    held = stiffness([*bonds, (0, 3, SPRING)], n_atoms)[:MOST_ATOMS, :MOST_ATOMS]
    np.testing.assert_allclose(modes.stiffness, np.linalg.eigvalsh(held)[:3], rtol=1e-8)


def test_displacements_stay_along_the_pull_and_within_their_bounds() -> None:
    atoms = chain()
    modes = soft_modes(atoms, (0, 3), SPRING, forces_of(atoms))
    rng = np.random.default_rng(1)
    largest = 0.15
    copies = [displaced(atoms, modes, largest, rng) for _ in range(300)]
    shifts = np.array([copy.positions - atoms.positions for copy in copies])
    along = shifts @ AXIS
    np.testing.assert_allclose(shifts, along[..., None] * AXIS, atol=1e-12)
    sizes = along @ modes.vectors.T  # of each mode
    bound = np.minimum(np.sqrt(2 * ENERGY / modes.stiffness), largest / np.abs(modes.vectors).max(axis=1))
    assert (np.abs(sizes) <= bound + 1e-12).all()
    assert (np.abs(sizes).max(axis=0) > 0.95 * bound).all()
    assert (np.abs(sizes.mean(axis=0)) < 0.1 * bound).all()
    assert bound[0] == pytest.approx(np.sqrt(ENERGY / WEAK))  # bound by its energy
    soft = soft_modes(atoms, (0, 3), SPRING, forces_of(atoms, ((0, 1, 0.01), (1, 2, STIFF), (2, 3, 0.01))))
    longest = max(np.abs(displaced(atoms, soft, 0.05, rng).positions - atoms.positions).max() for _ in range(50))
    assert 0.03 < longest <= 3 * 0.05  # bound by its length
