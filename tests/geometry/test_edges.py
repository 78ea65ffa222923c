"""The edges of configurations against all images of all pairs, one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from nnpal.geometry.edges import atoms_edges, forces_of_edges, neighbor_edges

TILTED = np.array([[6.0, 0.0, 0.0], [2.5, 5.0, 0.0], [-3.0, 1.5, 4.0]])
# cell, pbc, number of atoms, cutoff, and by how much positions spread beyond the cell
CASES = {
    "large": (np.diag([30.0, 24.0, 27.0]), True, 200, 5.0, 1.0),
    "smaller than the cutoff": (TILTED, True, 6, 9.0, 3.0),
    "one atom": (np.diag([2.0, 3.0, 2.5]), True, 1, 6.0, 1.0),
    "left-handed": (TILTED[[1, 0, 2]], True, 20, 5.0, 2.0),
    "slab": (TILTED, (True, True, False), 30, 5.0, 4.0),
    "slab along x": (TILTED, (False, True, True), 30, 5.0, 4.0),
    "wire": (TILTED, (False, False, True), 25, 6.0, 3.0),
    "cluster": (np.zeros((3, 3)), False, 40, 4.0, 1.0),
    "two atoms": (np.zeros((3, 3)), False, 2, 40.0, 1.0),
    "none": (np.zeros((3, 3)), False, 0, 4.0, 1.0),
    "far apart": (np.zeros((3, 3)), False, 30, 60.0, 40.0),
}


def all_pairs(
    positions: NDArray[np.float64], cell: NDArray[np.float64], periodic: NDArray[np.bool_], cutoff: float
) -> list[tuple[float, ...]]:
    """Return (center, neighbor, vector) of every pair closer than the cutoff, sorted."""
    spread = np.ptp(positions, axis=0).max() if len(positions) else 0.0
    height = min((1 / np.linalg.norm(column) for column in np.linalg.pinv(cell[periodic]).T), default=1.0)
    n = int(np.ceil((cutoff + 2 * spread) / height))
    images = product(*(range(-n, n + 1) if repeats else (0,) for repeats in periodic))
    shifts = np.array([np.array(image) @ cell for image in images])
    found = []
    for i, j in product(range(len(positions)), repeat=2):
        vectors = positions[j] - positions[i] + shifts
        lengths = np.linalg.norm(vectors, axis=1)
        near = vectors[(lengths < cutoff) & ((i != j) | (np.abs(shifts).sum(1) > 0))]
        found += [(i, j, *vector) for vector in near]
    return ordered(found)


def ordered(edges: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return sorted(edges, key=lambda edge: tuple(np.round(edge, 6)))


@pytest.mark.parametrize("name", CASES)
def test_all_pairs_and_no_others(name: str) -> None:
    cell, pbc, n_atoms, cutoff, spread = CASES[name]
    periodic = np.broadcast_to(np.asarray(pbc), (3,))
    rng = np.random.default_rng(3)
    within = rng.uniform(-spread / 2, 1 + spread / 2, (n_atoms, 3)) if periodic.any() else rng.random((n_atoms, 3))
    if name == "large":
        within = rng.uniform(0, 1, (n_atoms, 3)) + rng.integers(-1, 2, (n_atoms, 3))
    positions = within @ (cell if periodic.any() else np.eye(3) * 6.0 * spread)
    species = np.zeros(n_atoms, dtype=np.int64)
    edges = neighbor_edges(positions, cell, pbc, species, cutoff)
    assert (np.diff(edges.edge_index[0]) >= 0).all()
    found = ordered([(*pair, *vec) for pair, vec in zip(edges.edge_index.T, edges.edge_vec, strict=True)])
    if name == "large":
        center, neighbor, vectors = neighbor_list("ijD", Atoms(positions=positions, cell=cell, pbc=pbc), cutoff)
        expected = ordered([(i, j, *vec) for i, j, vec in zip(center, neighbor, vectors, strict=True)])
    else:
        expected = all_pairs(positions, cell, periodic, cutoff)
    assert n_atoms < 2 or found
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_atoms_on_the_faces_of_a_cell() -> None:
    """Where rounding decides which cell an atom lies in; 18 neighbors each, and none of them twice."""
    grid = np.stack(np.meshgrid(*3 * [np.arange(4.0)], indexing="ij"), -1).reshape(-1, 3)
    for nudge in (0.0, -1e-17, 1e-17, -1e-16, 4.0, -4.0):
        edges = neighbor_edges(grid + nudge, 4.0 * np.eye(3), True, np.zeros(64), 1.5)
        assert np.bincount(edges.edge_index[0]).tolist() == 64 * [18]


def test_forces_of_atoms_without_neighbors() -> None:
    """They are floating-point zeros, to which other forces can be added in place."""
    edges = atoms_edges(Atoms("Ni2", [[0, 0, 0], [0, 0, 9]]), ["Ni"], 4.0, model="ni.nnp.pt")
    forces = forces_of_edges(edges, np.zeros((0, 3)))
    assert forces.dtype == np.float64
    np.testing.assert_array_equal(forces, np.zeros((2, 3)))
