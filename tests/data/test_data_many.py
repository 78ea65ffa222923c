"""Files of many configurations are read and checked as wholes, with the results of reading frame by frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from data_frames import assert_same, random_frames, sound_frames
from nnpal.cli.data import app
from nnpal.data import (
    DatasetError,
    Keys,
    Units,
    attach,
    check_frames,
    content_hash,
    labels_of,
    read_frames,
    structure_hash,
    summarize,
    write_dataset,
    write_extxyz,
)
from nnpal.data.check import Limits
from nnpal.data.check_files import check_files
from nnpal.data.columns import Columns, joined
from nnpal.data.extxyz import read_extxyz
from nnpal.data.hashes import structure_hashes
from nnpal.data.plain_columns import read_plain
from nnpal.data.plain_extxyz import NotPlainError

ASE = Units("eV", "Å")
LATTICE = 'Lattice="4 0 0 1 4.5 0 0 0 5e0"'
PLAIN = [  # header, columns after species and positions
    ("", ""),
    (LATTICE, ""),
    (f"{LATTICE} energy=-1.5 pbc=\"T F T\"", "forces:R:3"),
    (f"{LATTICE} REF_energy=-2 energy=7 source=/a/b.xyz:3 tag=x", "REF_forces:R:3:forces:R:3"),
    (f"{LATTICE} energy=nan stress=\"1 2 3 2 5 6 3 6 9\"", "forces:R:3:tags:I:1"),
    (f"{LATTICE} energy=1 virial=\"1 2 3 2 5 6 3 6 9\"", "momenta:R:3:forces:R:3"),
    (f"{LATTICE} energy=1 REF_stress=\"1 2 3 2.0000001 5 6 3 6 9\" config_type=\"a b\"", "forces:R:3"),
    ('energy=1 tag="_JSON \\"T\\"" other="1, 2" flag=T uid=7', ""),
    ("energy=1 charge=1 multiplicity=2 tag=32 source=nan", "forces:R:3"),
    ('units="hartree bohr" energy=1', "forces:R:3"),
    (f"{LATTICE} energy=1 REF_stress=\"1 2 3 4 5 6\"", "forces:R:3:molecule:S:1:fixed:L:1"),
    (f"{LATTICE} energy=1 virials=\"1, 2 3 4 5 6e0\"", "names:S:2:forces:R:3:on:L:3:uid:I:1"),
]  # fmt: skip
OTHER = [
    ("Lattice={4 0 0 0 4 0 0 0 4} energy=1", ""),
    ("some words energy=1", ""),
    (f"{LATTICE} energy = 1", ""),
    (f"{LATTICE} energy=1 pbc=T", ""),
    ("energy=1", "move_mask:L:1"),
    ("energy=1", "initial_charges:R:1"),
    ("energy=1 tag=''", ""),
    (f"{LATTICE} energy=1 stress=\"1 2 3 2 5 6 3 6 9\" virial=\"1 2 3 2 5 6 3 6 9\"", ""),
    (f"{LATTICE} energy=1 REF_stress=\"1 2 3 4 5 6 7 8 9\"", ""),
    (f"{LATTICE} energy=1 stress=\"1 2 3 4 5 6\"", ""),
    (f"{LATTICE} energy=1 virial=\"1 2 3 4 5 6\"", ""),
    (f"{LATTICE} energy=1 REF_stress=\"1 2 3 4 5\"", ""),
    ("energy=1", "Charge:R:1"),
    ("energy=1", "forces:S:3"),
    ("energy=1", "tag:S:1"),
    (f"{LATTICE} energy=\"1 2\"", ""),
    ("energy=1 energy_of=T forces=5", "forces:R:3"),
    ("virial=\"1 2 3 2 5 6 3 6 9\"", ""),
    ("energy=1 spin=x", ""),
    ("energy=1", "forces:R:2"),
]  # fmt: skip


def written(path: Path, *frames: tuple[str, str], n_atoms: int = 3, end: str = "") -> Path:
    rng = np.random.default_rng(1)
    lines = []
    for header, columns in frames:
        widths = [(kind, int(n)) for kind, n in zip(columns.split(":")[1::3], columns.split(":")[2::3], strict=True)]
        properties = "Properties=species:S:1:pos:R:3" + (f":{columns}" if columns else "")
        lines += [str(n_atoms), f"{header} {properties}".strip()]
        for k in range(n_atoms):
            values = [f"{value!r}" for value in rng.normal(size=3).tolist()]
            for kind, n in widths:
                values += [{"R": repr(float(rng.normal())), "I": "4", "L": "TF"[k % 2], "S": f"word{k}"}[kind]] * n
            lines.append(" ".join([["Ni", "al", "H"][k % 3], *values]))
    path.write_text("\n".join(lines) + "\n" + end)
    return path


def by_frames(path: Path, **given: object) -> tuple[list[Atoms], list[object]] | str:
    faults: list[object] = []
    try:
        return read_extxyz(path, **{"units": ASE, "labeled": None, "faults": faults, **given}), faults  # type: ignore[arg-type]
    except DatasetError as error:
        return str(error)


def assert_equal(found: list[Atoms], expected: list[Atoms]) -> None:
    for frame in (*found, *expected):
        frame.info.setdefault("tag", "-")
        frame.info.setdefault("source", "-")
    assert_same(found, expected)
    for one, other in zip(found, expected, strict=True):
        assert one.info == other.info


@pytest.mark.parametrize("n", range(len(PLAIN)))
def test_plain_files_are_as_ase_reads_them(tmp_path: Path, n: int) -> None:
    """Each form by itself, then after one with all labels, which changes the choice of keys."""
    for forms in ([PLAIN[n]], [PLAIN[2], PLAIN[n]], [PLAIN[n], PLAIN[3]]):
        path = written(tmp_path / "set.xyz", *forms)
        units = None if "units" in forms[-1][0] and len(forms) == 1 else ASE
        expected = by_frames(path, units=units)
        if isinstance(expected, str):
            with pytest.raises(NotPlainError):
                read_plain(path, units=units, keys=Keys(), labeled=None)
            continue
        try:
            columns = read_plain(path, units=units, keys=Keys(), labeled=None)
        except NotPlainError:  # stress and virial in one file of several frames is plain, in one frame it is not
            assert len(forms) > 1
            continue
        assert_equal(list(columns), expected[0])
        assert expected[1] == []


@pytest.mark.parametrize("form", OTHER, ids=[header or columns for header, columns in OTHER])
def test_what_is_not_plain_is_left_to_ase(tmp_path: Path, form: tuple[str, str]) -> None:
    path = written(tmp_path / "set.xyz", PLAIN[2], form)
    with pytest.raises(NotPlainError):
        read_plain(path, units=ASE, keys=Keys(), labeled=None)


@pytest.mark.parametrize(
    "end", ["3\n", "2\nenergy=1\nH 0 0 0\n", "\n1\n\nH 0 0 0\n", "1\n\nXy 0 0 0\n", "1\n\nH 0 0\n"]
)
def test_damaged_ends_are_left_to_the_messages_of_frames(tmp_path: Path, end: str) -> None:
    path = written(tmp_path / "set.xyz", PLAIN[2], end=end)
    with pytest.raises(NotPlainError):
        read_plain(path, units=ASE, keys=Keys(), labeled=None)
    with pytest.raises(DatasetError, match=r"set\.xyz: (frame 1|there is more text)"):
        read_frames(path, units=ASE, labeled=None)


def test_files_of_ase_and_of_nnpal_are_plain(tmp_path: Path) -> None:
    frames = random_frames()
    write_extxyz(tmp_path / "ours.xyz", frames)
    ase.io.write(tmp_path / "ase.xyz", [frame for frame in frames if frame.pbc.all()], format="extxyz")
    assert len(read_plain(tmp_path / "ours.xyz", units=None, keys=Keys(), labeled=True)) == len(frames)
    columns = read_plain(tmp_path / "ase.xyz", units=ASE, keys=Keys(), labeled=True)
    expected = by_frames(tmp_path / "ase.xyz")
    assert not isinstance(expected, str)
    assert_equal(list(columns), expected[0])


def test_columns_are_the_frames(tmp_path: Path) -> None:
    frames = random_frames(12)
    frames[2].info["charge"] = 1
    frames[4].calc = None
    columns = Columns.of(frames)
    assert_same([columns[k] for k in range(-12, 0)], frames)
    assert content_hash(columns) == content_hash(frames)
    assert [own.hex() for own in structure_hashes(columns)] == [structure_hash(frame) for frame in frames]
    chosen = [5, 2, 4, 9]
    assert content_hash(columns.take(chosen)) == content_hash([frames[k] for k in chosen])
    assert content_hash(columns[2:9:3]) == content_hash(frames[2:9:3])
    assert content_hash(joined([columns, columns.take(chosen)])) == content_hash(
        [*frames, *(frames[k] for k in chosen)]
    )
    assert summarize(columns) == summarize(frames)
    hashes = [write_dataset(tmp_path / f"{k}.h5", own, provenance={}) for k, own in enumerate((frames, columns))]
    assert hashes[0] == hashes[1] == content_hash(frames)
    frames[3].positions += 1
    with pytest.raises(ValueError, match="configuration 3: atoms or cell have changed"):
        content_hash(Columns.of(frames))


@pytest.mark.parametrize("pbc", [(0, 0, 0), (1, 1, 1), (1, 0, 1), (0, 1, 0)])
def test_distances_are_those_of_the_cell_list(pbc: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    frames = []
    for k in range(60):
        cell = np.diag(rng.uniform(0.7, 4, 3)) + rng.uniform(-1, 1, (3, 3)) * (k % 2)
        frames.append(Atoms("H5", positions=rng.uniform(-8, 8, (5, 3)) * rng.uniform(0.1, 1), cell=cell, pbc=pbc))
    found = check_frames(frames, limits=Limits(min_distance=0.6))
    monkeypatch.setattr("nnpal.data.check_geometry.SMALL", 0)
    expected = check_frames(frames, limits=Limits(min_distance=0.6))
    assert any(finding.kind == "distance" for finding in found)
    assert found == expected


@pytest.mark.parametrize("value", [1e308, -1e9, 2e6])
def test_lengths_out_of_this_world(value: float) -> None:
    frames = sound_frames()
    labels = labels_of(frames[1])
    frames[1].positions[2, 1] = value
    frames[2].cell[0, 0] = value
    for frame, own in ((frames[1], labels), (frames[2], labels)):
        attach(frame, **own)
    found = [(f.index, f.kind, f.value, f.expected) for f in check_frames(frames) if f.kind in ("position", "cell")]
    assert found == [
        (1, "position", f"{abs(value):.4g} Å of atom 2", "1e+06 Å at most"),
        (2, "cell", f"a cell vector of {abs(value):.4g} Å", "1e+06 Å at most"),
    ]


def test_energies_out_of_this_world() -> None:
    frame = sound_frames()[0]
    attach(frame, **{**labels_of(frame), "energy": 1e308})
    (finding,) = check_frames([frame])
    assert (finding.kind, finding.expected) == ("energy", "-1e+07 to 1e+07 eV/atom")


def test_files_without_labels_are_not_called_sound(tmp_path: Path) -> None:
    frames = sound_frames()
    bare = [Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True) for frame in frames]
    for name, write in (("bare.xyz", write_extxyz), ("bare.h5", lambda p, f: write_dataset(p, f, provenance={}))):
        write(tmp_path / name, bare)
        found = check_files([tmp_path / name], Limits()).findings
        assert [(f.kind, f.severity, f.value) for f in found] == [
            ("no labels", "warning", "no energy in 4 configurations of this file"),
            ("no labels", "warning", "no forces in 4 configurations of this file"),
        ]
        shown = CliRunner().invoke(app, ["check", str(tmp_path / name)])
        assert shown.exit_code == 0
        assert "no energy in 4 configurations of this file, expected energy and forces in each" in shown.output
    write_extxyz(tmp_path / "part.xyz", [*frames[:3], bare[3]])
    found = check_files([tmp_path / "part.xyz"], Limits()).findings
    assert [(f.index, f.kind, f.severity, f.value) for f in found] == [
        (3, "no labels", "error", f"no {name} in 1 of 4 (3) of this file") for name in ("energy", "forces")
    ]
    single = Atoms("He")
    attach(single, energy=-1.0)
    write_extxyz(tmp_path / "single.xyz", [single])
    assert check_files([tmp_path / "single.xyz"], Limits()).findings == []  # its force is 0, whatever stands there


def test_findings_of_whole_files_are_those_of_frames(tmp_path: Path) -> None:
    """Duplicates, copies an atom away, energies and forces out of limits, in files of several sizes."""
    frames = [*random_frames(20), *sound_frames(), *sound_frames()]
    frames[21].info["source"] = "elsewhere"
    moved = frames[22].copy()
    moved.positions[1] += moved.cell[0]
    attach(moved, **labels_of(frames[22]))
    frames.append(moved)
    write_extxyz(tmp_path / "set.xyz", frames)
    write_dataset(tmp_path / "set.h5", frames, provenance={})
    found = [check_files([tmp_path / name], Limits(max_force=2.0)).findings for name in ("set.xyz", "set.h5")]
    assert found[0] == found[1]
    assert {"duplicate", "force", "net force"} <= {finding.kind for finding in found[0]}
    assert [replace(f, index=0) for f in found[0] if f.kind != "no labels"] == [
        replace(f, index=0) for f in check_frames(frames, limits=Limits(max_force=2.0))
    ]
