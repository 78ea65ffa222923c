"""Memory of `nnpal data` on many small configurations: a few times the file, whatever its format."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nnpal.data.dataset_file as dataset_file
from nnpal.data import Keys, write_dataset, write_extxyz
from nnpal.data.check import Limits
from nnpal.data.check_files import check_files
from nnpal.data.columns import Columns
from nnpal.data.convert import convert_files, describe
from nnpal.data.divide import divide

FEW, MANY = 5, 1000
ENERGY = Keys(energy="c_pe")


def configurations(n: int) -> Columns:
    rng = np.random.default_rng(0)
    every = np.ones(n, dtype=bool)
    place = np.array([[0.0, 0, 0], [1.8, 0, 0], [0, 1.8, 0], [0, 0, 1.8]])
    return Columns(
        sizes=np.full(n, 4),
        numbers=np.tile([6, 1, 8, 7], n),
        positions=(place + rng.normal(scale=0.05, size=(n, 4, 3))).reshape(-1, 3),
        cells=np.tile(np.eye(3) * 5, (n, 1, 1)),
        pbc=np.ones((n, 3), dtype=bool),
        has={"energy": every, "forces": every, "stress": every},
        energies=rng.normal(size=n) - 100,
        forces=rng.normal(size=(4 * n, 3)),
        stresses=rng.normal(scale=0.01, size=(n, 6)),
        tags=["t"] * n,
        sources=[f"/somewhere/set.xyz:{k}" for k in range(n)],
    )


def written(folder: Path, name: str, n: int) -> Path:
    folder.mkdir(exist_ok=True)
    path, columns = folder / name, configurations(n)
    if name.endswith(".h5"):
        write_dataset(path, columns, provenance={})
    elif name.endswith(".xyz"):
        write_extxyz(path, columns)
    else:
        head = "ITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\nITEM: ATOMS id element x y z fx fy fz c_pe\n"
        rows = np.hstack([columns.positions, columns.forces, np.repeat(columns.energies, 4)[:, None] / 4]).tolist()
        with open(path, "w", encoding="utf-8") as file:
            file.write("ITEM: UNITS\nmetal\n")
            for k in range(n):
                file.write(f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n4\n{head}")
                for i, row in enumerate(rows[4 * k : 4 * k + 4]):
                    file.write(f"{i + 1} {'CHON'[i]} {' '.join(map(repr, row))}\n")
    return path


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["set.h5", "set.xyz", "set.dump"])
def test_memory_is_a_few_times_the_file(tmp_path: Path, name: str) -> None:
    """An `ase.Atoms` with a calculator takes 10 kB, twenty times what such a configuration takes in a file."""
    keys = ENERGY if name == "set.dump" else None

    def works(path: Path) -> dict[str, Callable[[], object]]:
        out, other = tmp_path / "out.h5", tmp_path / "other.h5"
        found: dict[str, Callable[[], object]] = {
            "check": lambda: check_files([path], Limits(), keys=keys),
            "info": lambda: describe(path, keys=keys),
            "convert": lambda: convert_files([path], out, keys=keys),
        }
        if keys is None:
            found["split"] = lambda: divide(path, out, other, fraction=0.2, seed=0)
        return found

    for work in works(written(tmp_path / "few", name, FEW)).values():
        work()  # imports what they need
    path = written(tmp_path, name, MANY)
    sizes = {command: peak(work) / path.stat().st_size for command, work in works(path).items()}
    assert max(sizes.values()) <= 4, sizes


def test_checksum_of_many_texts_is_that_of_their_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """... by which files of older nnpal are read."""
    monkeypatch.setattr(dataset_file, "TOGETHER", 2)
    for n in range(6):
        texts = {"tags": ["Å \"'\\\n"] * n, "sources": [f"{k}" for k in range(n)], "provenance": '{"a": "ü"}'}
        expected = hashlib.sha256(json.dumps(["abc", texts], sort_keys=True).encode()).hexdigest()
        assert dataset_file._checksum("abc", texts) == expected
