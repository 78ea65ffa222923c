"""Data of others: HDF5 in TorchANI's layouts, ASE databases, the published set of 32 Ni atoms."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.db import connect
from torchani.datasets import ANIDataset

from data_frames import assert_same, random_frames
from nnpal.data import DatasetError, Keys, Units, attach, labels_of, read_frames, write_dataset, write_extxyz

HARTREE = Units("hartree", "Å")
NI32 = Path(__file__).parents[3] / "shared" / "data" / "ni32_distilled_train.h5"


def test_published_nickel_set() -> None:
    """Energies in Hartree, symbols `C`, virial in LAMMPS's order and sign: checked with finite strains of its EAM."""
    if not NI32.is_file():
        pytest.skip(f"needs {NI32}")
    with pytest.raises(DatasetError, match="does not state its units; give them"):
        read_frames(NI32, symbols=["C=Ni"])
    with pytest.raises(DatasetError, match=r"virial has six components in an order that .* give keys\.order"):
        read_frames(NI32, units=HARTREE, symbols=["C=Ni"])
    frames = read_frames(NI32, units=HARTREE, symbols=["C=Ni"], keys=Keys(order="lammps"))
    assert len(frames) == 2004
    assert "stress" not in labels_of(read_frames(NI32, units=HARTREE, symbols=["C=Ni"], keys=Keys(stress=""))[0])
    with h5py.File(NI32) as file:
        for i, frame in enumerate(frames[:3]):
            group = file["mols/mol"]
            assert frame.get_chemical_formula() == "Ni32"
            assert frame.pbc.all()
            np.testing.assert_array_equal(frame.positions, group["coordinates"][i])
            np.testing.assert_array_equal(frame.cell.array, group["cell"][i])
            assert frame.get_potential_energy() == pytest.approx(group["energies"][i] * 27.21138602, rel=1e-9)
            np.testing.assert_allclose(frame.get_forces(), group["forces"][i] * 27.21138602, rtol=1e-9)
            xx, yy, zz, xy, xz, yz = group["virial"][i] * 27.21138602
            virial = -frame.get_stress() * frame.get_volume()
            np.testing.assert_allclose(virial, [xx, yy, zz, yz, xz, xy], rtol=1e-9)
    # dE/dε of the first configuration, by finite strains with NiNb.eam.fs, to 3e-6 eV
    strains = [-7.04387939, -14.27526215, -12.75231181, -3.99234742, 7.03906165, -1.85087041]
    np.testing.assert_allclose(-frames[0].get_stress() * frames[0].get_volume(), strains, atol=3e-6)


def test_what_torchani_writes(tmp_path: Path) -> None:
    """Grouped by formula, atomic numbers, no cell, no units."""
    rng = np.random.default_rng(1)
    dataset = ANIDataset(tmp_path / "ani.h5", grouping="by_formula", verbose=False)
    water = {
        "species": np.tile([8, 1, 1], (2, 1)),
        "coordinates": rng.normal(size=(2, 3, 3)),
        "energies": np.array([-76.0, -75.5]),
        "forces": rng.normal(size=(2, 3, 3)),
    }
    hydrogen = {name: values[:1, :2] if values.ndim > 1 else values[:1] for name, values in water.items()}
    hydrogen["species"] = np.array([[1, 1]])
    dataset.append_conformers("H2O", water)
    dataset.append_conformers("H2", hydrogen)
    frames = read_frames(tmp_path / "ani.h5", units=HARTREE)
    assert [str(frame.symbols) for frame in frames] == ["H2", "OH2", "OH2"]
    assert not any(frame.pbc.any() for frame in frames)
    assert frames[2].get_potential_energy() == pytest.approx(-75.5 * 27.21138602)
    np.testing.assert_allclose(frames[1].get_forces(), water["forces"][0] * 27.21138602, rtol=1e-9)
    np.testing.assert_array_equal(frames[1].positions, water["coordinates"][0])


