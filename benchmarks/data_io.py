"""Measure time and memory of `nnpal data` on many small configurations, and of a label store.

    python benchmarks/data_io.py [--quick] [--output benchmarks/results/data_io.json]

Configurations of 4 atoms with energy, forces and stress, as extended XYZ, as nnpal's .h5 and as a LAMMPS dump (without
stress), in two sizes, to check that times are linear; .h5 files also with ten times as many. Each command runs in a
separate process. Time is user plus system time; memory is the largest resident set, and its increase over the same
command on ten configurations, which is Python and its modules.
Labels of 32 atoms, stored one by one (each is on disk when the call returns) and in a group, as `nnpal label` does with
fast oracles: milliseconds per label, and bytes of the file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from nnpal.data import write_dataset, write_extxyz
from nnpal.data.columns import Columns

TETRAHEDRON = np.array([[0.0, 0, 0], [1.8, 0, 0], [0, 1.8, 0], [0, 0, 1.8]])
IDENTITY = {"kind": "benchmark"}
NAMES = ("set.xyz", "set.h5", "set.dump")


def configurations(n: int) -> Columns:
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(n, 4, 3))
    every = np.ones(n, dtype=bool)
    return Columns(
        sizes=np.full(n, 4),
        numbers=np.tile([6, 1, 8, 7], n),
        positions=(TETRAHEDRON + rng.normal(scale=0.05, size=(n, 4, 3))).reshape(-1, 3),
        cells=np.tile(np.eye(3) * 5, (n, 1, 1)),
        pbc=np.ones((n, 3), dtype=bool),
        has={"energy": every, "forces": every, "stress": every},
        energies=rng.normal(size=n) - 100,
        forces=(forces - forces.mean(1, keepdims=True)).reshape(-1, 3),
        stresses=rng.normal(scale=0.01, size=(n, 6)),
        tags=[None] * n,
        sources=[None] * n,
    )


def timed(*arguments: str) -> dict[str, float]:
    """Run `nnpal data` and return its CPU time, s, and peak memory, MB."""
    process = subprocess.Popen([sys.executable, "-m", "nnpal", "data", *arguments], stdout=subprocess.DEVNULL)
    start = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"nnpal data {' '.join(arguments)}: failed")
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,  # Linux counts in KiB
    }


def dump(path: Path, columns: Columns) -> None:
    """Write a LAMMPS dump with a column of per-atom energies."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("ITEM: UNITS\nmetal\n")
        for index in range(len(columns)):
            own = columns.atoms_of(index)
            file.write(f"ITEM: TIMESTEP\n{index}\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS pp pp pp\n")
            file.write("0 5\n0 5\n0 5\nITEM: ATOMS id type element x y z fx fy fz c_pe\n")
            energy = columns.energies[index] / 4
            table = np.column_stack([columns.positions[own], columns.forces[own], np.full(4, energy)])
            for k, row in enumerate(table.tolist()):
                file.write(f"{k + 1} {k + 1} {'CHON'[k]} {' '.join(f'{value:.10g}' for value in row)}\n")


def write_files(folder: Path, n: int, names: Sequence[str]) -> None:
    columns = configurations(n)
    if "set.xyz" in names:
        write_extxyz(folder / "set.xyz", columns)
    if "set.h5" in names:
        write_dataset(folder / "set.h5", columns, provenance={})
    if "set.dump" in names:
        dump(folder / "set.dump", columns)


def commands(folder: Path, n: int, names: Sequence[str] = NAMES) -> list[dict[str, Any]]:
    """Return time and memory of each command on each file."""
    rows = []
    for name in names:
        own, few = write_apart(folder, n, name), write_apart(folder / "few", 10, name)
        keys = ["--energy-key", "c_pe"] if name == "set.dump" else []
        for command in ("check", "info", "convert", "split"):
            if name == "set.dump" and command == "split":
                continue  # it has no option for names of columns
            targets = {"split": ["kept.h5", "out.h5"], "convert": ["new.h5"]}.get(command, [])
            given = [*targets_in(folder, targets), *(keys if command != "info" else [])]
            floor = least_memory(command, str(few), *given)
            found = timed(command, str(own), *given)
            added = found["peak_mb"] - floor
            size_mb = own.stat().st_size / 1e6
            rows.append({"file": name, "command": command, "n": n, "file_mb": size_mb, **found, "added_mb": added})
    return rows


def write_apart(folder: Path, n: int, name: str) -> Path:
    """Write a file in a separate process, because child processes inherit the peak memory of this one."""
    folder.mkdir(exist_ok=True)
    subprocess.run([sys.executable, __file__, "--write", str(folder), str(n), name], check=True)
    return folder / name


@cache
def least_memory(*arguments: str) -> float:
    return timed(*arguments)["peak_mb"]


def targets_in(folder: Path, names: Sequence[str]) -> list[str]:
    return [str(folder / name) for name in names]


def store(folder: Path, n: int, *, together: bool) -> dict[str, Any]:
    from nnpal.label import LabelStore  # imports torch, whose memory child processes would inherit
    from nnpal.oracle.calculation import Result

    rng = np.random.default_rng(0)
    path = folder / f"labels-{together}.sqlite"
    results = [Result(rng.normal(), rng.normal(size=(32, 3)), rng.normal(size=6)) for _ in range(100)]
    start = time.perf_counter()
    with LabelStore(path) as labels, labels.together() if together else nullcontext():
        for k in range(n):
            key = hashlib.sha256(b"%d" % k).hexdigest()
            labels.put_label(key, IDENTITY, results[k % 100], rung=0, seconds=1e-3)
    seconds = time.perf_counter() - start
    size = path.stat().st_size
    return {
        "together": together,
        "n": n,
        "ms_per_put": 1e3 * seconds / n,
        "bytes_per_label": size / n,
        "mb": size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the configurations and labels")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "data_io.json")
    parser.add_argument("--write", nargs=3, metavar=("FOLDER", "N", "NAME"), help="only write a file")
    given = parser.parse_args()
    if given.write:
        write_files(Path(given.write[0]), int(given.write[1]), given.write[2:])
        return
    n = 5000 if given.quick else 50_000
    with tempfile.TemporaryDirectory() as folder:
        files = [row for size in (n // 5, n) for row in commands(Path(folder), size)]
        files += commands(Path(folder), 10 * n, ["set.h5"])
        stores = [store(Path(folder), n // 100, together=False), store(Path(folder), n, together=True)]
    table = Table("file", "command", "configurations", "CPU s", "wall s", "peak MB", "added MB", "file MB")
    for row in files:
        numbers = [f"{row[name]:.3g}" for name in ("cpu_s", "wall_s", "peak_mb", "added_mb", "file_mb")]
        table.add_row(row["file"], row["command"], f"{row['n']}", *numbers)
    console = Console()
    console.print(table)
    for one in stores:
        how = "together" if one["together"] else "one by one"
        console.print(f"{one['n']} labels {how}: {one['ms_per_put']:.3g} ms each, {one['mb']:.3g} MB")
    from record import write_record  # imports torch, too

    write_record(given.output, "data_io", ["ase", "h5py", "numpy"], {"commands": files, "stores": stores})
    console.print(f"Wrote {given.output}")


if __name__ == "__main__":
    main()
