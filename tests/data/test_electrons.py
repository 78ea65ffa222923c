"""Charge and spin of configurations: what files state is read by its usual names, kept in every format, or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from nnpal.active_learning.sampling.structures import read_structure
from nnpal.active_learning.selection.environment import cut_environment
from nnpal.active_learning.selection.translate import translate
from nnpal.active_learning.shared.bare_frames import read_bare, write_bare
from nnpal.data import (
    DatasetError,
    Units,
    check_frames,
    content_hash,
    read_dataset,
    read_frames,
    structure_hash,
    write_dataset,
    write_extxyz,
)
from nnpal.geometry.electrons import Electrons, check_parity, electrons_of, put
from nnpal.label import augment
from nnpal.label.structure_key import structure_key
from nnpal.runtime.caution import Caution

EV = Units("eV", "Å")
DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS ff ff ff
0 9
0 9
0 9
ITEM: ATOMS id element x y z q
1 O 1 1 1 -0.4
2 H 1 1 2 0
"""
AMMONIUM = "5\nProperties=species:S:1:pos:R:3{columns} {keys}\n{rows}"
PLACES = [(0, 0, 0), (0.6, 0.6, 0.6), (-0.6, -0.6, 0.6), (-0.6, 0.6, -0.6), (0.6, -0.6, -0.6)]


def written(folder: Path, keys: str = "", columns: str = "", values: tuple[str, ...] = ("",) * 5) -> Path:
    rows = "\n".join(
        f"{symbol} {x} {y} {z} {value}" for symbol, (x, y, z), value in zip("NHHHH", PLACES, values, strict=True)
    )
    path = folder / "ammonium.xyz"
    path.write_text(AMMONIUM.format(keys=keys, columns=columns, rows=rows) + "\n")
    return path


def stated(folder: Path, keys: str = "", columns: str = "", values: tuple[str, ...] = ("",) * 5) -> Electrons:
    (frame,) = read_frames(written(folder, keys, columns, values), units=EV, labeled=False)
    return electrons_of(frame)


@pytest.mark.parametrize(
    ("keys", "charge", "multiplicity"),
    [
        ("charge=1", 1, None),
        ("total_charge=1.0", 1, None),
        ("charge=1 total_charge=1 spin=1", 1, 1),
        ("charge=1 multiplicity=3", 1, 3),
        ("charge=0 spin=2", 0, 2),
        ("total_charge=1 total_spin=1", 1, 1),
        ("charge=1 spin=0", 1, 1),
        ("", None, None),
    ],
)
def test_usual_names(tmp_path: Path, keys: str, charge: int | None, multiplicity: int | None) -> None:
    found = stated(tmp_path, keys)
    assert (found.charge, found.multiplicity) == (charge, multiplicity)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("charge=0.4", "charge = .*0.4.*, expected the total charge, e, as one whole number"),
        ("charge=plus", "charge = 'plus', expected the total charge"),
        ("charge=1 total_charge=-1", "charge = 1 and total_charge = -1, expected one and the same"),
        ("spin=0.5", "spin = .*0.5.*, expected the multiplicity"),
        ("charge=1 multiplicity=1 spin=3", "multiplicity = 1 and spin = 3, expected one and the same"),
        ("charge=1 spin=2", r"multiplicity 2 of 10 electrons \(H4N, charge 1\), expected an odd .* multiplicity=3"),
        ("spin=1", r"multiplicity 1 of 11 electrons .*, expected an even .*; or state the charge"),
        ("charge=1 multiplicity=0", "multiplicity = 0, expected 2S.1, 1 at least"),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_frame(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"ammonium\.xyz: frame 0: {message}"):
        stated(tmp_path, keys)