def legacy(path: Path, **changes: object) -> Path:
    """Write two configurations of two atoms as legacy files have them; None leaves a property out."""
    arrays = {
        "species": np.array([b"C", b"H"]),
        "coordinates": np.arange(12.0).reshape(2, 2, 3),
        "energies": np.array([-1.0, -2.0]),
        "forces": np.ones((2, 2, 3)),
        "cell": np.tile(np.eye(3) * 9, (2, 1, 1)),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[f"a/b/{name}"] = values
    return path


def test_other_names_and_stresses(tmp_path: Path) -> None:
    stress = np.tile([[1.0, 6, 5], [6, 2, 4], [5, 4, 3]], (2, 1, 1))
    path = legacy(tmp_path / "set.h5", energies=None, **{"dft.energy": np.array([-1.0, -2.0]), "stress": stress})
    with pytest.raises(DatasetError, match=r"no frame has 'energies' .*frame 0 has dft\.energy, forces, stress"):
        read_frames(path, units=HARTREE)
    units = Units("hartree", "Å", stress="GPa")
    frames = read_frames(path, units=units, keys=Keys(energy="dft.energy"))
    assert frames[1].get_potential_energy() == pytest.approx(-2 * 27.21138602)
    np.testing.assert_allclose(frames[1].get_stress() * 160.21766208, [1, 2, 3, 4, 5, 6], rtol=1e-8)
    assert [frame.pbc.all() for frame in frames] == [True, True]


def test_one_cell_for_all(tmp_path: Path) -> None:
    path = legacy(tmp_path / "set.h5", cell=np.diag([7.0, 8.0, 9.0]), pbc=np.array([True, False, True]))
    for frame in read_frames(path, units=HARTREE):
        np.testing.assert_array_equal(frame.cell.array, np.diag([7.0, 8.0, 9.0]))
        assert frame.pbc.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("changes", "symbols", "message"),
    [
        ({"forces": None}, None, r"no frame has 'forces' .*frame 0 has energies"),
        ({"coordinates": None}, None, "no group holds `coordinates`"),
        ({"species": None}, None, "has none of species, numbers, atomic_numbers"),
        ({"species": np.array([b"Q", b"H"])}, None, "'Q' is not a chemical element"),
        ({"species": np.array([0, 1])}, None, "atomic numbers 0 to 1"),
        ({"species": np.array([1])}, None, r"species have shape \(1,\), expected \(2, 2\)"),
        ({"coordinates": np.zeros((2, 6))}, None, r"coordinates have shape \(2, 6\)"),
        ({"forces": np.ones((2, 3, 3))}, None, r"forces have shape \(3, 3\), expected \(2, 3\)"),
        ({"cell": np.eye(2)}, None, r"cell has shape \(2, 2\), expected \(2, 3, 3\) or \(3, 3\)"),
        ({"cell": np.ones((2, 3))}, None, r"cell has shape \(2, 3\)"),
        ({"pbc": np.ones(2)}, None, r"pbc has shape \(2,\), expected \(2, 3\) or \(3,\)"),
        ({}, ["Ni", "H"], "the file names its elements itself"),
        ({}, ["X=Ni"], "symbols rename 'X', but the file has C, H"),
    ],
)
def test_bad_hdf5(tmp_path: Path, changes: dict[str, object], symbols: list[str] | None, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"set\.h5.*{message}"):
        read_frames(legacy(tmp_path / "set.h5", **changes), units=HARTREE, symbols=symbols)


def test_ase_databases(tmp_path: Path) -> None:
    frames = random_frames()
    for suffix in ("db", "json"):
        path = tmp_path / f"set.{suffix}"
        with connect(path) as database:
            for frame in frames:
                database.write(frame, tag=frame.info["tag"], source=frame.info["source"])
        assert_same(read_frames(path), frames)
        with pytest.raises(DatasetError, match="ASE databases are in eV and Å, but hartree"):
            read_frames(path, units=HARTREE)


def test_rows_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "set.db"
    labeled, energy_only = Atoms("H"), Atoms("He2", positions=[[0, 0, 0], [0, 0, 3]])
    attach(labeled, energy=-1.0, forces=np.zeros((1, 3)))
    attach(energy_only, energy=-2.0)
    with connect(path) as database:
        database.write(labeled, dft=-7.5)
        database.write(energy_only, data={"dft_forces": np.ones((2, 3))})
    with pytest.raises(DatasetError, match=r"1 of 2 frames lack 'forces' \(frame 1\); frame 1 has dft_forces, energy"):
        read_frames(path)
    assert [set(labels_of(frame)) for frame in read_frames(path, labeled=None)] == [{"energy", "forces"}, {"energy"}]
    found = read_frames(path, labeled=None, keys=Keys(forces=None))
    assert found[0].get_potential_energy() == -1.0
    with pytest.raises(DatasetError, match=r"lack 'dft' \(frame 1\)"):
        read_frames(path, keys=Keys(energy="dft"))


