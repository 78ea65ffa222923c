"""Files that ASE reads: trajectories, and outputs of other codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import write

from data_frames import random_frames
from nnpal.data import DatasetError, Keys, Units, labels_of, read_frames

# Two silicon atoms in a box of 4 x 5 x 6 Å, one step; values are made up, in VASP's layout.
VASPRUN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator><i name="program" type="string">vasp </i><i name="version" type="string">6.4.2 </i></generator>
 <kpoints><varray name="kpointlist"><v>0 0 0</v></varray><varray name="weights"><v>1</v></varray></kpoints>
 <parameters><separator name="electronic"><i name="NELECT">8.0</i></separator></parameters>
 <atominfo>
  <atoms>2</atoms><types>1</types>
  <array name="atoms"><dimension dim="1">ion</dimension>
   <field type="string">element</field><field type="int">atomtype</field>
   <set><rc><c>Si</c><c>1</c></rc><rc><c>Si</c><c>1</c></rc></set></array>
 </atominfo>
 <structure name="initialpos">
  <crystal><varray name="basis"><v>4 0 0</v><v>0 5 0</v><v>0 0 6</v></varray></crystal>
  <varray name="positions"><v>0 0 0</v><v>0.5 0.5 0.5</v></varray>
  <varray name="selective" type="logical"><v>F F F</v><v>T T T</v></varray>
 </structure>
 <calculation>
  <scstep>
   <energy><i name="e_fr_energy">-10.5</i><i name="e_wo_entrp">-10.1</i><i name="e_0_energy">-10.3</i></energy>
  </scstep>
  <structure>
   <crystal><varray name="basis"><v>4 0 0</v><v>0 5 0</v><v>0 0 6</v></varray></crystal>
   <varray name="positions"><v>0 0 0</v><v>0.5 0.5 0.5</v></varray>
  </structure>
  <varray name="forces"><v>0.1 0.2 0.3</v><v>-0.1 -0.2 -0.3</v></varray>
  <varray name="stress"><v>10 0 0</v><v>0 20 0</v><v>0 0 30</v></varray>
  <energy><i name="e_fr_energy">-10.5</i><i name="e_wo_entrp">-10.1</i><i name="e_0_energy">-10.3</i></energy>
 </calculation>
</modeling>
"""


def same_labels(frame: Atoms, other: Atoms) -> None:
    ours, theirs = labels_of(frame), labels_of(other)
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])


def test_trajectories(tmp_path: Path) -> None:
    """Forces of fixed atoms too, which ASE's get_forces gives as zero; the elements of each frame are its own."""
    frames = random_frames(3)
    frames.append(Atoms("AlNi", [[0, 0, 0], [2, 0, 0]]))
    forces = np.array([[0.5, 0, 0], [-0.5, 0, 0]])
    frames[-1].calc = SinglePointCalculator(frames[-1], energy=-1.25, forces=forces)
    frames[-1].set_constraint(FixAtoms([0]))
    write(tmp_path / "run.traj", frames)
    read = read_frames(tmp_path / "run.traj")
    assert len(read) == 4
    for frame, other in zip(read, frames, strict=True):
        np.testing.assert_array_equal(frame.numbers, other.numbers)
        np.testing.assert_array_equal(frame.positions, other.positions)
        np.testing.assert_array_equal(frame.pbc, other.pbc)
    np.testing.assert_array_equal(read[-1].get_forces(), forces)
    for frame, other in zip(read[:3], frames[:3], strict=True):
        same_labels(frame, other)
    assert read[1].info == frames[1].info
    assert read[3].info == {"tag": "run", "source": f"{tmp_path / 'run.traj'}:3"}


def test_output_of_vasp(tmp_path: Path) -> None:
    """The energy that the forces belong to, forces of atoms that were held, and ASE's sign of the stress."""
    (tmp_path / "vasprun.xml").write_text(VASPRUN)
    (frame,) = read_frames(tmp_path / "vasprun.xml")
    assert frame.get_potential_energy() == -10.5
    np.testing.assert_allclose(frame.get_forces(), [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    np.testing.assert_allclose(frame.get_stress(), [-units.GPa, -2 * units.GPa, -3 * units.GPa, 0, 0, 0], atol=1e-12)
    assert frame.pbc.all()
    (other,) = read_frames(tmp_path / "vasprun.xml", keys=Keys(energy="energy"))
    assert other.get_potential_energy() == -10.3
    renamed = (tmp_path / "vasprun.xml").rename(tmp_path / "silicon.out")
    (named,) = read_frames(renamed, format="vasp-xml")
    same_labels(named, frame)


@pytest.mark.parametrize("name", ["a.traj", "a.db", "a.xyz", "other.xyz"])
def test_one_energy_whatever_the_file(tmp_path: Path, name: str) -> None:
    """What ASE writes of one calculation gives one energy, that of the forces, from every format."""
    frames = random_frames(3)
    for k, frame in enumerate(frames):
        frame.calc.results["free_energy"] = frame.calc.results["energy"] - 0.25 - k
    if name == "other.xyz":
        frames[0].info["comment"] = {"a": [1, 2]}  # which nnpal leaves to ASE's reader
    write(tmp_path / name, frames)
    given = Units("eV", "Å") if name.endswith(".xyz") else None
    for chosen in (None, "energy"):
        read = read_frames(tmp_path / name, units=given, keys=Keys(energy=chosen))
        expected = [frame.calc.results[chosen or "free_energy"] for frame in frames]
        np.testing.assert_allclose([f.get_potential_energy() for f in read], expected, rtol=1e-15)


@pytest.mark.parametrize("format", [None, "ase"])
def test_some_frames_without_a_free_energy(tmp_path: Path, format: str | None) -> None:
    """One kind of energy for the whole file."""
    frames = random_frames(2)
    frames[1].calc.results["free_energy"] = 5.0
    write(tmp_path / "mixed.traj", frames)
    read = read_frames(tmp_path / "mixed.traj", format=format)
    assert [frame.get_potential_energy() for frame in read] == [f.calc.results["energy"] for f in frames]


def test_bad_files(tmp_path: Path) -> None:
    write(tmp_path / "good.traj", random_frames(1))
    with pytest.raises(
        DatasetError, match=r"good\.traj: ASE converts this format to eV and Å, but hartree Å .*were given; give none"
    ):
        read_frames(tmp_path / "good.traj", units=Units("hartree", "Å"))
    (tmp_path / "cut.traj").write_bytes((tmp_path / "good.traj").read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"cut\.traj: ASE cannot read it"):
        read_frames(tmp_path / "cut.traj")
    write(tmp_path / "bare.traj", Atoms("Al2", [[0, 0, 0], [0, 0, 3]]))
    with pytest.raises(DatasetError, match=r"bare\.traj: no frame has 'energy'.*read structures without labels"):
        read_frames(tmp_path / "bare.traj")
    assert len(read_frames(tmp_path / "bare.traj", labeled=False)) == 1


@pytest.mark.parametrize("name", ["lammps-dump-text", "lammps-data-text", "vasp-xlm"])
def test_formats_that_are_not_left_to_ase(tmp_path: Path, name: str) -> None:
    """ASE takes the units of LAMMPS's files for granted."""
    (tmp_path / "file").write_text("ITEM: TIMESTEP\n0\n")
    with pytest.raises(DatasetError, match=f"format '{name}': unknown"):
        read_frames(tmp_path / "file", format=name)
