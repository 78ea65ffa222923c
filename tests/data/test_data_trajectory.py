"""Steps of saved configurations: of dumps, extended XYZ files and what nnpal's runs wrote."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from nnpal.data import DatasetError, Units, write_dataset
from nnpal.data.trajectory import read_trajectory

STEPS = [0, 50, 150]
METAL = Units.lammps("metal")


def frames(steps: list[int] = STEPS) -> list[Atoms]:
    found = [Atoms("HO", positions=[[0, 0, 0.1 * i], [0, 0, 2]], cell=[9, 9, 9], pbc=True) for i in range(len(steps))]
    for frame, step in zip(found, steps, strict=True):
        frame.info["step"] = step
    return found


def dump(path: Path) -> Path:
    text = ""
    for frame in frames():
        text += f"ITEM: TIMESTEP\n{frame.info['step']}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n"
        text += "0 9\n0 9\n0 9\nITEM: ATOMS id type x y z\n"
        text += "".join(f"{i + 1} {i + 1} {x} {y} {z}\n" for i, (x, y, z) in enumerate(frame.positions))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["pull.lammpstrj", "dump.pull", "pull.dump.gz"])
def test_steps_of_a_dump(tmp_path: Path, name: str) -> None:
    steps, found = read_trajectory(dump(tmp_path / name), units=METAL, symbols=["H", "O"])
    assert steps.tolist() == STEPS
    assert found[2].get_chemical_formula() == "HO"
    np.testing.assert_allclose(found[2].positions, frames()[2].positions)
    with pytest.raises(DatasetError, match="no column `element`; give symbols"):
        read_trajectory(tmp_path / name, units=METAL)


def test_steps_of_extended_xyz_and_of_sources(tmp_path: Path) -> None:
    write(tmp_path / "a.xyz", frames(), format="extxyz")
    steps, found = read_trajectory(tmp_path / "a.xyz")
    assert steps.tolist() == STEPS
    np.testing.assert_allclose(found[1].positions, frames()[1].positions)
    named = frames()
    for frame, step in zip(named, STEPS, strict=True):
        frame.info = {"source": f"rate-1-run-0 step {step}", "tag": "smd"}
    write_dataset(tmp_path / "a.h5", named, provenance={})
    assert read_trajectory(tmp_path / "a.h5")[0].tolist() == STEPS


def test_without_steps_nothing_is_joined(tmp_path: Path) -> None:
    bare = frames()
    bare[1].info.clear()
    write(tmp_path / "a.xyz", bare, format="extxyz")
    with pytest.raises(DatasetError, match=r"a\.xyz: configuration 1 has no step; give the LAMMPS dump of the run"):
        read_trajectory(tmp_path / "a.xyz")
    with pytest.raises(FileNotFoundError, match=r"none\.xyz: no such file"):
        read_trajectory(tmp_path / "none.xyz")
