"""nnpal's dataset file: exact round trip, TorchANI opens it, damage is found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms
from torchani.datasets import ANIDataset

from data_frames import assert_same, random_frames
from nnpal.data import (
    DatasetError,
    Units,
    attach,
    content_hash,
    labels_of,
    read_dataset,
    read_frames,
    structure_hash,
    write_dataset,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "set.h5", random_frames(), provenance={"oracle": "none", "é": [1, None]})
    return tmp_path / "set.h5"


def test_round_trip_keeps_everything_in_order(file: Path) -> None:
    frames = random_frames()
    contents = read_dataset(file)
    assert_same(contents.frames, frames)
    assert contents.provenance == {"oracle": "none", "é": [1, None]}
    assert contents.content_hash == content_hash(frames) == content_hash(contents.frames)
    assert_same(read_frames(file), frames)
    assert list(file.parent.iterdir()) == [file]


def test_torchani_opens_it(file: Path) -> None:
    frames = random_frames()
    dataset = ANIDataset(file, verbose=False)
    assert dataset.num_conformers == len(frames)
    assert dataset.grouping == "by_num_atoms"
    seen = set()
    for conformer in dataset.iter_conformers():
        index = int(conformer["index"])
        frame = frames[index]
        seen.add(index)
        np.testing.assert_array_equal(conformer["species"].numpy(), frame.numbers)
        np.testing.assert_array_equal(conformer["coordinates"].numpy(), frame.positions)
        np.testing.assert_array_equal(conformer["cell"].numpy(), frame.cell.array)
        np.testing.assert_array_equal(conformer["pbc"].numpy(), frame.pbc)
        assert float(conformer["energies"]) == frame.get_potential_energy()
        np.testing.assert_array_equal(conformer["forces"].numpy(), frame.get_forces())
        stress = conformer["stresses"].numpy()
        if "stress" in labels_of(frame):
            np.testing.assert_array_equal(stress, frame.get_stress(voigt=False))
        else:
            assert np.isnan(stress).all()
    assert seen == set(range(len(frames)))


def test_units_stand_in_the_file(file: Path) -> None:
    with h5py.File(file) as h5:
        assert h5.attrs["unit_energies"] == "eV"
        assert h5.attrs["unit_stresses"] == "eV/Å³"
        group = next(h5[name] for name in h5 if name != "_meta")
        assert group["forces"].attrs["unit"] == "eV/Å"
    with pytest.raises(DatasetError, match=r"set\.h5: is in eV Å .* by its own record, but hartree"):
        read_frames(file, units=Units("hartree", "Å"))
    assert len(read_frames(file, units=Units("eV", "Å"))) == len(random_frames())


def test_bare_and_partly_labeled_configurations(tmp_path: Path) -> None:
    bare, energy_only, full = Atoms("H"), Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.7]]), Atoms("He")
    attach(energy_only, energy=-1.5)
    attach(full, energy=0.0, forces=np.zeros((1, 3)))
    frames = [full, energy_only, bare]
    for index, frame in enumerate(frames):
        frame.info.update(tag="", source=str(index))
    write_dataset(tmp_path / "set.h5", frames, provenance={})
    assert_same(read_frames(tmp_path / "set.h5", labeled=None), frames)
    assert [frame.calc for frame in read_frames(tmp_path / "set.h5", labeled=False)] == [None] * 3
    with pytest.raises(DatasetError, match=r"1 of 3 frames lack 'energy' \(frame 2\); frame 2 has no labels"):
        read_frames(tmp_path / "set.h5")
    write_dataset(tmp_path / "two.h5", frames[:2], provenance={})
    with pytest.raises(DatasetError, match=r"lack 'forces' \(frame 1\); frame 1 has energy"):
        read_frames(tmp_path / "two.h5")
    assert ANIDataset(tmp_path / "set.h5", verbose=False).num_conformers == 3


def test_labels_that_are_nan_stay_labels(tmp_path: Path) -> None:
    frame = Atoms("H")
    attach(frame, energy=np.nan, forces=np.zeros((1, 3)))
    write_dataset(tmp_path / "set.h5", [frame], provenance={})
    assert np.isnan(labels_of(read_frames(tmp_path / "set.h5")[0])["energy"])


@pytest.mark.parametrize("name", ["coordinates", "species", "cell", "pbc", "energies", "forces", "index", "labels"])
def test_a_changed_value_is_found(file: Path, name: str) -> None:
    with h5py.File(file, "r+") as h5:
        values = h5["num_atoms_2"][name]
        changed = values[()]
        changed.flat[0] = not changed.flat[0] if changed.dtype == bool else changed.flat[0] + 1
        values[...] = changed
    with pytest.raises(DatasetError, match=r"set\.h5: damaged"):
        read_frames(file, labeled=None)


@pytest.mark.parametrize("name", ["tags", "sources", "provenance"])
def test_a_changed_text_is_found(file: Path, name: str) -> None:
    with h5py.File(file, "r+") as h5:
        if name == "provenance":
            h5.attrs["provenance"] = json.dumps({"oracle": "another"})
        else:
            h5["_meta"][name][0] = "another"
    with pytest.raises(DatasetError, match=r"set\.h5: damaged or changed: tags, sources or provenance"):
        read_frames(file)


def test_a_missing_group_is_found(file: Path) -> None:
    with h5py.File(file, "r+") as h5:
        del h5["num_atoms_2"]
    with pytest.raises(DatasetError, match=r"set\.h5: damaged or changed: the contents hash to"):
        read_frames(file)


def test_a_cut_file_is_found(file: Path) -> None:
    for length, found in ((0, "empty"), (100, "damaged"), (file.stat().st_size // 2, "damaged")):
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(DatasetError, match=rf"set\.h5: {found}"):
            read_frames(file)
        write_dataset(file, random_frames(), provenance={})


def test_a_later_version_is_refused(file: Path) -> None:
    with h5py.File(file, "r+") as h5:
        h5.attrs["format_version"] = 3
    with pytest.raises(DatasetError, match="format version 3, this version of nnpal reads up to 2"):
        read_frames(file)


def test_refusals_leave_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    moved = random_frames()
    moved[3].positions[0, 0] += 0.1
    with pytest.raises(ValueError, match="configuration 3: atoms or cell have changed since it was labeled"):
        write_dataset(file, moved, provenance={})
    with pytest.raises(TypeError):
        write_dataset(file, random_frames(), provenance={"path": Path()})
    with pytest.raises(ValueError, match="configuration 1 has no atoms"):
        write_dataset(file, [Atoms("H"), Atoms()], provenance={})
    with pytest.raises(ValueError, match="no configurations"):
        write_dataset(file, [], provenance={})
    with pytest.raises(ValueError, match=r"expected a name ending in \.h5"):
        write_dataset(file.with_suffix(".hdf5"), random_frames(), provenance={})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.h5: no such file"):
        read_frames(tmp_path / "nothing.h5")


def test_content_hash_is_that_of_models_trained_before() -> None:
    """Files of models record it, so what goes into it is fixed: without stress, these numbers in this order."""
    frame = Atoms(
        "NiAl", positions=[[0, 0, 0], [1.5, 0.25, -1]], cell=np.diag([3.0, 4.0, 5.0]), pbc=(True, False, True)
    )
    forces = np.array([[0.5, 0, 0], [-0.5, 0, 0]])
    attach(frame, energy=-3.25, forces=forces)
    digest = hashlib.sha256()
    digest.update(np.array([28, 13], dtype="<i8").tobytes())
    digest.update(np.diag([3.0, 4.0, 5.0]).astype("<f8").tobytes())
    digest.update(bytes([1, 0, 1]))
    digest.update(np.array([0, 0, 0, 1.5, 0.25, -1], dtype="<f8").tobytes())
    digest.update(np.array([-3.25], dtype="<f8").tobytes())
    digest.update(forces.astype("<f8").tobytes())
    assert content_hash([frame]) == digest.hexdigest()
    attach(frame, energy=-3.25, forces=forces, stress=np.zeros(6))
    assert content_hash([frame]) != digest.hexdigest()


def test_structure_hash_sees_structure_alone() -> None:
    frame = random_frames()[1]
    same = Atoms(frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
    assert structure_hash(frame) == structure_hash(same)
    for change in ("positions", "cell", "pbc", "numbers"):
        other = same.copy()
        if change == "positions":
            other.positions[0, 0] = np.nextafter(other.positions[0, 0], np.inf)
        elif change == "cell":
            other.cell[0, 0] += 1e-12
        elif change == "pbc":
            other.pbc = (True, True, False)
        else:
            other.numbers[0] += 1
        assert structure_hash(other) != structure_hash(frame), change
    zero, minus_zero = Atoms("H", positions=[[0.0, 0, 0]]), Atoms("H", positions=[[-0.0, 0, 0]])
    assert structure_hash(zero) == structure_hash(minus_zero)
