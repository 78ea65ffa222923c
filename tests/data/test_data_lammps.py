"""LAMMPS dumps and data files: as LAMMPS writes them, and damaged by hand."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from data_frames import assert_same
from lmp_runner import FULL_DIGITS, Lmp, LmpRun
from nnpal.data import DatasetError, Keys, Units, labels_of, read_frames
from nnpal.data.dump_columns import read_dump_columns
from nnpal.data.lammps_dump import read_dump
from nnpal.runtime.caution import Caution

METAL = Units.lammps("metal")

# LAMMPS works in a box that is rotated against the general one, and writes either. Atoms leave through the faces.
SCRIPT = f"""units metal
lattice custom 1.0 a1 3.0 3.5 1.0 a2 -1.0 4.0 0.5 a3 0.5 -1.2 5.0 basis 0 0 0 basis 0.5 0.5 0.4 triclinic/general
create_box 2 NULL 0 2 0 2 0 2
create_atoms 1 box basis 2 2
mass 1 58.693
mass 2 26.982
pair_style lj/cut 4.0
pair_coeff * * 0.1 2.2
displace_atoms all random 0.3 0.3 0.3 4711 units box
displace_atoms all move 5.5 0 0 units box
compute pe all pe/atom
velocity all create 3000 1 loop geom
fix nve all nve
thermo_style custom step pe
thermo_modify line yaml format float '{FULL_DIGITS}'
atom_modify sort 5 2.0
dump general all custom 20 general.dump id type element x y z fx fy fz c_pe
dump_modify general triclinic/general yes element Ni Al units yes time yes
dump plain all custom 20 plain.dump z y x type id fz fy fx
dump scaled all custom 20 scaled.dump xs ys zs id type
dump unwrapped all custom 20 unwrapped.dump id element xu yu zu
dump_modify unwrapped element Ni Al
dump both all custom 20 both.dump.gz id type xsu ysu zsu
labelmap atom 1 Ni 2 Al
dump labels all custom 20 labels.dump typelabel id x y z
dump both_names all custom 20 both_names.dump id type typelabel element xs ys zs
dump nameless all custom 20 nameless.dump id type element x y z
"""
DUMPS = ("general", "plain", "scaled", "unwrapped", "both", "labels", "both_names", "nameless")
FORMATS = "".join(f"dump_modify {name} sort off format float '{FULL_DIGITS}'\n" for name in DUMPS)
SYMBOLS = {"plain": ["Ni", "Al"], "scaled": ["Ni", "Al"], "both": ["Ni", "Al"], "nameless": ["Ni", "Al"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, lmp_in: Callable[[Path], Lmp]) -> LmpRun:
    lmp = lmp_in(tmp_path_factory.mktemp("lammps"))
    script = SCRIPT.replace("both.dump.gz", "both.dump") + FORMATS
    ends = "write_data set.data nolabelmap\nwrite_data general.data triclinic/general nolabelmap\n"
    run = lmp(script + f"run 20\n{ends}write_data typed.data types labels\n")
    with gzip.open(lmp.folder / "both.dump.gz", "wb") as file:
        file.write((lmp.folder / "both.dump").read_bytes())
    return run


def lj_forces(atoms: Atoms) -> np.ndarray:
    """Return the forces that the structure has by the pair style of the script."""
    copy = atoms.copy()
    copy.calc = LennardJones(sigma=2.2, epsilon=0.1, rc=4.0)
    return copy.get_forces()


def read_of(run: LmpRun, name: str, labeled: bool | None = False) -> list[Atoms]:
    path = run.folder / (f"{name}.dump.gz" if name == "both" else f"{name}.dump")
    units = None if name == "general" else METAL
    return read_frames(path, units=units, symbols=SYMBOLS.get(name), labeled=labeled)


@pytest.mark.parametrize("name", DUMPS)
def test_every_kind_of_dump_gives_the_same_structure(run: LmpRun, name: str) -> None:
    expected = read_of(run, "general", labeled=None)
    found = read_of(run, name)
    assert len(found) == len(expected) == 2
    for frame, other in zip(found, expected, strict=True):
        assert frame.get_chemical_symbols() == other.get_chemical_symbols() == ["Ni", "Al"] * 8
        assert frame.pbc.all()
        np.testing.assert_allclose(frame.cell.cellpar(), other.cell.cellpar(), atol=1e-12)
        # The axes of the restricted box lie otherwise
        rotation = np.linalg.inv(frame.cell.array) @ other.cell.array
        np.testing.assert_allclose(lj_forces(frame) @ rotation, other.get_forces(), atol=1e-11)


@pytest.mark.parametrize("name", sorted({*DUMPS} - {"both_names", "nameless"}))
def test_dumps_of_lammps_are_read_as_wholes(run: LmpRun, name: str) -> None:
    """... those whose elements are told in one way."""
    path = run.folder / (f"{name}.dump.gz" if name == "both" else f"{name}.dump")
    given = {"units": METAL, "symbols": SYMBOLS.get(name), "labeled": None, "keys": Keys()}
    assert_same(*(_tagged(list(read(path, **given))) for read in (read_dump_columns, read_dump)))


def _tagged(frames: list[Atoms]) -> list[Atoms]:
    for frame in frames:
        frame.info.update(tag="-", source="-")
    return frames


def test_dumped_rows_really_are_out_of_order(run: LmpRun) -> None:
    """Else the test above would pass without sorting."""
    last = (run.folder / "general.dump").read_text().split("ITEM: ATOMS")[-1].splitlines()[1:]
    ids = [int(line.split()[0]) for line in last]
    assert sorted(ids) == list(range(1, 17))
    assert ids != sorted(ids)


def test_forces_of_a_dump_are_its_labels(run: LmpRun) -> None:
    frame = read_of(run, "plain", labeled=None)[1]
    assert set(labels_of(frame)) == {"forces"}
    np.testing.assert_allclose(frame.get_forces(), lj_forces(frame), atol=1e-11)
    real = read_frames(run.folder / "plain.dump", units=Units.lammps("real"), symbols=["Ni", "Al"], labeled=None)[1]
    np.testing.assert_allclose(real.get_forces(), frame.get_forces() * 0.04336410, rtol=1e-6)


def test_energies_are_the_sum_of_a_named_column(run: LmpRun) -> None:
    with pytest.raises(DatasetError, match="a dump contains no energies; name a column"):
        read_of(run, "general", labeled=True)
    frames = read_frames(run.folder / "general.dump", keys=Keys(energy="c_pe"))
    np.testing.assert_allclose(
        [frame.get_potential_energy() for frame in frames], run.thermo[-1]["PotEng"][[0, -1]], rtol=1e-12
    )
    with pytest.raises(DatasetError, match="no frame has 'c_energy'"):
        read_frames(run.folder / "general.dump", keys=Keys(energy="c_energy"))


def test_a_dump_must_tell_units_and_elements(run: LmpRun) -> None:
    with pytest.raises(DatasetError, match=r"plain\.dump: does not state its units; give the unit style"):
        read_frames(run.folder / "plain.dump", symbols=["Ni", "Al"], labeled=False)
    with pytest.raises(DatasetError, match=r"plain\.dump: frame 0 .*has no column `element`; give symbols"):
        read_frames(run.folder / "plain.dump", units=METAL, labeled=False)
    with pytest.raises(DatasetError, match="all types have element C, which is what LAMMPS writes without"):
        read_frames(run.folder / "nameless.dump", units=METAL, labeled=False)
    with pytest.raises(DatasetError, match=r"atom types 1 to 2, symbols .* are for 1 to 1; give one for each"):
        read_frames(run.folder / "plain.dump", units=METAL, symbols=["Ni"], labeled=False)
    with pytest.raises(DatasetError, match=r"general\.dump: states units metal, but kcal/mol"):
        read_frames(run.folder / "general.dump", units=Units.lammps("real"), labeled=False)
    renamed = read_frames(run.folder / "unwrapped.dump", units=METAL, symbols=["Ni=Cu"], labeled=False)[0]
    assert set(renamed.symbols) == {"Cu", "Al"}


@pytest.mark.parametrize("name", ["set", "general", "typed"])
def test_data_files(run: LmpRun, name: str) -> None:
    """Elements by mass, or by type labels; write_data states units and style, and writes atoms out of order."""
    expected = read_of(run, "general", labeled=None)[1]
    path = run.folder / f"{name}.data"
    (frame,) = read_frames(path, labeled=False)
    assert frame.get_chemical_symbols() == ["Ni", "Al"] * 8
    rotation = np.linalg.inv(frame.cell.array) @ expected.cell.array
    np.testing.assert_allclose(lj_forces(frame) @ rotation, expected.get_forces(), atol=1e-11)
    assert read_frames(path, symbols=["Cu", "Nb"], labeled=False)[0].get_chemical_symbols() == ["Cu", "Nb"] * 8
    with pytest.raises(DatasetError, match="a LAMMPS data file holds no labels"):
        read_frames(path)
    with pytest.raises(DatasetError, match="states units metal, but hartree bohr"):
        read_frames(path, units=Units("hartree", "bohr"), labeled=False)


def test_data_files_written_by_lammps_are_out_of_order(run: LmpRun) -> None:
    """Else ASE's own sort, which leaves type labels behind, would not be seen."""
    lines = (run.folder / "typed.data").read_text().split("Atoms # atomic")[1].split("Velocities")[0].split("\n")
    rows = [line.split()[:2] for line in lines if line.strip()]
    assert [int(row[0]) for row in rows] != sorted(int(row[0]) for row in rows)
    assert {row[1] for row in rows} == {"Ni", "Al"}


