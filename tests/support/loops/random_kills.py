"""Kill `nnpal run`, its session or one of its processes at random, and inspect the result."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from loop_runs import drive, start
from processes import Process, wait_until

OF_THIS_ATTEMPT = ("parsl", "task.log", "worker.log", ".lock", "lock")
"""Names of files that describe attempts, not their results."""


@dataclass
class Tally:
    """Numbers of killed processes by kind, and of starts of the run."""

    victims: dict[str, int] = field(default_factory=dict)
    n_starts: int = 0

    @property
    def n_kills(self) -> int:
        return sum(self.victims.values())


def processes_in(folder: Path) -> dict[int, str]:
    """Return the processes that work in a folder or its subfolders, with the kind of each."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            cwd = (place / "cwd").resolve()
            command = (place / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            if (cwd == folder or folder in cwd.parents) and command:
                found[int(place.name)] = _kind(command)
    return found


def _kind(command: str) -> str:
    for word, kind in (
        ("nnpal.active_learning.engine.task", "task"), ("nnpal.label.worker", "label worker"), ("lammps/lmp", "lammps"),
        ("nnpal.lammps.launcher", "lammps"), ("/bin/sh", "watchdog"), ("nnpal run", "driver"),
    ):  # fmt: skip
        if word in command:
            return kind
    return "other"


def kill_at_random(folder: Path, n_kills: int, rng: random.Random, longest: float, tally: Tally) -> bool:
    """Start the run and kill it or one of its processes, until it finishes or ``n_kills`` are done.

    Returns:
        Whether the run finished.
    """
    while tally.n_kills < n_kills:
        process = start(folder)
        tally.n_starts += 1
        log = folder / "run" / "run.log"
        known = log.stat().st_size if log.exists() else 0
        if rng.random() < 0.9:  # otherwise it may be killed at its start
            _wait_for_the_log(process, log, known)
        while process.poll() is None and tally.n_kills < n_kills:
            end = time.monotonic() + rng.uniform(0.5, longest)
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            if process.poll() is not None:
                break
            _kill_one(process.pid, folder, rng, tally)
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
        out, err = process.communicate()
        assert "Traceback" not in err, err
        if process.returncode == 0:
            return True
        assert process.returncode == -signal.SIGKILL, f"{process.returncode}\n{out}{err}"
    return False


def _wait_for_the_log(process: Process, log: Path, n_known: int) -> None:
    wait_until(lambda: process.poll() is not None or (log.exists() and log.stat().st_size > n_known))


def _kill_one(driver: int, folder: Path, rng: random.Random, tally: Tally) -> None:
    others = {pid: kind for pid, kind in processes_in(folder).items() if pid != driver and kind != "driver"}
    draw = rng.random()
    with suppress(ProcessLookupError):
        if draw < 0.5 or not others:
            os.kill(driver, signal.SIGKILL)
            kind = "driver"
        elif draw < 0.6:
            os.killpg(driver, signal.SIGKILL)
            kind = "session"
        else:
            kinds = sorted(set(others.values()) - {"watchdog"}) or ["watchdog"]
            kind = rng.choice(kinds)
            os.kill(rng.choice(sorted(pid for pid, found in others.items() if found == kind)), signal.SIGKILL)
        tally.victims[kind] = tally.victims.get(kind, 0) + 1


def finish_after(folder: Path) -> None:
    """Resume the run to its end; it must not print errors."""
    code, out, err = drive(folder)
    assert (code, err) == (0, ""), out + err


def files_of(folder: Path) -> set[str]:
    """Return the names of all files of the run except those that describe attempts."""
    run = folder / "run"
    found = (path.relative_to(run) for path in run.rglob("*") if path.is_file() or path.is_symlink())
    return {str(path) for path in found if path.parts[0] not in OF_THIS_ATTEMPT and path.name not in OF_THIS_ATTEMPT}


def labels_of(folder: Path) -> list[tuple[object, ...]]:
    """Return all rows of the label store, without times."""
    columns = "hash, structure, n_atoms, energy, forces, stress, reason, tries, rung"
    with closing(sqlite3.connect(folder / "run" / "labels.sqlite")) as store:
        return store.execute(f"SELECT {columns} FROM labels JOIN oracles ON id = oracle ORDER BY 1, 2").fetchall()
