"""LAMMPS's box: what a configuration becomes, and what a dump's bounds say."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.io.lammpsdata import read_lammps_data

from nnpal.geometry.lammps_box import BoxError, box_of, box_of_bounds, cells_of_bounds
from nnpal.lammps.data_file import write_data
from nnpal.lammps.dump import read_dump

# LAMMPS's manual, "Triclinic simulation boxes": xlo_bound = xlo + min(0, xy, xz, xy+xz), ylo_bound = ylo + min(0, yz)
LOW, HIGH, TILT = (1.0, 2.0, 3.0), (6.0, 8.0, 10.0), (-1.5, -2.0, 0.5)
BOUNDS = [[1.0 - 3.5, 6.0, -1.5], [2.0, 8.5, -2.0], [3.0, 10.0, 0.5]]
CELL = [[5.0, 0.0, 0.0], [-1.5, 6.0, 0.0], [-2.0, 0.5, 7.0]]


def test_bounds_are_those_of_the_hull() -> None:
    cells, low = cells_of_bounds(np.array([BOUNDS, BOUNDS]))
    np.testing.assert_allclose(cells, [CELL, CELL], rtol=1e-15)
    np.testing.assert_allclose(low, [LOW, LOW], rtol=1e-15)
    cells, low = cells_of_bounds(np.array([[[-1.0, 2.0], [0.0, 4.0], [0.5, 5.0]]]))
    np.testing.assert_array_equal(cells[0], np.diag([3.0, 4.0, 4.5]))
    np.testing.assert_array_equal(low[0], [-1.0, 0.0, 0.5])


@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_all_signs_of_the_tilt_come_back(signs: tuple[int, int, int]) -> None:
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    cell = np.array([[5.0, 0, 0], [1.5 * signs[0], 6.0, 0], [2.0 * signs[1], 0.5 * signs[2], 7.0]])
    hull = corners @ cell + LOW
    bounds = np.stack([hull.min(axis=0), hull.max(axis=0), cell[(1, 2, 2), (0, 0, 1)]], axis=1)
    found, low, pbc = box_of_bounds(["xy", "xz", "yz", "pp", "pp", "ff"], bounds.tolist())
    np.testing.assert_allclose(found, cell, atol=1e-14)
    np.testing.assert_allclose(low, LOW, atol=1e-14)
    assert pbc == [True, True, False]


def test_a_general_triclinic_box_states_its_vectors() -> None:
    rows = [[1.0, 2.0, 3.0, -1.0], [0.0, 4.0, 5.0, -2.0], [0.5, 0.0, 6.0, -3.0]]
    cell, low, _ = box_of_bounds(["abc", "origin", "pp", "pp", "pp"], rows)
    np.testing.assert_array_equal(cell, np.array(rows)[:, :3])
    np.testing.assert_array_equal(low, [-1.0, -2.0, -3.0])


@pytest.mark.parametrize(
    ("words", "rows", "message"),
    [
        ("pp pp pp", BOUNDS, "3 and 3 and 3 numbers .*`pp pp pp`, expected three lines of 2"),
        ("xy xz yz pp pp pp", [row[:2] for row in BOUNDS], "expected three lines of 3 numbers"),
        ("abc origin pp pp pp", BOUNDS, "expected three lines of 4 numbers"),
        ("pp pp", [row[:2] for row in BOUNDS], "three boundaries such as pp"),
        ("pp pp pp", [[1.0, 2.0], [1.0, 2.0], [1.0]], "2 and 2 and 1 numbers"),
    ],
)
def test_says_what_is_wrong_with_bounds(words: str, rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        box_of_bounds(words.split(), rows)


def shortest(atoms: Atoms) -> np.ndarray:
    """Return distances of nearest images; ASE's are too long where a vector that does not repeat is askew."""
    apart = atoms.positions[None] - atoms.positions[:, None]
    shifts = itertools.product(*[range(-4, 5) if repeats else (0,) for repeats in atoms.pbc])
    images = [np.linalg.norm(apart + shift @ atoms.cell.array, axis=-1) for shift in np.array(list(shifts))]
    found: np.ndarray = np.min(images, axis=0)
    return found


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 0, 1), (0, 0, 1), (0, 0, 0)])
def test_a_turned_box_keeps_distances_and_its_cell_holds_all_atoms(pbc: tuple[int, int, int]) -> None:
    atoms = bulk("Al") * (2, 3, 1)
    atoms.rattle(0.1, seed=1)
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    atoms.pbc = pbc
    box = box_of(atoms)
    turned = Atoms(atoms.symbols, box.positions, cell=box.cell, pbc=pbc)
    np.testing.assert_allclose(shortest(turned), shortest(atoms), atol=1e-12)
    assert np.abs(np.triu(box.cell, 1)).max() == 0.0
    again = box_of(turned)
    np.testing.assert_allclose(again.turn, np.eye(3), atol=1e-14)
    open_ = ~np.array(box.periodic)
    assert (box.low[open_] < box.positions[:, open_].min(axis=0)).all()
    assert (box.high[open_] > box.positions[:, open_].max(axis=0)).all()


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "no atoms"),
        (Atoms("H", positions=[[np.nan, 0, 0]]), "not finite"),
        (Atoms("H", cell=[1, 0, 1], pbc=True), "no vector along a periodic direction"),
        (Atoms("H", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), "has no volume"),
    ],
)
def test_says_what_no_box_can_hold(atoms: Atoms, message: str) -> None:
    with pytest.raises(BoxError, match=message):
        box_of(atoms)


def test_velocities_are_turned_and_in_the_units_of_metal(tmp_path: Path) -> None:
    atoms = bulk("Al", cubic=True)
    atoms.rotate(90, "z", rotate_cell=True)  # the first vector along y, which LAMMPS wants along x
    atoms.set_velocities([[0.0, 0.01, 0.02]] * 4)
    write_data(tmp_path / "start.data", atoms, ["Al"], velocities=True)
    read = read_lammps_data(tmp_path / "start.data", atom_style="atomic", units="metal")
    np.testing.assert_allclose(read.get_velocities(), [[0.01, 0.0, 0.02]] * 4, atol=1e-15)
    lines = (tmp_path / "start.data").read_text().split("Velocities")[1].split()
    assert float(lines[3]) == pytest.approx(0.02 * 1e3 * units.fs, rel=1e-14)  # Å/ps of ASE's Å/(Å sqrt(u/eV))


DUMP = (
    "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
    "ITEM: ATOMS id fx\n{rows}"
)


def test_a_dump_without_positions_keeps_what_is_not_finite(tmp_path: Path) -> None:
    """The gate has to see forces that are no numbers."""
    path = tmp_path / "forces"
    path.write_text(DUMP.format(step=0, rows="2 nan\n1 -1.5\n") + DUMP.format(step=1, rows="1 1.0\n2"))
    found = read_dump(path)
    np.testing.assert_array_equal(found.column("fx"), [[[-1.5], [np.nan]]])