DUMP = """ITEM: TIMESTEP
7
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp fs mm
-1.5 11 -0.5
2 6 1
3 8 -1
ITEM: ATOMS id element xs ys zs
2 Al 0.5 0.5 0.5
1 Ni 0 0 0
"""


def written(tmp_path: Path, text: str, name: str = "dump.al") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_bounding_box_tilts_and_boundaries(tmp_path: Path) -> None:
    """xlo = -1.5 + 0.5, xhi = 11 - 1, ylo = 2 + 1: worked by hand. No suffix is needed."""
    (frame,) = read_frames(written(tmp_path, DUMP), units=METAL, labeled=False)
    np.testing.assert_allclose(frame.cell.array, [[11, 0, 0], [-0.5, 3, 0], [1, -1, 5]])
    np.testing.assert_allclose(frame.positions, [[-1, 3, 3], [4.75, 4, 5.5]])
    assert frame.pbc.tolist() == [True, False, False]
    assert frame.get_chemical_symbols() == ["Ni", "Al"]
    assert frame.info == {"tag": "dump", "source": f"{tmp_path}/dump.al:0"}
    (in_bohr,) = read_frames(tmp_path / "dump.al", units=Units.lammps("electron"), labeled=False)
    np.testing.assert_allclose(in_bohr.positions, frame.positions * 0.52917721, rtol=1e-7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DUMP + DUMP.rsplit("1 Ni", 1)[0], "frame 1 is damaged .* the file ends within it"),
        (DUMP + DUMP.split("ITEM: ATOMS")[0], "frame 1 is truncated"),
        (DUMP + DUMP[:-3] + "\n", "frame 1 is damaged .* its atom line 2 has 4 words, expected 5"),
        (DUMP.replace("1 Ni", "2 Ni"), "an atom ID occurs twice"),
        (DUMP.replace("0.5 0.5 0.5", "0.5 0.5 half"), "could not convert"),
        (DUMP.replace("xs ys zs", "xs ys c_z"), "has columns .* but not zs"),
        (DUMP.replace("xs ys zs", "mx my mz"), "has columns .*, expected x"),
        (DUMP.replace(" Al ", " Aq "), "'Aq' is not a chemical element"),
        (DUMP.replace("ITEM: BOX BOUNDS xy xz yz", "ITEM: BOX BOUNDS"), "expected three lines of 2 numbers"),
        (DUMP.replace("ITEM: NUMBER OF ATOMS\n2\n", ""), "no ITEM: NUMBER OF ATOMS"),
        ("ITEM: TIMESTEP\n", "the file ends within it"),
        ("ITEM: UNITS\nlj\n" + DUMP, "'lj': has no scale"),
    ],
)
def test_damaged_dumps(tmp_path: Path, text: str, message: str) -> None:
    units = None if "UNITS" in text else METAL
    with pytest.raises(DatasetError, match=rf"dump\.al.*{message}"):
        read_frames(written(tmp_path, text), units=units, labeled=False)