@pytest.mark.parametrize(("name", "text"), [("set.db", "not sqlite at all"), ("set.json", "[1, 2]"), ("set.json", "{")])
def test_no_database(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=r"set\.(db|json): row 0 is damaged, or not an ASE database"):
        read_frames(tmp_path / name)


def test_empty_database(tmp_path: Path) -> None:
    with connect(tmp_path / "set.db") as database:
        database.write(Atoms("H"))
        del database[1]
    with pytest.raises(DatasetError, match=r"set\.db: holds no rows"):
        read_frames(tmp_path / "set.db")


def test_reading_leaves_databases_alone(tmp_path: Path) -> None:
    with connect(tmp_path / "set.json") as database:
        database.write(random_frames()[0])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    read_frames(tmp_path / "set.json")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_dataset_files_rename_elements_too(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set.h5", [frame for frame in random_frames()], provenance={})
    frames = read_frames(tmp_path / "set.h5", symbols=["H=Al"])
    assert {symbol for frame in frames for symbol in frame.symbols} == {"Al", "C", "Ni"}
    assert_labels_survive(frames)


def assert_labels_survive(frames: list[Atoms]) -> None:
    for found, frame in zip(frames, random_frames(), strict=True):
        assert found.get_potential_energy() == frame.get_potential_energy()


@pytest.mark.parametrize("periodic", [False, True])
def test_one_atom_needs_no_forces(tmp_path: Path, periodic: bool) -> None:
    """Its energy does not depend on its place, so that they are zero; those of two atoms are still asked for."""
    atom, pair = Atoms("H", cell=[9, 9, 9], pbc=periodic), Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.8]])
    attach(atom, energy=-13.6)
    attach(pair, energy=-31.0, forces=np.array([[0, 0, 1.0], [0, 0, -1.0]]))
    write_dataset(tmp_path / "set.h5", [atom, pair], provenance={})
    write_extxyz(tmp_path / "set.xyz", [atom, pair])
    write_extxyz(tmp_path / "alone.xyz", [atom])
    with connect(tmp_path / "set.db") as database:
        database.write(atom)
        database.write(pair)
    for name in ("set.h5", "set.xyz", "alone.xyz", "set.db"):
        found = read_frames(tmp_path / name)[0]
        assert found.get_potential_energy() == -13.6
        np.testing.assert_array_equal(found.get_forces(), np.zeros((1, 3)))
        assert set(labels_of(read_frames(tmp_path / name, labeled=None)[0])) == {"energy"}
    attach(pair, energy=-31.0)
    write_extxyz(tmp_path / "set.xyz", [atom, pair])
    with pytest.raises(DatasetError, match=r"lack 'REF_forces' \(frame 1\)|no frame has 'REF_forces'"):
        read_frames(tmp_path / "set.xyz")


def test_stress_and_virial_of_others(tmp_path: Path) -> None:
    """Row by row where NaN says that one is absent; compared where both stand."""
    identity = np.eye(3)
    stress, virial = np.tile(0.01 * identity, (2, 1, 1)), np.tile(-7.29 * identity, (2, 1, 1))
    stress[1] = np.nan
    units = Units("eV", "Å")
    found = read_frames(legacy(tmp_path / "set.h5", stress=stress, virial=virial), units=units)
    np.testing.assert_allclose([frame.get_stress()[:3] for frame in found], 0.01)
    path = legacy(tmp_path / "set.h5", stress=stress, virial=-virial)
    with pytest.raises(
        DatasetError, match=r"set\.h5: group a/b, row 0: stress: stress 0\.01 .* -virial/volume -0\.01 "
    ):
        read_frames(path, units=units)
    atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.8]], cell=[4, 4, 4], pbc=True)
    attach(atoms, energy=-1.0, forces=np.zeros((2, 3)), stress=np.array([0.01, 0.01, 0.01, 0, 0, 0]))
    with connect(tmp_path / "set.db") as database:
        database.write(atoms, data={"virial": 0.64 * identity})
    with pytest.raises(DatasetError, match=r"set\.db: row 0: stress: stress 0\.01 .* contradict each other"):
        read_frames(tmp_path / "set.db")
