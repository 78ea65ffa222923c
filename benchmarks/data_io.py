"""Time and memory of `nnpal data` on many small configurations, and of a label store.

    python benchmarks/data_io.py [--quick] [--output benchmarks/results/data_io.json]

Configurations of 4 atoms with energy, forces and stress, as extended XYZ and as nnpal's .h5, in two sizes, so that the
times show whether they are linear; each command in a process of its own, user and system time, and its peak of memory.
Labels of 32 atoms, put one by one (each on the disk as its put returns) and together, as `nnpal label` does with quick
oracles: milliseconds for each, and bytes of the file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from rich.console import Console
from rich.table import Table

from nnpal.data import attach, write_dataset, write_extxyz

TETRAHEDRON = np.array([[0.0, 0, 0], [1.8, 0, 0], [0, 1.8, 0], [0, 0, 1.8]])
IDENTITY = {"kind": "benchmark"}


def configurations(n: int) -> list[Atoms]:
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(n):
        atoms = Atoms("CHON", TETRAHEDRON + rng.normal(scale=0.05, size=(4, 3)), cell=np.eye(3) * 5, pbc=True)
        forces = rng.normal(size=(4, 3))
        attach(atoms, energy=rng.normal() - 100, forces=forces - forces.mean(0), stress=rng.normal(scale=0.01, size=6))
        frames.append(atoms)
    return frames


def timed(*arguments: str) -> dict[str, float]:
    """Run `nnpal data` and return its processor time, seconds, and peak of memory, MB."""
    process = subprocess.Popen([sys.executable, "-m", "nnpal", "data", *arguments], stdout=subprocess.DEVNULL)
    start = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"nnpal data {' '.join(arguments)}: failed")
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": usage.ru_maxrss / 1000,
    }


def commands(folder: Path, n: int) -> list[dict[str, Any]]:
    # In a process of its own: those that are started later begin with this one's peak of memory
    subprocess.run([sys.executable, __file__, "--write", str(folder), str(n)], check=True)
    rows = []
    for name in ("set.xyz", "set.h5"):
        path = folder / name
        for command in ("check", "info", "split"):
            targets = [str(folder / "kept.h5"), str(folder / "out.h5")] if command == "split" else []
            found = timed(command, str(path), *targets)
            rows.append({"file": name, "command": command, "n": n, "file_mb": path.stat().st_size / 1e6, **found})
    return rows


def store(folder: Path, n: int, *, together: bool) -> dict[str, Any]:
    from nnpal.label import LabelStore  # torch with it, whose memory processes that are started would seem to have
    from nnpal.oracle.evaluation import Result

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
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--write", nargs=2, metavar=("FOLDER", "N"), help="write the files alone")
    given = parser.parse_args()
    if given.write:
        frames = configurations(int(given.write[1]))
        write_extxyz(Path(given.write[0], "set.xyz"), frames)
        write_dataset(Path(given.write[0], "set.h5"), frames, provenance={})
        return
    n = 5000 if given.quick else 50_000
    with tempfile.TemporaryDirectory() as folder:
        files = [*commands(Path(folder), n // 5), *commands(Path(folder), n)]
        stores = [store(Path(folder), n // 100, together=False), store(Path(folder), n, together=True)]
    table = Table("file", "command", "configurations", "CPU s", "wall s", "peak MB", "file MB")
    for row in files:
        numbers = [f"{row[name]:.3g}" for name in ("cpu_s", "wall_s", "peak_mb", "file_mb")]
        table.add_row(row["file"], row["command"], f"{row['n']}", *numbers)
    console = Console()
    console.print(table)
    for one in stores:
        how = "together" if one["together"] else "one by one"
        console.print(f"{one['n']} labels {how}: {one['ms_per_put']:.3g} ms each, {one['mb']:.3g} MB")
    if given.output is not None:
        from record import write_record  # torch with it, too

        write_record(given.output, "data_io", ["ase", "h5py", "numpy"], {"commands": files, "stores": stores})


if __name__ == "__main__":
    main()
