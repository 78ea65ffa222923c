"""Random labeled configurations: of various sizes, elements and boundaries, and valid ones that pass all checks."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk

from nnpal.data import attach, labels_of

BOUNDARIES = ((False, False, False), (True, True, True), (True, False, True), (True, True, True))


def random_frames(n: int = 8, seed: int = 3) -> list[Atoms]:
    """Return open and (partly) periodic frames in triclinic cells; some have a stress, or atoms outside the cell."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(n):
        symbols = rng.choice(["H", "C", "Ni"], size=rng.integers(1, 7))
        pbc = BOUNDARIES[i % len(BOUNDARIES)]
        cell = np.diag([9.0, 8.0, 7.0]) + rng.uniform(-1, 1, (3, 3)) if any(pbc) else np.zeros((3, 3))
        atoms = Atoms(symbols, positions=rng.normal(size=(len(symbols), 3)) * 5, cell=cell, pbc=pbc)
        forces = rng.normal(size=(len(atoms), 3))
        energy, stress = rng.normal(), 0.1 * rng.normal(size=6) if i % 3 == 1 else None
        attach(atoms, energy=energy, forces=forces, stress=stress if all(pbc) else None)
        atoms.info.update(tag=f"tag {i % 2}", source=f"here:{i}")
        frames.append(atoms)
    return frames


def sound_frames(n: int = 4) -> list[Atoms]:
    """Return copper cells with different random displacements and valid labels."""
    rng = np.random.default_rng(5)
    frames = []
    for i in range(n):
        atoms = bulk("Cu", cubic=True)
        atoms.positions += rng.normal(0, 0.1, (4, 3))
        forces = rng.normal(0, 1, (4, 3))
        attach(atoms, energy=-14.0 + 0.1 * i, forces=forces - forces.mean(axis=0), stress=rng.normal(0, 0.01, 6))
        frames.append(atoms)
    return frames


def assert_same(found: list[Atoms], expected: list[Atoms]) -> None:
    """Require equal structures, labels, tags and sources, to the last bit."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.numbers, other.numbers)
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.cell.array, other.cell.array)
        np.testing.assert_array_equal(one.pbc, other.pbc)
        assert labels_of(one).keys() == labels_of(other).keys()
        for name, value in labels_of(other).items():
            np.testing.assert_array_equal(labels_of(one)[name], value)
        for key in ("tag", "source"):
            assert one.info[key] == other.info[key]
