"""Labels of one configuration beside others: found, and equal labels of equal structures left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from data_frames import sound_frames
from nnpal.data import Finding, Units, attach, check_frames, labels_of, read_frames
from nnpal.data.convert import convert_files
from nnpal.data.settings import DataSection

ASE = Units("eV", "Å")
KINDS = ("copied labels", "repeated energy")


def found(frames: Sequence[Atoms]) -> list[Finding]:
    return [finding for finding in check_frames(frames) if finding.kind in KINDS]


def rattled(n: int, calculator: EMT | None = None) -> list[Atoms]:
    """Return copper cells with labels of EMT, of a calculator each or of one for all."""
    frames = []
    for seed in range(n):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = calculator or EMT()
        atoms.get_potential_energy()
        frames.append(atoms)
    return frames


@pytest.mark.parametrize("shared", [False, True])
def test_what_ase_writes_of_a_shared_calculator(tmp_path: Path, shared: bool) -> None:
    """Its writer of extended XYZ takes what the calculator computed last."""
    path = tmp_path / "set.xyz"
    ase.io.write(path, rattled(3, EMT() if shared else None), format="extxyz")
    frames = read_frames(path, units=ASE)
    if not shared:
        assert found(frames) == []
        return
    findings = found(frames)
    assert [(f.index, f.severity, f.kind) for f in findings] == [(k, "error", "copied labels") for k in range(3)]
    assert findings[2].value.startswith("energy and forces of configuration 0 to the last digit, with atoms up to 0.")
    with pytest.raises(
        ValueError, match=r"3 of 3 configurations are invalid:\n  configuration 0: error: copied"
    ) as one:
        convert_files([path], tmp_path / "out.h5", units=ASE)
    with pytest.raises(ValueError, match="3 of 3 configurations are invalid") as other:
        DataSection.model_validate({"train": ({"path": str(path), "units": "eV Å"},)}).load()
    assert str(one.value).splitlines()[1:] == str(other.value).splitlines()[1:]
    assert f"({path}:2)" in str(one.value)


def copies_of(frame: Atoms) -> list[Atoms]:
    """Return copies of which all labels stay the same: exactly translated, wrapped, and with equal atoms exchanged."""
    moved, wrapped = frame.copy(), frame.copy()
    moved.positions += [0.3, -0.2, 1.7]
    wrapped.positions += [0.4, 0.7, 0.2]
    wrapped.wrap()
    copies = [moved, wrapped]
    for copy in copies:
        attach(copy, **labels_of(frame))
    return copies


def test_copies_of_one_structure_are_right() -> None:
    frame = sound_frames(1)[0]
    assert found([frame, *copies_of(frame)]) == []
    open_frame = frame.copy()
    open_frame.pbc = False
    labels = {name: value for name, value in labels_of(frame).items() if name != "stress"}
    attach(open_frame, **labels)
    turned = open_frame.copy()
    turned.rotate(40, (1, 2, 3))
    turn = np.linalg.lstsq(open_frame.positions, turned.positions, rcond=None)[0]
    attach(turned, energy=labels["energy"], forces=labels["forces"] @ turn)
    assert found([open_frame, *copies_of(open_frame)[:1], turned]) == []


def test_a_mirror_image_has_the_same_forces() -> None:
    """Forces within a plane stay as they are where all is reflected in it."""
    atoms = Atoms("H4", positions=[[0, 0, 0.5], [0, 0, -0.5], [0, 2, 0.2], [0, 2, -0.2]])
    forces = np.array([[0, 0.3, 0], [0, 0.3, 0], [0, -0.3, 0], [0, -0.3, 0]])
    mirrored = atoms.copy()
    mirrored.positions[:, 2] *= -1
    for frame in (atoms, mirrored):
        attach(frame, energy=-3.0, forces=forces)
    assert found([atoms, mirrored]) == []


def test_structures_that_no_printed_digit_tells_apart_are_right() -> None:
    """As of finite displacements: energies with four decimals, forces with two."""
    frames = []
    for seed in range(100):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.0005, seed=seed)
        atoms.calc = EMT()
        energy, forces = round(atoms.get_potential_energy(), 4), np.round(atoms.get_forces(), 2)
        attach(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    assert found(frames) == []


def test_fragments_beyond_reach_of_each_other_are_right() -> None:
    water = molecule("H2O")
    forces = np.random.default_rng(1).normal(0, 1, (3, 3))
    forces -= forces.mean(axis=0)
    frames = []
    for distance in (20.0, 21.0, 22.5, 24.0, 26.0):
        pair = water + Atoms(water.numbers, positions=water.positions + np.array([distance, 0, 0]))
        attach(pair, energy=-28.0, forces=np.concatenate([forces, forces]))
        frames.append(pair)
    assert found(frames) == []
    frames[3].positions[1, 0] += 0.05
    attach(frames[3], **{"energy": -28.0, "forces": np.concatenate([forces, forces])})
    assert {finding.index for finding in found(frames)} == set(range(5))


def test_volumes_that_share_a_stress() -> None:
    """Forces are zero by symmetry at each of them."""
    frames = [bulk("Cu", a=a) for a in (3.5, 3.6, 3.7)]
    for frame in frames:
        attach(frame, energy=-3.5, forces=np.zeros((1, 3)), stress=np.array([0.01, 0.01, 0.01, 0, 0, 0]))
    findings = found(frames)
    assert [(f.index, f.kind) for f in findings] == [(k, "copied labels") for k in range(3)]
    assert "energy and stress of configuration 0 to the last digit, with volumes 10.7188 and" in findings[1].value
    for frame in frames:
        attach(frame, energy=-3.5, forces=np.zeros((1, 3)), stress=np.zeros(6))
    assert found(frames) == []


def test_energies_alone_that_repeat_are_worth_a_look() -> None:
    frames = sound_frames(8)
    for frame in frames:
        attach(frame, energy=-14.0)
    (finding,) = found(frames)
    assert (finding.index, finding.severity, finding.kind) == (0, "warning", "repeated energy")
    assert finding.value == "exactly -14.0 eV in 8 configurations (0, 1, 2, 3, 4 and 3 more) of different structure"
    assert found(frames[:3]) == []
    turned = []
    for angle in range(0, 80, 10):
        copy = frames[0].copy()
        copy.rotate(angle, "z", rotate_cell=True)
        attach(copy, energy=-14.0)
        turned.append(copy)
    assert found(turned) == []


def test_isolated_atoms_and_coarse_energies_are_right() -> None:
    atoms = [Atoms("H", cell=[size] * 3, pbc=size > 11) for size in range(8, 16)]
    for atom in atoms:
        attach(atom, energy=-13.6)
    assert found(atoms) == []
    frames = sound_frames(100)
    for k, frame in enumerate(frames):
        attach(frame, energy=-14.0 + 0.01 * (k % 25))
    assert found(frames) == []