def test_columns(tmp_path: Path) -> None:
    """Partial charges that sum to a whole number state it; other sums are refused, zeros say nothing."""
    column = ":initial_charges:R:1"
    found = stated(tmp_path, "", column, ("-0.8", "0.45", "0.45", "0.45", "0.45"))
    assert (found.charge, found.total_charge) == (None, 1)
    with pytest.raises(DatasetError, match=r"frame 0: initial_charges sum to 0\.6 e, expected a whole number"):
        stated(tmp_path, "", column, ("-1", "0.4", "0.4", "0.4", "0.4"))
    with pytest.raises(DatasetError, match="charge = 0, but initial_charges sum to 1; correct either"):
        stated(tmp_path, "charge=0", column, ("1", "0", "0", "0", "0"))
    assert stated(tmp_path, "charge=1", column, ("0",) * 5).charges is None
    moments = stated(tmp_path, "charge=1", ":initial_magmoms:R:1", ("2", "0", "0", "0", "0")).moments
    np.testing.assert_array_equal(moments, [2, 0, 0, 0, 0])


def frames() -> list[Atoms]:
    """Return four configurations of five atoms that state different things, with labels."""
    one = Atoms("NH4", positions=PLACES)
    given = [
        Electrons(),
        Electrons(charge=1),
        Electrons(charge=1, multiplicity=3, moments=np.array([2.0, 0, 0, 0, 0])),
        Electrons(charges=np.array([-0.8, 0.45, 0.45, 0.45, 0.45])),
    ]
    made = []
    for number, electrons in enumerate(given):
        frame = one.copy()
        frame.info.update(tag="made", source=f"made:{number}")
        put(frame, electrons)
        frame.calc = SinglePointCalculator(frame, energy=-number - 1.0, forces=np.zeros((5, 3)))
        made.append(frame)
    return made


def same(one: Atoms, other: Atoms) -> bool:
    a, b = electrons_of(one), electrons_of(other)
    columns = [(a.charges, b.charges), (a.moments, b.moments)]
    return (a.charge, a.multiplicity) == (b.charge, b.multiplicity) and all(
        np.array_equal(x, y) if x is not None and y is not None else x is y for x, y in columns
    )


@pytest.mark.parametrize("name", ["set.h5", "set.xyz"])
def test_files_keep_it(tmp_path: Path, name: str) -> None:
    given = frames()
    if name == "set.h5":
        write_dataset(tmp_path / name, given, provenance={})
    else:
        write_extxyz(tmp_path / name, given)
    found = read_frames(tmp_path / name)
    assert all(same(one, other) for one, other in zip(given, found, strict=True))
    assert content_hash(found) == content_hash(given)


def test_data_sets_that_state_nothing_are_as_they_were(tmp_path: Path) -> None:
    """Older nnpal reads them, and the hash of what states nothing has not changed."""
    import h5py

    plain = frames()[:1]
    write_dataset(tmp_path / "plain.h5", plain, provenance={})
    with h5py.File(tmp_path / "plain.h5") as file:
        assert file.attrs["format_version"] == 1
        assert "stated" not in file["num_atoms_5"]
    (one,) = plain
    parts = (
        one.numbers.astype("<i8"),
        np.zeros((3, 3)),
        np.zeros(3, "u1"),
        one.positions,
        np.array([-1.0]),
        np.zeros((5, 3)),
    )
    assert content_hash(plain) == hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    write_dataset(tmp_path / "set.h5", frames(), provenance={})
    with h5py.File(tmp_path / "set.h5") as file:
        assert file.attrs["format_version"] == 2
    assert len(read_dataset(tmp_path / "set.h5").frames) == 4


def test_ase_database_hides_no_charge(tmp_path: Path) -> None:
    """Of a key `charge` ASE's own rows give 0."""
    with connect(tmp_path / "x.db") as database:
        database.write(Atoms("NH4", positions=PLACES), charge=1)
    (frame,) = read_frames(tmp_path / "x.db", labeled=False)
    assert electrons_of(frame).charge == 1
    assert electrons_of(read_structure(tmp_path / "x.db")).charge == 1
    with connect(tmp_path / "y.db") as database:
        database.write(Atoms("NH4", positions=PLACES), charge=1, data={"charge": 0})
    with pytest.raises(DatasetError, match=r"row 0: charge = 1 in its key-value pairs, but 0 in its data; correct"):
        read_frames(tmp_path / "y.db", labeled=False)