DATA = """by hand

2 atoms
2 atom types
0 4 xlo xhi
0 5 ylo yhi
0 6 zlo zhi

Masses

1 58.7
2 27.0

Atoms

2 2 1 1 1
1 1 0 0 0
"""


def test_a_data_file_by_hand(tmp_path: Path) -> None:
    path = written(tmp_path, DATA, "data.nial")
    with pytest.raises(DatasetError, match=r"data\.nial: does not state its units; give the unit style"):
        read_frames(path, labeled=False)
    (frame,) = read_frames(path, units=METAL, labeled=False)
    assert frame.get_chemical_symbols() == ["Ni", "Al"]
    np.testing.assert_array_equal(frame.positions, [[0, 0, 0], [1, 1, 1]])
    text = (
        DATA.replace("Atoms", "Atoms # charge").replace("2 1 1 1", "2 0.5 1 1 1").replace("1 1 0 0 0", "1 1 -0.5 0 0 0")
    )
    with pytest.warns(Caution, match=r"charged\.data: the atomic charges \(q\) are ignored"):
        (charged,) = read_frames(written(tmp_path, text, "charged.data"), units=METAL, labeled=False)
    assert not charged.has("initial_charges")
    np.testing.assert_array_equal(charged.positions, frame.positions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DATA.replace("Masses\n\n1 58.7\n2 27.0\n", ""), "has no Masses; give symbols"),
        (DATA.replace("58.7", "58.8"), "atom type 1 has mass 58.8, within 0.1 g/mol of no element; give symbols"),
        (DATA.replace("27.0", "268.1"), "atom type 2 has mass 268.1, within 0.1 g/mol of no element"),
        (DATA.replace("1 1 0 0 0", "1 1 0 0 0 0"), "damaged, or not a LAMMPS data file"),
        (DATA.replace("2 2 1 1 1", "2 2 0 1 1 1"), "does not state its atom style; write it as a comment"),
        (DATA.replace("Atoms", "Atoms # sphere"), "atom style 'sphere', can read angle, atomic"),
        (DATA.replace("1 1 0 0 0", "2 1 0 0 0"), "an atom ID occurs twice"),
        (DATA.rsplit("1 1", 1)[0], "damaged, or not a LAMMPS data file"),
        (DATA.replace("by hand", "made, units = lj"), "LAMMPS unit style 'lj': has no scale.*; give units"),
    ],
)
def test_damaged_data_files(tmp_path: Path, text: str, message: str) -> None:
    units = None if "units" in text else METAL
    with pytest.raises(DatasetError, match=rf"data\.nial: {message}"):
        read_frames(written(tmp_path, text, "data.nial"), units=units, labeled=False)


