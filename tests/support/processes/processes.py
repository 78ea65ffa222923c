"""Processes that tests start: each in its own process group, which can be killed as a whole, and with a time limit.

On a busy machine anything can take long, so tests wait for events; :data:`LIMIT` only ends a test that hangs.
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
"""Seconds after which a test stops waiting; far more than needed on a busy machine."""


class Process(subprocess.Popen[str]):
    """A program with text streams in a separate session; `with` ends it and all processes that it started."""

    def __init__(self, command: Sequence[str | os.PathLike[str]] | str, **options: Any) -> None:
        super().__init__(command, **{"text": True, "errors": "replace", "start_new_session": True, **options})

    def communicate(self, input: str | None = None, timeout: float | None = LIMIT) -> tuple[str, str]:
        """Wait for the end and return the output; a program that does not end is killed with its group.

        Raises:
            AssertionError: the program was killed after ``timeout`` seconds.
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
        """Kill the program and the processes that it started, except those in other sessions."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def __exit__(self, *error: Any) -> None:
        self.end_group()
        super().__exit__(*error)


def run(
    command: Sequence[str | os.PathLike[str]] | str, *, input: str | None = None, limit: float = LIMIT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit status, standard output and standard error.

    Arguments:
        command: program and its arguments, or a shell command.
        input: text for standard input; by default empty.
        limit: seconds after which the program is killed with all processes that it started.
        options: options of :class:`Process`.

    Raises:
        AssertionError: the program was killed.
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
    """Wait until a condition is true; a ``process`` that should cause it must not end before.

    Raises:
        AssertionError: the condition did not become true.
    """
    end = time.monotonic() + LIMIT
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"it did not come about before the process ended with status {process.returncode}")
        assert time.monotonic() < end, f"it did not come about in {LIMIT:g} s"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
