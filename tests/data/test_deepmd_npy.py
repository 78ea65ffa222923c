"""Folders of deepmd/npy, written, read, and as other programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from data_frames import random_frames
from nnpal.cli.app import app
from nnpal.data import DatasetError, Units, attach, labels_of, read_frames, write_dataset
from nnpal.data.deepmd_npy import write_deepmd


def system(folder: Path, **files: np.ndarray) -> Path:
    """Write two configurations of NiAl as another program does: the types are not in the order of the elements."""
    (folder / "set.000").mkdir(parents=True)
    (folder / "type.raw").write_text("1\n0\n")
    (folder / "type_map.raw").write_text("Al\nNi\n")
    arrays = {
        "box": np.tile(np.diag([4.0, 5.0, 6.0]).ravel(), (2, 1)),
        "coord": np.arange(12.0).reshape(2, 6) / 4,
        "energy": np.array([[-1.5], [-2.5]], dtype=np.float32),
        "force": np.arange(12.0).reshape(2, 6) - 6,
        "virial": np.array([[1, 2, 3, 2, 4, 5, 3, 5, 6]] * 2, dtype=float),
        **files,
    }
    for name, values in arrays.items():
        np.save(folder / "set.000" / f"{name}.npy", values)
    return folder


def test_what_others_write(tmp_path: Path) -> None:
    """Elements by the type map, and the stress of ASE: minus the virial over the volume."""
    frames = read_frames(system(tmp_path / "nial"))
    assert [frame.get_chemical_symbols() for frame in frames] == [["Ni", "Al"]] * 2
    assert [frame.get_potential_energy() for frame in frames] == [-1.5, -2.5]
    np.testing.assert_array_equal(frames[1].get_forces(), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_allclose(frames[0].get_stress() * 120, [-1, -4, -6, -5, -3, -2])
    assert frames[0].info == {"tag": "nial", "source": f"{tmp_path / 'nial' / 'set.000'}:0"}


def test_the_mixed_type(tmp_path: Path) -> None:
    """Each configuration has its own elements; -1 is no atom."""
    folder = system(tmp_path / "mixed", real_atom_types=np.array([[0, 1], [1, -1]]))
    frames = read_frames(folder)
    assert [frame.get_chemical_symbols() for frame in frames] == [["Al", "Ni"], ["Ni"]]
    np.testing.assert_array_equal(frames[1].get_forces(), [[0, 1, 2]])


def test_round_trip_of_many_kinds(tmp_path: Path) -> None:
    """Other elements, sizes and boundaries in one folder: each configuration comes back with its own."""
    frames = [frame for frame in random_frames(40) if frame.pbc.any() == frame.pbc.all()]
    for index, frame in enumerate(frames):
        frame.info["source"] = f"{index}"
    write_deepmd(tmp_path / "all.deepmd", frames)
    read = read_frames(tmp_path / "all.deepmd")
    assert len(read) == len(frames)
    by_energy = {frame.get_potential_energy(): frame for frame in read}
    for frame in frames:
        other = by_energy[frame.get_potential_energy()]
        np.testing.assert_array_equal(other.numbers, frame.numbers)
        np.testing.assert_array_equal(other.positions, frame.positions)
        np.testing.assert_array_equal(other.get_forces(), frame.get_forces())
        assert other.pbc.all() == frame.pbc.all()
        assert set(labels_of(other)) == set(labels_of(frame))
        if "stress" in labels_of(frame):
            np.testing.assert_allclose(other.get_stress(), frame.get_stress(), rtol=1e-14)


def test_left_handed_cells_keep_their_lattice(tmp_path: Path) -> None:
    frame = Atoms("Al", [[0.1, 0.2, 0.3]], cell=[[0, 4, 0], [5, 0, 0], [1, 0, 6]], pbc=True)
    attach(frame, energy=1.0, forces=np.zeros((1, 3)), stress=np.arange(6.0))
    write_deepmd(tmp_path / "left.deepmd", [frame])
    (read,) = read_frames(tmp_path / "left.deepmd")
    np.testing.assert_array_equal(read.cell.array, -frame.cell.array)
    np.testing.assert_allclose(read.get_stress(), frame.get_stress(), rtol=1e-14)


def test_the_command_goes_there_and_back(tmp_path: Path) -> None:
    frames = [frame for frame in random_frames(8) if frame.pbc.any() == frame.pbc.all()]
    write_dataset(tmp_path / "a.h5", frames, provenance={})
    convert = ["data", "convert"]
    there = CliRunner().invoke(app, [*convert, f"{tmp_path}/a.h5", f"{tmp_path}/b.deepmd"])
    assert there.exit_code == 0, there.output
    back = CliRunner().invoke(app, [*convert, f"{tmp_path}/b.deepmd", f"{tmp_path}/c.h5"])
    assert back.exit_code == 0, back.output
    assert len(read_frames(tmp_path / "c.h5")) == len(frames)
    again = CliRunner().invoke(app, [*convert, f"{tmp_path}/a.h5", f"{tmp_path}/b.deepmd"])
    assert again.exit_code == 1
    assert "b.deepmd: exists; give the name of a new folder" in again.output.replace("\n", "")


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    slab = random_frames(3)[2]
    with pytest.raises(DatasetError, match=r"configuration 0: periodic = \[True, False, True\]; deepmd/npy holds"):
        write_deepmd(tmp_path / "slab.deepmd", [slab])
    charged = random_frames(1)
    charged[0].info["charge"] = 1
    with pytest.raises(DatasetError, match=r"configuration 0: states charge \+1, which deepmd/npy cannot hold"):
        write_deepmd(tmp_path / "ion.deepmd", charged)
    assert not list(tmp_path.iterdir())


def test_a_stated_charge_of_0_says_nothing_else_than_the_format(tmp_path: Path) -> None:
    neutral = random_frames(1)
    neutral[0].info["charge"] = 0
    write_deepmd(tmp_path / "neutral.deepmd", neutral)
    assert len(read_frames(tmp_path / "neutral.deepmd")) == 1


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is in eV and Å, but hartree"):
        read_frames(system(tmp_path / "units"), units=Units("hartree", "Å"))
    short = system(tmp_path / "short", force=np.zeros((2, 3)))
    with pytest.raises(DatasetError, match=r"force\.npy: has shape \(2, 3\), expected \(2, 6\)"):
        read_frames(short)
    (system(tmp_path / "no_box") / "set.000" / "box.npy").unlink()
    with pytest.raises(DatasetError, match=r"box\.npy: missing"):
        read_frames(tmp_path / "no_box")
    (system(tmp_path / "map") / "type_map.raw").write_text("Al\nXx\n")
    with pytest.raises(DatasetError, match=r"Xx in type_map\.raw; expected chemical symbols"):
        read_frames(tmp_path / "map")
    (system(tmp_path / "bare") / "set.000" / "force.npy").unlink()
    with pytest.raises(DatasetError, match="no frame has 'forces'"):
        read_frames(tmp_path / "bare")
    skew = system(tmp_path / "skew", virial=np.arange(18.0).reshape(2, 9))
    with pytest.raises(DatasetError, match=r"configuration 0: virial is .*, expected a symmetric matrix"):
        read_frames(skew)
    with pytest.raises(DatasetError, match="its cell no volume"):
        read_frames(system(tmp_path / "flat", box=np.zeros((2, 9))))
    (system(tmp_path / "cut") / "set.000" / "coord.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DatasetError, match=r"coord\.npy: damaged, or not an array of NumPy"):
        read_frames(tmp_path / "cut")
