"""Real outputs of Quantum ESPRESSO and CP2K: units, signs, and labels that belong to their structures."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units

from nnpal.data import DatasetError, Keys, Units, read_frames
from nnpal.data.trajectory import steps_of

OUTPUTS = Path(__file__).parent / "program_outputs"
CP2K = ("h2o-pos-1.xyz", "h2o-frc-1.xyz", "h2o-1.cell", "h2o-1.restart")


def work_of_forces(frames: list[Atoms]) -> list[float]:
    """Return -F·Δr between successive frames, with the mean of both forces, eV: their change of energy."""
    return [
        -float(np.sum(0.5 * (a.get_forces() + b.get_forces()) * (b.positions - a.positions)))
        for a, b in pairwise(frames)
    ]


def test_espresso() -> None:
    """The energy is the free energy, which the line `!` holds: with the smearing its derivatives are the forces."""
    frames = read_frames(OUTPUTS / "al.pwo")
    # constants of ASE's reader, CODATA 2006, and of its units, 2014, differ by 8e-8
    for frame, energy in zip(frames, [-8.40949219, -8.40949616], strict=True):
        assert frame.get_potential_energy() == pytest.approx(energy * units.Rydberg, rel=2e-7)
        assert frame.pbc.all()
    force = np.array([-0.00457868, -0.00435842, 0.00461022]) * units.Rydberg / units.Bohr
    np.testing.assert_allclose(frames[0].get_forces(), [force, -force], rtol=1e-6)
    pressure = -frames[0].get_stress()[:3].mean() / units.GPa
    assert pressure == pytest.approx(-4.760, abs=0.001)  # P = -47.60 kbar
    # the energy has digits of 1e-8 Ry, 0.3 % of the change
    change = frames[1].get_potential_energy() - frames[0].get_potential_energy()
    assert change == pytest.approx(work_of_forces(frames)[0], rel=0.01)


def test_cp2k() -> None:
    frames = read_frames(OUTPUTS / "h2o-pos-1.xyz")
    assert [frame.get_chemical_symbols() for frame in frames] == [["O", "H", "H"]] * 3
    assert frames[0].get_potential_energy() == pytest.approx(-17.0245026979 * units.Hartree)
    force = np.array([-0.0682047713, -0.1167095681, -0.0103428568]) * units.Hartree / units.Bohr
    np.testing.assert_allclose(frames[0].get_forces()[0], force)
    np.testing.assert_allclose(frames[2].cell.array, 5 * np.eye(3))
    assert frames[0].pbc.all()
    assert "stress" not in frames[0].calc.results
    assert steps_of(OUTPUTS / "h2o-pos-1.xyz", frames) == [0, 1, 2]
    changes = np.diff([frame.get_potential_energy() for frame in frames])
    np.testing.assert_allclose(changes, work_of_forces(frames), rtol=1e-3)  # 13 and 41 meV; third order in Δr


def copied(folder: Path, **changes: tuple[str, str]) -> Path:
    """Copy the files of CP2K; of those named (_ for . and -), replace a text once."""
    for name in CP2K:
        text = (OUTPUTS / name).read_text()
        before, after = changes.get(name.replace(".", "_").replace("-", "_"), ("", ""))
        assert before in text
        (folder / name).write_text(text.replace(before, after, 1) if before else text)
    return folder / "h2o-pos-1.xyz"


def test_directions_that_are_not_periodic(tmp_path: Path) -> None:
    path = copied(tmp_path, h2o_1_restart=("     &CELL\n       A ", "     &CELL\n       A 5 0 0\n PERIODIC  XY\n B "))
    assert read_frames(path, labeled=False)[0].pbc.tolist() == [True, True, False]
    path = copied(tmp_path, h2o_1_restart=("     &CELL\n       A ", "     &CELL\n       A 5 0 0\n PERIODIC  NONE\n B "))
    assert not read_frames(path, labeled=False)[0].pbc.any()


def test_charge_and_multiplicity(tmp_path: Path) -> None:
    path = copied(tmp_path, h2o_1_restart=("   &DFT\n", "   &DFT\n     CHARGE  1\n     MULTIPLICITY  2\n"))
    info = read_frames(path)[0].info
    assert (info["charge"], info["multiplicity"]) == (1, 2)
    assert "charge" not in read_frames(OUTPUTS / "h2o-pos-1.xyz")[0].info


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("h2o_frc_1_xyz", (" i =        1,", " i =        2,"), r"h2o-frc-1\.xyz: has 3 frames, and .* frame 1 is of"),
        ("h2o_1_cell", ("       2       0.400", "       5       0.400"), "has no cell of step 2; print it as often"),
        (
            "h2o_1_cell",
            ("       2       0.400        5.0", "       2       0.400        x.0"),
            r"1\.cell, line 4: could not",
        ),
        ("h2o_1_restart", ("&FORCES  ON", "&FORCES  ON\n UNIT eV*angstrom^-1"), r"FORCES was printed in UNIT eV"),
        ("h2o_pos_1_xyz", ("  O  ", "  S  "), "frame 0 is of another step, energy or atoms"),
        ("h2o_pos_1_xyz", ("  H         0.97", "  H         x"), "frame 0 is truncated or damaged"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, name: str, change: tuple[str, str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_frames(copied(tmp_path, **{name: change}))


@pytest.mark.parametrize(("name", "section"), [(CP2K[1], "FORCES"), (CP2K[2], "CELL"), (CP2K[3], "RESTART")])
def test_a_file_that_is_not_there(tmp_path: Path, name: str, section: str) -> None:
    path = copied(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DatasetError, match=rf"{name}: no such file, .*; print MOTION / PRINT / {section}"):
        read_frames(path)


def test_what_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    for given, message in (
        ({"units": Units("hartree", "bohr")}, "in its default units, but hartree"),
        ({"keys": Keys(energy="E")}, "CP2K's files have no keys"),
    ):
        with pytest.raises(DatasetError, match=message):
            read_frames(path, **given)
    with pytest.raises(DatasetError, match="expected its file of positions with its own name"):
        read_frames(tmp_path / "h2o-frc-1.xyz")
    path = copied(tmp_path, h2o_pos_1_xyz=("  O  ", "  X1 "))
    with pytest.raises(DatasetError, match="frame 0: 'X1' is not a chemical element"):
        read_frames(path, labeled=False)
    shutil.copy(path, tmp_path / "other.xyz")
    with pytest.raises(DatasetError, match="expected its file of positions with its own name"):
        read_frames(tmp_path / "other.xyz")
