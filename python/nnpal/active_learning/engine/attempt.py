"""Run one attempt of a task: what Parsl's workers call, on this machine or on a cluster's nodes.

Light to import, and free of Parsl.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.batch_jobs import note_job
from nnpal.active_learning.engine.task import EXIT_GIVE_UP, EXIT_KILLED, LOG
from nnpal.runtime.child_process import SIGNALS, Child, environment_for, how_ended
from nnpal.runtime.disk_full import EXIT_DISK_FULL

TICK = 0.5
"""Seconds between checks that the run still needs the task."""
GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL."""
BY_EXIT_CODE = {
    EXIT_DISK_FULL: ("disk", "found the disk full"),
    EXIT_GIVE_UP: ("hopeless", "failed with an error that a retry would repeat"),
    EXIT_KILLED: ("killed", "ended because one of its programs was killed"),
}
"""Kind and description of attempts whose exit code says how they ended."""


def execute(
    folder: str, timeout: float | None, alive: str, paths: Sequence[str], threads: int, **_: Any
) -> dict[str, Any]:
    """Run ``python -m nnpal.active_learning.engine.task`` and return how it ended.

    Arguments:
        folder: folder of the task.
        timeout: time limit, s; None: no limit.
        alive: a file; once it is deleted, the task is no longer needed and its processes are ended.
        paths: additional folders in which Python looks for modules.
        threads: number of threads of numerical libraries.
        _: keywords that Parsl passes on after using them: ``parsl_resource_specification``, for an ``MPIExecutor``.

    Returns:
        ``kind``: ``ended`` (look for a result), ``hopeless`` (another attempt would fail likewise), ``timeout``,
        ``killed`` (it, or a program that it started, by an external SIGTERM or SIGKILL), ``disk`` (full) or
        ``unwanted``; ``how``: a description; ``offset``: byte at which this attempt begins in ``task.log``.
    """
    wanted = Path(alive)
    if not wanted.exists():
        return {"kind": "unwanted", "how": "was not started", "offset": 0}
    command = [sys.executable, "-m", "nnpal.active_learning.engine.task", folder, "--watched"]
    place, environment = Path(folder), environment_for(threads, paths)
    note_job(place)
    with Child(command, place / LOG, folder=place, environment=environment) as child:
        kind = _await(child, timeout, wanted)
        if kind is not None:
            child.end(GRACE)
    code = child.code
    if kind is None and code is not None:
        return {**_ending(code), "offset": child.log_start}
    how = f"took longer than {timeout:g} s" if timeout is not None and kind == "timeout" else "was stopped"
    return {"kind": kind, "how": how, "offset": child.log_start}


def _await(child: Child, timeout: float | None, wanted: Path) -> str | None:
    """Wait for the end of a process; return None, or why the process must be ended."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = TICK if end is None else min(TICK, end - time.monotonic())
        if left <= 0:
            return "timeout"
        if child.wait(left) is not None:
            return None
        if not wanted.exists():
            return "unwanted"


def _ending(code: int) -> dict[str, Any]:
    if code in BY_EXIT_CODE:
        kind, how = BY_EXIT_CODE[code]
        return {"kind": kind, "how": how}
    kind = "killed" if -code in SIGNALS else "ended"
    return {"kind": kind, "how": how_ended(code) if code else "ended without a result"}
