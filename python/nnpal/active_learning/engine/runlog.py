"""``run.log`` and ``times.json``: what a run did and when; the manifest has no times."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full
from nnpal.runtime.json_files import read_json, write_json

LOG, TIMES = "run.log", "times.json"


class RunLog:
    """Log of a run: lines with their time in its file, and without it for a listener."""

    def __init__(self, run_folder: Path, listener: Callable[[str], None]) -> None:
        self._path = run_folder / LOG
        self._listener = listener

    def __call__(self, text: str) -> None:
        """Write ``text`` to the file, and pass it to the listener."""
        self.note(text)
        self._listener(text)

    def note(self, text: str) -> None:
        """Write ``text`` to the file."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with told_if_full(self._path), self._path.open("a") as file:
            file.writelines(f"{now} {line}\n" for line in text.splitlines())

    def note_if_possible(self, text: str) -> None:
        """Write ``text`` to the file if the disk has room, for the last lines of a run that ends anyway."""
        with suppress(OSError):
            self.note(text)


def add_time(run_folder: Path, stage: str, seconds: float) -> None:
    """Add ``seconds`` to the wall time of a stage, which covers all attempts."""
    times = read_times(run_folder)
    times[stage] = round(times.get(stage, 0.0) + seconds, 3)
    write_json(run_folder / TIMES, times)


def read_times(run_folder: Path) -> dict[str, float]:
    """Return the wall time of each stage, s."""
    return read_json(run_folder / TIMES) or {}
