"""Run one attempt of a task: what Parsl's workers call, on this machine or on a cluster's nodes.

Light to import, and free of Parsl.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnpal.disk_full import EXIT_DISK_FULL
from nnpal.killed import SIGNALS
from nnpal.loop.task import EXIT_GIVE_UP, EXIT_KILLED, LOG

TICK = 0.5
"""Seconds between looks whether the run still wants the task."""
GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL."""
LAUNCHER = ("PMI_", "PMIX_", "OMPI_", "MPI_LOCAL")
"""Variables of a parallel launcher, of which tasks are no ranks."""
BY_EXIT_CODE = {
    EXIT_DISK_FULL: ("disk", "found the disk full"),
    EXIT_GIVE_UP: ("hopeless", "failed as any other would"),
    EXIT_KILLED: ("killed", "had a program of its own killed"),
}
"""Kind and words of attempts that say themselves how they ended."""


def execute(folder: str, timeout: float | None, alive: str, paths: Sequence[str], threads: int) -> dict[str, Any]:
    """Run ``python -m nnpal.loop.task`` and return how it ended.

    Arguments:
        folder: the task's.
        timeout: seconds; None: no limit.
        alive: a file; once it is gone the task is not wanted and its processes are ended.
        paths: where Python finds modules, besides its own places.
        threads: of numerical libraries.

    Returns:
        ``kind``: ``ended`` (look for a result), ``hopeless`` (another attempt would fail likewise), ``timeout``,
        ``killed`` (it, or a program of its own, by SIGTERM or SIGKILL from elsewhere), ``disk`` (full) or
        ``unwanted``; ``how``: in words; ``offset``: where this attempt begins in ``task.log``.
    """
    wanted = Path(alive)
    if not wanted.exists():
        return {"kind": "unwanted", "how": "was not begun", "offset": 0}
    with (Path(folder) / LOG).open("ab") as log:
        offset = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [sys.executable, "-m", "nnpal.loop.task", folder, "--watched"],
            stdin=subprocess.PIPE,  # its end tells the task that this process is gone
            stdout=log,
            stderr=log,
            cwd=folder,
            env=_environment(paths, threads),
            start_new_session=True,  # Ctrl-C is for the driver, kill for the group
        )
    try:
        kind = _await(process, timeout, wanted)
    finally:
        _end_group(process, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
    if kind is None:
        return {**_ending(process.returncode), "offset": offset}
    how = f"took longer than {timeout:g} s" if timeout is not None and kind == "timeout" else "was stopped"
    return {"kind": kind, "how": how, "offset": offset}


def _await(process: subprocess.Popen[bytes], timeout: float | None, wanted: Path) -> str | None:
    """Wait for the end, and return why it was brought about, or None where it came of itself."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = TICK if end is None else min(TICK, end - time.monotonic())
        if left <= 0:
            return _terminate(process, "timeout")
        with suppress(subprocess.TimeoutExpired):
            process.wait(left)
            return None
        if not wanted.exists():
            return _terminate(process, "unwanted")


def _terminate(process: subprocess.Popen[bytes], kind: str) -> str:
    _end_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    return kind


def _end_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the task and all that it has started."""
    with suppress(ProcessLookupError, PermissionError):  # gone; macOS says the latter of one that is ending
        os.killpg(process.pid, number)
    if number == signal.SIGKILL:
        process.wait()


def _ending(code: int) -> dict[str, Any]:
    if code in BY_EXIT_CODE:
        kind, how = BY_EXIT_CODE[code]
        return {"kind": kind, "how": how}
    if code >= 0:
        return {"kind": "ended", "how": f"ended with exit code {code}" if code else "ended without a result"}
    name = signal.Signals(-code).name
    kind = "killed" if -code in SIGNALS else "ended"
    return {"kind": kind, "how": f"was ended by {name}"}


def _environment(paths: Sequence[str], threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER)}
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**kept, **dict.fromkeys(libraries, str(threads)), "PYTHONPATH": os.pathsep.join(paths)}