@pytest.mark.parametrize("name", ["Charge", "net_charge", "REF_total_charge", "spin_multiplicity", "formal-charge"])
def test_other_spellings_are_refused(tmp_path: Path, name: str) -> None:
    """They would be dropped; a column of values for each atom says nothing of the whole."""
    atoms = Atoms("NH4", positions=PLACES)
    atoms.info[name] = 1
    atoms.set_array("REF_charge", np.full(5, 0.2))
    with pytest.raises(ValueError, match=f"configuration: {name} = 1 looks like a statement of charge or spin, but"):
        electrons_of(atoms, held={**atoms.info, **atoms.arrays})
    assert electrons_of(atoms, held=atoms.arrays) == Electrons()
    path = tmp_path / "x.xyz"
    path.write_text(f'1\nProperties=species:S:1:pos:R:3 {name}=1 pbc="F F F"\nH 0 0 0\n')
    with pytest.raises(DatasetError, match=rf"x\.xyz: frame 0: {name} = 1 looks like"):
        read_frames(path, units=Units("eV", "Å"), labeled=False)


def test_hashes_tell_states_apart() -> None:
    given = frames()
    assert len({structure_key(frame) for frame in given}) == 4
    assert len({content_hash([Atoms(frame)]) for frame in given}) == 4
    assert len({structure_hash(frame) for frame in given}) == 1
    neutral = given[0].copy()
    neutral.info["charge"] = 0
    assert structure_key(neutral) == structure_key(given[0]) == structure_hash(given[0])


def test_copies_keep_it(tmp_path: Path) -> None:
    given = frames()
    noisy = augment(given, 0.01, 1, np.random.default_rng(0))
    write_bare(tmp_path / "bare.traj", given)
    for copies in (noisy, read_bare(tmp_path / "bare.traj")):
        assert all(same(one, other) for one, other in zip(given, copies, strict=True))


def test_parts_and_other_metals_are_refused() -> None:
    charged = Atoms("Na8", positions=3.0 * np.indices((2, 2, 2)).reshape(3, -1).T, cell=[6.0] * 3, pbc=True)
    charged.info["charge"] = 1
    with pytest.raises(ValueError, match=r"atom 0 states charge \+1; the part of it .* is unknown"):
        cut_environment(charged, 0, 3.0, n_atoms=4)
    with pytest.raises(ValueError, match=r"translate: configuration 0 states charge \+1"):
        translate([charged], factor=1.1, symbols={"Na": "K"})


def test_mixed_states_are_found() -> None:
    """A cation and its neutral at one place are no duplicates, but no model tells them apart."""
    found = check_frames(frames())
    kinds = [(finding.index, finding.kind, finding.severity) for finding in found]
    assert kinds == [
        (1, "charge", "warning"),
        (2, "charge", "warning"),
        (3, "duplicate", "error"),  # of configuration 1, which states the same charge
        (3, "charge", "warning"),
    ]
    assert found[0].value.startswith("charge 1, multiplicity 1, but configuration 0 of the same atoms has charge 0")


def test_structures_of_loops(tmp_path: Path) -> None:
    assert electrons_of(read_structure(written(tmp_path, "charge=1 spin=3"))) == Electrons(1, 3)
    with pytest.raises(ValueError, match=r"ammonium\.xyz: multiplicity 2 of 10 electrons"):
        read_structure(written(tmp_path, "charge=1 spin=2"))
    (tmp_path / "oh.lammpstrj").write_text(DUMP)
    with pytest.warns(Caution, match=r"oh\.lammpstrj: the atomic charges \(q\) are ignored"):
        assert electrons_of(read_structure(tmp_path / "oh.lammpstrj")) == Electrons()


def test_charges_of_dumps_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "oh.dump").write_text(DUMP)
    with pytest.warns(Caution, match=r"oh\.dump: the atomic charges \(q\) are ignored"):
        (frame,) = read_frames(tmp_path / "oh.dump", units=EV, labeled=False)
    assert electrons_of(frame) == Electrons()


def test_unpaired_electrons_given_as_spin() -> None:
    oxygen = molecule("O2")
    oxygen.info["spin"] = 2
    with pytest.raises(ValueError, match=r"expected an odd number for an even one; `spin` is read as 2S\+1"):
        check_parity(oxygen)
