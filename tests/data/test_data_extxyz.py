"""Extended XYZ: exact round trip, keys of all kinds, and nothing guessed."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.units import kcal, mol

from data_frames import assert_same, random_frames
from nnpal.data import DatasetError, Keys, Units, labels_of, read_frames, write_extxyz

ASE = Units("eV", "Å")
LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4" '
ROWS = ":forces:R:3", ["H 0 0 0 1 0 0", "H 0 0 1 -1 0 0"]
REF_ROWS = ":REF_forces:R:3", ["H 0 0 0 3 0 0", "H 0 0 1 -3 0 0"]


def frame_text(header: str, rows: tuple[str, list[str]] = ROWS) -> str:
    columns, lines = rows
    return "\n".join(["2", f"{LATTICE}Properties=species:S:1:pos:R:3{columns} {header}", *lines]) + "\n"


def written(tmp_path: Path, *frames: str) -> Path:
    path = tmp_path / "set.xyz"
    path.write_text("".join(frames))
    return path


def test_round_trip_to_the_last_bit(tmp_path: Path) -> None:
    frames = random_frames()
    tags = ["T", "32", "a b", 'x"\\é', "nan", "1e5", "", "_JSON"]
    for frame, tag in zip(frames, tags, strict=True):
        frame.info["tag"] = tag
    write_extxyz(tmp_path / "set.xyz", frames)
    assert_same(read_frames(tmp_path / "set.xyz"), frames)
    assert list(tmp_path.iterdir()) == [tmp_path / "set.xyz"]


def test_ase_reads_what_we_write(tmp_path: Path) -> None:
    """By the keys that MACE looks for: REF_energy and REF_stress in info, REF_forces in arrays."""
    frames = random_frames()
    write_extxyz(tmp_path / "set.xyz", frames)
    for found, frame in zip(ase.io.read(tmp_path / "set.xyz", ":"), frames, strict=True):
        assert found.info["REF_energy"] == frame.get_potential_energy()
        np.testing.assert_array_equal(found.arrays["REF_forces"], frame.get_forces())
        np.testing.assert_array_equal(found.pbc, frame.pbc)
        np.testing.assert_array_equal(found.cell.array, frame.cell.array)
        assert found.info["units"] == "eV Å"
        assert ("REF_stress" in found.info) == ("stress" in labels_of(frame))
        if "REF_stress" in found.info:
            np.testing.assert_array_equal(np.reshape(found.info["REF_stress"], (3, 3)), frame.get_stress(voigt=False))


def test_what_ase_writes_is_read(tmp_path: Path) -> None:
    """ASE writes plain keys from the calculator and moves them back into one as it reads."""
    frames = [frame for frame in random_frames() if frame.pbc.all()]
    ase.io.write(tmp_path / "set.xyz", frames, format="extxyz")
    for found, frame in zip(read_frames(tmp_path / "set.xyz", units=ASE), frames, strict=True):
        assert found.get_potential_energy() == pytest.approx(frame.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(found.get_forces(), frame.get_forces(), atol=1e-8)
        if "stress" in labels_of(frame):
            np.testing.assert_allclose(found.get_stress(), frame.get_stress(), rtol=1e-12)


def test_units_must_be_stated(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text("energy=-1"))
    with pytest.raises(DatasetError, match=r"set\.xyz: frame 0 does not state its units; give them"):
        read_frames(path)
    found = read_frames(path, units=Units("hartree", "bohr"))[0]
    assert found.get_potential_energy() == pytest.approx(-27.211386, abs=1e-6)
    assert found.get_forces()[0, 0] == pytest.approx(51.422067, abs=1e-6)
    assert found.positions[1, 2] == pytest.approx(0.52917721, abs=1e-8)
    assert found.cell.lengths()[0] == pytest.approx(4 * 0.52917721, abs=1e-7)


def test_units_stated_by_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text('energy=-1 units="hartree bohr"'))
    assert read_frames(path)[0].get_potential_energy() == pytest.approx(-27.211386, abs=1e-6)
    with pytest.raises(DatasetError, match=r"frame 0 states units hartree bohr .* but eV Å"):
        read_frames(path, units=ASE)
    with pytest.raises(DatasetError, match="frame 0: unit of energy 'hrtree': unknown; did you mean hartree"):
        read_frames(written(tmp_path, frame_text('energy=-1 units="hrtree bohr"')))


def test_ref_keys_win(tmp_path: Path) -> None:
    both = ":forces:R:3:REF_forces:R:3", ["H 0 0 0 1 0 0 3 0 0", "H 0 0 1 -1 0 0 -3 0 0"]
    found = read_frames(written(tmp_path, frame_text("energy=-1 REF_energy=-2", both)), units=ASE)[0]
    assert found.get_potential_energy() == -2
    assert found.get_forces()[0, 0] == 3


def test_ref_energy_never_goes_with_plain_forces(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text("REF_energy=-2 energy=-1"))
    with pytest.raises(DatasetError, match=r"no frame has 'REF_forces'.*frame 0 has REF_energy, energy, forces"):
        read_frames(path, units=ASE)
    found = read_frames(path, units=ASE, keys=Keys(energy="REF_energy", forces="forces"))[0]
    assert (found.get_potential_energy(), found.get_forces()[0, 0]) == (-2, 1)


def test_ref_stress_alone_is_not_mixed_with_a_plain_one(tmp_path: Path) -> None:
    text = frame_text('REF_energy=-2 stress="1 0 0 0 1 0 0 0 1"', REF_ROWS)
    assert "stress" not in labels_of(read_frames(written(tmp_path, text), units=ASE)[0])


def test_absent_keys_are_errors_never_zeros(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text("energy=-1"), frame_text("my_energy=-1"), frame_text("energy=-3"))
    with pytest.raises(DatasetError, match=r"1 of 3 frames lack 'energy' \(frame 1\); frame 1 has forces, my_energy"):
        read_frames(path, units=ASE)
    with pytest.raises(DatasetError, match="no frame has 'dft_energy'"):
        read_frames(path, units=ASE, keys=Keys(energy="dft_energy"))
    with pytest.raises(DatasetError, match="no frame has 'dft_stress'"):
        read_frames(written(tmp_path, frame_text("energy=-1")), units=ASE, keys=Keys(stress="dft_stress"))
    without = written(tmp_path, frame_text("energy=-1"), frame_text("energy=-1", ("", ["H 0 0 0", "H 0 0 1"])))
    with pytest.raises(DatasetError, match=r"lack 'forces' \(frame 1\); frame 1 has energy; name the key"):
        read_frames(without, units=ASE)
    assert [set(labels_of(f)) for f in read_frames(without, units=ASE, labeled=None)] == [
        {"energy", "forces"},
        {"energy"},
    ]
    bare = read_frames(without, units=ASE, labeled=False)
    assert [frame.calc for frame in bare] == [None, None]


def test_stress_may_be_there_for_some(tmp_path: Path) -> None:
    stress = 'stress="1 6 5 6 2 4 5 4 3"'
    found = read_frames(written(tmp_path, frame_text(f"energy=-1 {stress}"), frame_text("energy=-1")), units=ASE)
    np.testing.assert_array_equal(found[0].get_stress(), [1, 2, 3, 4, 5, 6])
    assert "stress" not in labels_of(found[1])


@pytest.mark.parametrize("key", ["virial", "virials"])
def test_virial_becomes_stress_with_the_other_sign(tmp_path: Path, key: str) -> None:
    header = f'energy=-1 {key}="64 6 5 6 128 4 5 4 192"'
    found = read_frames(written(tmp_path, frame_text(header)), units=ASE)[0]
    np.testing.assert_allclose(found.get_stress() * 64, [-64, -128, -192, -4, -5, -6], rtol=1e-14)
    in_hartree = read_frames(written(tmp_path, frame_text(header)), units=Units("hartree", "bohr"))[0]
    ratio = 27.21138602 / 0.52917721067**3
    np.testing.assert_allclose(in_hartree.get_stress(), found.get_stress() * ratio, rtol=1e-7)


def test_the_sign_of_the_virial_is_that_of_forces() -> None:
    """W = Σ r ⊗ F = -dE/dε and σ = -W/V: two atoms that repel push outwards, and ASE's stress is negative."""
    from ase.calculators.lj import LennardJones

    from nnpal.data import stress_of_virial

    atoms = Atoms("Ar2", positions=[[5, 5, 5], [6.02, 5, 5]], cell=[12, 12, 12], pbc=True)
    atoms.calc = LennardJones(rc=4.0)
    forces = atoms.get_forces()
    virial = np.einsum("ai,aj->ij", atoms.positions, forces)
    assert virial[0, 0] > 0
    stress = stress_of_virial(virial, atoms, "here")
    np.testing.assert_allclose(stress, atoms.get_stress(voigt=False), atol=1e-14)


