"""Start toy loops in separate processes, and read their results."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from processes import Process
from support.folders import SEARCH_PATH

TOYS = Path(__file__).parent
CONFIG = {
    "run": {"iterations": 2, "workers": 2, "min_free_disk": 0.0},
    "toy": {"n_walks": 3, "step": 0.5, "n_chosen": 2},
    "train": {"epochs": 4},
}
STAGES = [f"iter-{i:04d}/{stage}" for i in (0, 1) for stage in ("train", "explore", "select", "label", "report")]


def config_file(folder, **changes):
    """Write ``toy.toml``; for example, `run={"workers": 1}` changes a key of [run]."""
    tables = {name: {**CONFIG.get(name, {}), **changes.get(name, {})} for name in [*CONFIG, *changes]}
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
    path = folder / "toy.toml"
    path.write_text("\n".join(lines))
    return path


def start(folder, *flags, inject="", **options):
    """Start the driver on ``toy.toml`` and ``run`` in ``folder``; ``options`` are passed to the process."""
    environment = {**os.environ, "TOY_INJECT": inject, "PYTHONPATH": SEARCH_PATH}
    command = [sys.executable, str(TOYS / "toy_loop.py"), "toy.toml", "run", *flags]
    return Process(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def drive(folder, *flags, inject=""):
    """Run the driver to its end; return exit code, output and errors."""
    with start(folder, *flags, inject=inject) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def finish(folder, *flags):
    """Run the driver, which must finish."""
    code, out, err = drive(folder, *flags)
    assert (code, err) == (0, ""), out + err
    return out


def manifest(folder):
    return (folder / "run" / "manifest.json").read_bytes()


def entries(folder):
    path = folder / "run" / "manifest.json"
    if not path.exists():
        return []
    return [f"iter-{entry['iteration']:04d}/{entry['stage']}" for entry in json.loads(path.read_text())["entries"]]


def calls(folder):
    """Return the recorded actions, in order."""
    path = folder / "run" / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def done_tasks(folder):
    return {str(path.parent.relative_to(folder / "run")) for path in (folder / "run").glob("iter-*/*/*/result.json")}


def is_free(lock):
    """Return whether no process holds a lock file."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
