"""Processes that tests start: each in a group of its own that can be ended as a whole, none waited for without end.

A busy machine may take any time away, so tests wait for events, and :data:`LIMIT` only ends a test that would hang.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LIMIT = 600.0
"""Seconds after which what a test waits for counts as lost; far more than it takes on a machine with other work."""


class Process(subprocess.Popen[str]):
    """A program with text at its standard streams, in a session of its own; `with` ends it and all that it started."""

    def __init__(self, command: Sequence[str | os.PathLike[str]] | str, **options: Any) -> None:
        super().__init__(command, **{"text": True, "errors": "replace", "start_new_session": True, **options})

    def communicate(self, input: str | None = None, timeout: float | None = LIMIT) -> tuple[str, str]:
        """Wait for the end and return what it printed; a program that does not end is killed with its group.

        Raises:
            AssertionError: it was killed after ``timeout`` seconds.
        """
        try:
            return super().communicate(input, timeout)
        except subprocess.TimeoutExpired:
            self.end_group()
            printed = super().communicate()
            raise AssertionError(f"{self.args} still ran after {timeout:g} s:\n{printed}") from None

    def wait(self, timeout: float | None = LIMIT) -> int:
        return super().wait(timeout)

    def end_group(self) -> None:
        """Kill the program and what it has started, but for what has a session of its own."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def __exit__(self, *error: Any) -> None:
        self.end_group()
        super().__exit__(*error)


def run(
    command: Sequence[str | os.PathLike[str]] | str, *, input: str | None = None, limit: float = LIMIT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit status and what it printed, both streams apart.

    Arguments:
        input: for its standard input, which is empty without.
        limit: seconds after which it is killed with all that it started.
        options: of :class:`Process`.

    Raises:
        AssertionError: it was killed.
    """
    streams = {
        "stdin": subprocess.DEVNULL if input is None else subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    with Process(command, **{**streams, **options}) as process:
        out, err = process.communicate(input, limit)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def wait_until(condition: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait for an event; a ``process`` that should bring it about must not end before.

    Raises:
        AssertionError: it did not come about.
    """
    end = time.monotonic() + LIMIT
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"it did not come about before the process ended with status {process.returncode}")
        assert time.monotonic() < end, f"it did not come about in {LIMIT:g} s"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Return whether a process is there and no zombie, which nobody may have waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
