"""Dumps are read as wholes, with the results of reading snapshot by snapshot."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import nnpal.data.plain_dump as plain_dump
from data_frames import assert_same
from nnpal.data import DatasetError, Keys, Units, read_frames
from nnpal.data.dump_columns import read_dump_columns
from nnpal.data.lammps_dump import read_dump
from nnpal.data.plain_extxyz import NotPlainError
from nnpal.runtime.caution import Caution

REAL = Units.lammps("real")
ORTHOGONAL = ("pp pp pp", ["-1 4", "0 5.5", "0 6e0"])
BOXES = [
    ORTHOGONAL,
    ("xy xz yz pp fs pp", ["-1.5 11 -0.5", "2 6 1", "0 5 -1"]),
    ("abc origin pp pp ff", ["4 0.5 0 1", "-1 4.25 0.5 2", "0 0.25 6 -1"]),
]
BARE = "id element x y z"


def snapshot(columns: str, n_atoms: int = 3, where: tuple[str, list[str]] = ORTHOGONAL, *, step: int = 0) -> str:
    """Return a snapshot of random numbers, with rows out of order."""
    rng = np.random.default_rng(step)
    ids = rng.permutation(n_atoms) + 1
    lines = ["ITEM: TIMESTEP", f"{step}", "ITEM: NUMBER OF ATOMS", f"{n_atoms}", f"ITEM: BOX BOUNDS {where[0]}"]
    lines += [*where[1], f"ITEM: ATOMS {columns}"]
    for own in ids.tolist():
        words = {"id": f"{own}", "type": f"{own % 2 + 1}", "element": "CH"[own % 2], "typelabel": "HC"[own % 2]}
        words |= {"mol": "x"}
        lines.append(" ".join(words.get(name) or repr(float(rng.normal())) for name in columns.split()))
    return "\n".join(lines) + "\n"


def written(path: Path, *snapshots: str, head: str = "") -> Path:
    text = head + "".join(snapshots)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("columns", "symbols", "keys"),
    [
        (BARE, None, Keys()),
        ("xs ys zs id type vx", ["H", "C"], Keys()),
        ("typelabel zu yu xu fx mol fy fz", ["H=Ni"], Keys()),
        ("id type element xsu ysu zsu fx fy fz c_pe", None, Keys(energy="c_pe")),
        ("element z y x f_1 f_2 f_3 c_pe fx", ["C=Al"], Keys(energy="c_pe", forces="f_1 f_2 f_3")),
    ],
)
@pytest.mark.parametrize("labeled", [None, False])
def test_dumps_are_as_read_by_snapshots(
    tmp_path: Path, columns: str, symbols: list[str] | None, keys: Keys, labeled: bool | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In boxes of every kind; lines of larger snapshots are read in parts."""
    monkeypatch.setattr(plain_dump, "TOGETHER", 4)
    parts = [snapshot(columns, 3 + 10 * k, where, step=k) for k, where in enumerate(BOXES)]
    path = written(tmp_path / "set.dump.gz", *parts, "ITEM: TIME\n5\n", parts[0], head="ITEM: UNITS\nreal\n\n")
    given = {"units": None, "symbols": symbols, "keys": keys, "labeled": labeled}
    found, expected = list(read_dump_columns(path, **given)), read_dump(path, **given)
    for frame in (*found, *expected):
        frame.info.update(tag="-", source="-")
    assert_same(found, expected)
    assert (found[0].calc is None) == (labeled is False or ("fy" not in columns and keys.energy is None))


@pytest.mark.parametrize(
    "snapshots",
    [
        (snapshot(BARE), snapshot("id element x y z fx fy fz")),
        (snapshot("id type typelabel element x y z"),),
        (snapshot(BARE, 0),),
        (snapshot(BARE), snapshot(BARE).rsplit("\n", 2)[0] + "\n"),
        (snapshot(BARE), snapshot(BARE)[:-1] + " 1\n"),
        (snapshot(BARE), snapshot(BARE).replace("\n1 ", "\n2 ")),
        (snapshot(BARE).replace("\n1 ", "\n1.0 "),),
        (snapshot("id type element x y z").replace(" H ", " C "),),
        (snapshot(BARE).replace(" H ", " Hc "),),
        (snapshot("id element x y"),),
        (snapshot(BARE), "ITEM: TIMESTEP\n3\n"),
        (snapshot(BARE).replace("ITEM: TIMESTEP\n0\n", ""),),
        (snapshot(BARE).replace("pp pp pp", "pp pp"),),
        ("some words\n",),
    ],
)
def test_what_is_not_plain_is_left_to_the_reader_of_snapshots(tmp_path: Path, snapshots: tuple[str, ...]) -> None:
    path = written(tmp_path / "set.dump", *snapshots)
    with pytest.raises(NotPlainError):
        read_dump_columns(path, units=REAL, symbols=None, keys=Keys(), labeled=None)


def test_damaged_compressed_dumps(tmp_path: Path) -> None:
    path = written(tmp_path / "set.dump.gz", snapshot(BARE, 200))
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:200] + bytes(10) + whole[210:]):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"frame 0 is damaged or not a LAMMPS text dump"):
            read_frames(path, units=REAL, labeled=None)


def test_charges_are_left_out_with_one_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "set.dump", snapshot(BARE + " q"), snapshot(BARE + " q", step=1))
    with pytest.warns(Caution, match="charges") as caught:
        (one, _) = read_frames(path, units=REAL, labeled=None)
    assert len(caught) == 1
    assert "initial_charges" not in one.arrays
