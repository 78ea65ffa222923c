"""Rotations of the ends of a molecule that is pulled apart: butane whose ends were turned by known angles."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from nnpal.smd.rotation import bonded_groups, end_rotations


@pytest.fixture(scope="module")
def butane() -> tuple[Atoms, tuple[int, int]]:
    found = molecule("trans-butane")
    carbons = [k for k, symbol in enumerate(found.symbols) if symbol == "C"]
    lengths = {(i, j): found.get_distance(i, j) for i in carbons for j in carbons if i < j}
    return found, max(lengths, key=lengths.get)  # type: ignore[arg-type]


def turned(atoms: Atoms, pivot: int, group: list[int], axis: np.ndarray, angle: float) -> Atoms:
    found = atoms.copy()
    part = Atoms("H" * len(group), positions=found.positions[group])
    part.rotate(angle, axis, center=found.positions[pivot])
    found.positions[group] = part.positions
    return found


def test_the_ends_are_the_hydrogens_of_the_outer_carbons(butane):
    atoms, (i, j) = butane
    left, right = bonded_groups(atoms, (i, j))
    assert (len(left), len(right)) == (3, 3)
    assert {*atoms.symbols[left], *atoms.symbols[right]} == {"H"}
    assert not {*left} & {*right}


@pytest.mark.parametrize(("twist", "tilt"), [(0.0, 0.0), (30.0, 0.0), (-75.0, 0.0), (0.0, 20.0), (25.0, 15.0)])
def test_twist_and_tilt_of_one_end_are_found_however_the_molecule_moves(butane, twist, tilt):
    atoms, (i, j) = butane
    left, _ = bonded_groups(atoms, (i, j))
    line = atoms.positions[j] - atoms.positions[i]
    across = np.cross(line, [0.3, 0.2, 0.9])
    other = turned(turned(atoms, i, left, line, twist), i, left, across, tilt)
    other.rotate(67.0, [1.0, 2.0, -0.5])  # as a whole
    other.translate([3.0, -1.0, 2.0])
    found = end_rotations([atoms, other], (i, j))
    np.testing.assert_allclose(found.twist, [[0.0, 0.0], [twist, 0.0]], atol=1e-6)
    np.testing.assert_allclose(found.tilt, [[0.0, 0.0], [tilt, 0.0]], atol=1e-5)


def test_turns_add_up_over_more_than_one_round(butane):
    atoms, (i, j) = butane
    _, right = bonded_groups(atoms, (i, j))
    line = atoms.positions[i] - atoms.positions[j]  # so the sense is the other one
    frames = [turned(atoms, j, right, line, 50.0 * n) for n in range(10)]
    found = end_rotations(frames, (i, j))
    np.testing.assert_allclose(found.twist[:, 1], -50.0 * np.arange(10), atol=1e-6)
    np.testing.assert_allclose(found.twist[:, 0], 0.0, atol=1e-6)
    half = atoms.copy()
    half.rotate(180.0, np.cross(line, [0.0, 0.1, 1.0]), center="COM")
    np.testing.assert_allclose(end_rotations([atoms, half], (i, j)).twist, 0.0, atol=1e-6)


def test_a_stretched_chain_has_not_turned(butane):
    atoms, (i, j) = butane
    left, _ = bonded_groups(atoms, (i, j))
    far = atoms.copy()
    far.positions[[i, *left]] -= 0.8 * (atoms.positions[j] - atoms.positions[i])
    found = end_rotations([atoms, far], (i, j))
    np.testing.assert_allclose([found.twist, found.tilt], 0.0, atol=1e-5)


def test_a_molecule_across_a_periodic_boundary_among_others_turns_alike(butane):
    atoms, (i, j) = butane
    left, _ = bonded_groups(atoms, (i, j))
    other = turned(atoms, i, left, atoms.positions[j] - atoms.positions[i], 30.0)
    frames = []
    for frame, move in ((atoms, 0.0), (other, 3.0)):
        beside = Atoms("Ne2", positions=[[9.0, 9.0, 9.0], [9.0, 9.0 + move, 2.0]])  # a neighbor that moves by itself
        full = frame + beside
        full.cell, full.pbc = [[14.0, 0.0, 0.0], [3.0, 14.0, 0.0], [0.0, -2.0, 14.0]], True
        full.positions[: len(frame)] -= frame.positions[[i]]  # the first pulled atom lies at a corner
        full.wrap()
        frames.append(full)
    assert np.ptp(frames[0].positions[: len(atoms)], axis=0).max() > 10.0
    found = end_rotations(frames, (i, j))
    np.testing.assert_allclose(found.twist[1], [30.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.tilt[1], [0.0, 0.0], atol=1e-5)


def test_ends_that_cannot_turn_are_refused():
    water = molecule("H2O")
    with pytest.raises(ValueError, match="atom 2: 0 atoms turn with it, expected 2 or more"):
        end_rotations([water], (1, 2))
    with pytest.raises(ValueError, match="frames: none"):
        end_rotations([], (0, 1))