def test_six_components_follow_the_order_given(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text('REF_energy=-1 REF_virial="64 128 192 4 5 6"', REF_ROWS))
    voigt = read_frames(path, units=ASE)[0].get_stress() * -64
    lammps = read_frames(path, units=ASE, keys=Keys(order="lammps"))[0].get_stress() * -64
    np.testing.assert_allclose(voigt, [64, 128, 192, 4, 5, 6])
    np.testing.assert_allclose(lammps, [64, 128, 192, 6, 5, 4])
    assert "stress" not in labels_of(read_frames(path, units=ASE, keys=Keys(stress=""))[0])


def test_tags_and_sources(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text("energy=-1 config_type=bulk"), frame_text("energy=-1"))
    found = read_frames(path, units=ASE)
    assert [frame.info["tag"] for frame in found] == ["bulk", "set"]
    assert [frame.info["source"] for frame in found] == [f"{path}:0", f"{path}:1"]
    assert {frame.info["tag"] for frame in read_frames(path, units=ASE, tag="mine")} == {"mine"}


def test_symbols_are_renamed_only_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, frame_text("energy=-1"))
    found = read_frames(path, units=ASE, symbols=["H=Ni"])[0]
    assert found.get_chemical_symbols() == ["Ni", "Ni"]
    assert found.get_potential_energy() == -1
    for symbols, message in (
        (["Ni"], "the file names its elements itself"),
        (["He=Ni"], "symbols rename 'He', but the file has H"),
        (["H=ni"], "'ni' is not a chemical element; did you mean Ni"),
    ):
        with pytest.raises(DatasetError, match=message):
            read_frames(path, units=ASE, symbols=symbols)