LABELS = """units real
atom_style full
region box block 0 10 0 10 0 10
create_box 2 box bond/types 1 extra/bond/per/atom 1
labelmap atom 1 oh 2 ho
labelmap bond 1 oh-ho
mass oh 15.9994
mass ho 1.008
create_atoms oh single 5 5 5
create_atoms ho single 5.9 5 5
bond_style harmonic
bond_coeff oh-ho 100 0.96
create_bonds single/bond 1 1 2
pair_style zero 4.0
pair_coeff * *
dump labels all custom 1 labels.dump id typelabel x y z
dump_modify labels units yes
run 0
write_data labels.data types labels
"""


def test_labels_that_are_no_elements(tmp_path: Path, lmp_in: Callable[[Path], Lmp]) -> None:
    """Force fields' names of atom types are renamed by name; those of bonds do not hinder."""
    lmp_in(tmp_path)(LABELS)
    assert "1 oh-ho 1 2" in (tmp_path / "labels.data").read_text()
    with pytest.raises(
        DatasetError, match=r"'(oh|ho)' is not a chemical element.*; name the element of this label, e\.g\. symbols"
    ):
        read_frames(tmp_path / "labels.dump", labeled=False)
    with pytest.raises(DatasetError, match=r"no column `type`.* give OLD=NEW"):
        read_frames(tmp_path / "labels.dump", symbols=["O", "H"], labeled=False)
    for name, symbols in (
        ("labels.dump", ["oh=O", "ho=H"]),
        ("labels.data", ["oh=O", "ho=H"]),
        ("labels.data", None),
        ("labels.data", ["O", "H"]),
    ):
        (frame,) = read_frames(tmp_path / name, symbols=symbols, labeled=False)
        assert frame.get_chemical_symbols() == ["O", "H"]
    with pytest.raises(DatasetError, match="symbols rename 'hc', but the file has ho, oh"):
        read_frames(tmp_path / "labels.data", symbols=["hc=H"], labeled=False)


def test_a_label_beside_the_mass_of_another_element(tmp_path: Path) -> None:
    """Ho is holmium, and to some force fields the hydrogen of a hydroxyl."""
    text = DATA.replace("Masses", "Atom Type Labels\n\n1 Ni\n2 Ho\n\nMasses").replace("2 27.0", "2 1.008")
    path = written(tmp_path, text, "data.nial")
    with pytest.raises(DatasetError, match=r"atom type 2 has label Ho and mass 1\.008, that of H; give symbols"):
        read_frames(path, units=METAL, labeled=False)
    (frame,) = read_frames(path, units=METAL, symbols=["Ho=H"], labeled=False)
    assert frame.get_chemical_symbols() == ["Ni", "H"]
    heavy = written(tmp_path, text.replace("Ho", "H").replace("1.008", "3.024"), "heavy.data")
    assert read_frames(heavy, units=METAL, labeled=False)[0].get_chemical_symbols() == ["Ni", "H"]


def test_unknown_formats(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither suffix nor contents show the format; give format, one of hdf5"):
        read_frames(written(tmp_path, "hello\n", "some.thing"), labeled=False)
    with pytest.raises(DatasetError, match="format 'lammps-dmp': unknown; did you mean lammps-dump"):
        read_frames(written(tmp_path, DUMP, "some.thing"), units=METAL, labeled=False, format="lammps-dmp")
    assert len(read_frames(tmp_path / "some.thing", units=METAL, labeled=False, format="lammps-dump")) == 1
