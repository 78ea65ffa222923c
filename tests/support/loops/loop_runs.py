"""Configurations of small loops, and `nnpal run` on them in separate processes."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from nnpal.config.toml import tomllib
from processes import Process, run, wait_until
from support.folders import TESTS

WATER = """3

O 0.0 0.0 0.0
H 0.96 0.0 0.0
H -0.24 0.93 0.0
"""
AEV = {
    "radial_cutoff": 5.0, "radial_eta": 4.0, "radial_shifts": [0.8, 1.6, 2.4, 3.2],
    "angular_cutoff": 3.5, "angular_eta": 4.0, "angular_zeta": 8.0,
    "angular_shifts": [1.0, 2.0], "angular_sections": [0.8, 2.3],
}  # fmt: skip
LEARNING = {
    "network": {"hidden": [8], "aev": AEV},
    "ensemble": {"members": 2},
    "training": {  # few updates of narrow networks, so that pulls and selections find new data
        "batch_size": 8, "max_epochs": 3, "learning_rate": 0.01,
        "optimizer": "adamw", "schedule": "plateau", "initialization": "uniform", "start": "random",
    },
}  # fmt: skip
RARE_EVENTS = {
    "run": {"iterations": 2, "workers": 2, "seed": 1},
    "rare_events": {"max_chosen": 4, "unseen": 6, "first_steps": 250, "k": 1.0, "min_distance": 0.02},
    "oracle": {
        "kind": "ase", "calculator": "water_oracle:Water",
        "options": {"log": "{folder}/calls.txt", "ill": "{folder}/ill"},
    },
    "initial": {"structure": "water.xyz", "temperatures": [300.0], "steps": 400, "equilibration": 50, "every": 40},
    "explore": {
        "kind": "smd", "structure": "water.xyz", "atoms": [1, 2], "rates": [20.0], "start": 0.96, "length": 2.0,
        "temperature": 50.0, "equilibration": 50, "every": 20, "noiseless": 1,
    },
    "label": {"batch": 6},
    **LEARNING,
}  # fmt: skip

METAL_AEV = {**AEV, "radial_shifts": [2.0, 2.8, 3.6, 4.4], "angular_shifts": [2.0, 2.8]}
DISTILLATION = {
    "run": {"iterations": 2, "workers": 2, "seed": 1},
    "distillation": {"sets": 2, "test": 6, "reduction": "none", "max_chosen": 5, "k": 1.0, "min_distance": 0.05},
    "oracle": {
        "kind": "lammps", "elements": ["Al"],
        "commands": ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"],
    },
    "explore": {
        "kind": "momt", "element": "Al", "lattice": "fcc", "cells": [2, 2, 2], "temperature": 900.0,
        "H": [-130.0, -60.0, 30], "O": [-5.0, 40.0, 45], "steps": 3000, "every": 100, "equilibration": 1000,
    },
    **LEARNING,
    "network": {"hidden": [8], "aev": METAL_AEV},
    "crystals": {"structures": [{"phase": "fcc", "element": "Al", "bond": 2.86}]},
}  # fmt: skip


def changed(tables: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return tables with some keys changed, such as `run={"workers": 1}`; a table that is None is omitted."""
    found = copy.deepcopy(tables)
    for name, keys in changes.items():
        if keys is None:
            found.pop(name, None)
        else:
            found[name] = {key: value for key, value in {**found.get(name, {}), **keys}.items() if value is not None}
    return found


def write_config(folder: Path, tables: dict[str, Any], name: str = "loop.toml") -> Path:
    """Write a configuration file, and in the same folder the structure and the calculator."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "water.xyz").write_text(WATER)
    shutil.copy(TESTS / "support/oracles/water_oracle.py", folder)
    lines: list[str] = []
    for title, table in tables.items():
        lines += [f"[{title}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""]
    path = folder / name
    path.write_text("\n".join(lines))
    assert tomllib.loads(path.read_text()) == json.loads(json.dumps(tables))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def start(folder: Path, *flags: str, name: str = "loop.toml") -> Process:
    """Start `nnpal run` in ``folder``, in a separate session."""
    return Process(
        [sys.executable, "-m", "nnpal", "run", name, *flags],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def drive(folder: Path, *flags: str, name: str = "loop.toml") -> tuple[int, str, str]:
    """Run `nnpal run` to its end; return exit code, output and errors."""
    with start(folder, *flags, name=name) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def finish(folder: Path, *flags: str, name: str = "loop.toml") -> str:
    """Run `nnpal run`, which must succeed, and return its output."""
    code, out, err = drive(folder, *flags, name=name)
    assert (code, err) == (0, ""), out + err
    return out


def nnpal(folder: Path, *arguments: str) -> str:
    """Return the output of another nnpal command."""
    done = run([sys.executable, "-m", "nnpal", *arguments], cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def kill_when(folder: Path, condition: Any, flags: tuple[str, ...] = (), number: int = signal.SIGKILL) -> int:
    """Start `nnpal run`, send a signal when ``condition`` is true, and return the exit code.

    The condition must become true before the run ends.
    """
    process = start(folder, *flags)
    wait_until(lambda: condition() or process.poll() is not None)
    assert process.poll() is None, f"it ended before it could be signaled: {process.communicate()}"
    process.send_signal(number)
    process.communicate()  # only this one: processes that it started must end by themselves
    return process.returncode


def manifest_bytes(folder: Path) -> bytes:
    return (folder / "run" / "manifest.json").read_bytes()


def facts_by_stage(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the facts of the finished stages, by names such as `iter-0000/train`."""
    path = folder / "run" / "manifest.json"
    entries = json.loads(path.read_text())["entries"] if path.exists() else []
    return {f"iter-{entry['iteration']:04d}/{entry['stage']}": entry["facts"] for entry in entries}


def label_calls(folder: Path) -> int:
    """Return the number of label calculations by the oracle, without those that move atoms in LAMMPS."""
    return sum("/run/iter-" not in line for line in (folder / "calls.txt").read_text().splitlines())


def n_in_store(folder: Path) -> int:
    """Return the number of configurations in the label store of the run."""
    with closing(sqlite3.connect(folder / "run" / "labels.sqlite")) as store:
        [[n]] = store.execute("SELECT count(DISTINCT structure) FROM labels").fetchall()
    return int(n)


def broken_off_after(folder: Path, stage: str, target: Path) -> Path:
    """Copy a run in its state after ``stage``, without the label store, and return ``target``."""
    shutil.copytree(folder, target, symlinks=True)
    path = target / "run" / "manifest.json"
    found = json.loads(path.read_text())
    names = [f"iter-{entry['iteration']:04d}/{entry['stage']}" for entry in found["entries"]]
    n_kept = names.index(stage) + 1
    path.write_text(json.dumps({**found, "entries": found["entries"][:n_kept], "finished": None}))
    for name in names[n_kept:]:
        shutil.rmtree(target / "run" / name)
    (target / "run" / "labels.sqlite").unlink()
    (target / "calls.txt").unlink(missing_ok=True)
    return target