GOOD = frame_text("energy=-1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty .0 bytes., expected configurations"),
        ("\n", "holds no frame"),
        ("hello\n", "frame 0 is not valid extended XYZ: line 1 is 'hello', expected the frame's number of atoms"),
        (GOOD + "-2\n", "frame 1 is not valid extended XYZ: line 5 is '-2', expected the frame's number of atoms"),
        # ASE's reader would make a list of so many columns
        (
            GOOD.replace("species:S:1", "species:S:100000000000"),
            "line 3 has . words, expected 10000000000., as many as",
        ),
        (GOOD.replace("pos:R:3", "pos:R:-3"), "line 2: Properties=species:S:1:pos:R:-3.*, expected 1 column at least"),
        (GOOD.rsplit(" ", 1)[0] + "\n", "line 4 has . words, expected ., as many as Properties has columns: '"),
        (GOOD + "\n" + GOOD, r"there is more text after line 4, where an empty line ends frame 0"),
        (GOOD + GOOD.rsplit("\n", 2)[0] + "\n", "line 5 says 2 atoms, but 1 lines of atoms follow"),
        (GOOD.replace("H 0 0 1 -1", "Hx 0 0 1 -1"), "frame 0: 'Hx' is not a chemical element"),
        (GOOD.replace("energy=-1", "energy=low"), "frame 0: energy is 'low', expected numbers"),
        (GOOD.replace("energy=-1", 'energy="1 2"'), "frame 0: energy has 2 values, expected one"),
        (GOOD.replace("forces:R:3", "forces:R:2"), r"forces have shape \(2, 2\), expected \(2, 3\)"),
        (GOOD.replace("energy=-1", 'energy=-1 stress="1 2 3"'), "frame 0 is not valid extended XYZ.*stress"),
        (GOOD.replace("energy=-1", 'energy=-1 virials="1 2 0 0 1 0 0 0 1"'), "expected a symmetric matrix"),
        (
            GOOD.replace(LATTICE, "").replace("energy=-1", 'energy=-1 virials="1 0 0 0 1 0 0 0 1"'),
            "frame 0: stress: virials in a configuration without cell",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"set\.xyz.*{message}"):
        read_frames(written(tmp_path, text), units=ASE)


def test_empty_lines_at_the_end_are_fine(tmp_path: Path) -> None:
    assert len(read_frames(written(tmp_path, GOOD, GOOD, "\n \n"), units=ASE)) == 2


def test_moved_atoms_are_not_written(tmp_path: Path) -> None:
    frames = random_frames()
    frames[2].cell[0, 0] += 1
    with pytest.raises(ValueError, match="configuration 2: atoms or cell have changed since it was labeled"):
        write_extxyz(tmp_path / "set.xyz", frames)
    with pytest.raises(ValueError, match="no configurations"):
        write_extxyz(tmp_path / "set.xyz", [])
    assert list(tmp_path.iterdir()) == []


def test_keys_that_contradict() -> None:
    with pytest.raises(ValueError, match="expected one at most"):
        Keys(stress="a", virial="b")
    with pytest.raises(ValueError, match="order = 'lamps'; did you mean lammps"):
        Keys(order="lamps")  # type: ignore[arg-type]


def test_what_lammps_dumps_as_extended_xyz(tmp_path: Path) -> None:
    """Units and the energy's name are given; read by itself, ASE would take kcal/mol/Å for eV/Å."""
    path = tmp_path / "end.xyz"
    header = 'Timestep=0 Time=0.0 pbc="T T T" Lattice="20 0 0 0 20 0 0 0 20" Potential_energy=-23.06 Temperature=300'
    columns = "Properties=species:S:1:pos:R:3:vel:R:3:forces:R:3"
    path.write_text(f"1\n{header} {columns}\nAr 5 5 5 0.01 -0.02 0 18 0 0\n")
    with pytest.raises(DatasetError, match="does not state its units"):
        read_frames(path, keys=Keys(energy="Potential_energy"))
    (frame,) = read_frames(path, units=Units.lammps("real"), keys=Keys(energy="Potential_energy"))
    assert frame.get_potential_energy() == pytest.approx(-23.06 * kcal / mol)
    np.testing.assert_allclose(frame.get_forces(), [[18 * kcal / mol, 0, 0]], rtol=1e-15)
