"""Exceptions that end a run early."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nnpal.runtime.disk_full import DiskFullError, require_room


class LoopError(RuntimeError):
    """A run that cannot continue; the message says where, why, and how to resume."""


class StageError(LoopError):
    """A stage or too many of its tasks failed."""


class StaleRun(LoopError):
    """Finished stages were made with another configuration or other code, or their files have changed."""


class DiskFull(LoopError):
    """The disk is full, or nearly full."""


class GiveUp(RuntimeError):
    """Raised by a task when any other attempt would fail in the same way; the task is given up at once."""


class Stopped(BaseException):
    """A signal was received or the wall time is used up; no error, so ``except Exception`` must not catch it.

    Arguments:
        reason: why, as text.
        exit_code: 143 (SIGTERM), 130 (SIGINT), 0 (wall time).
    """

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


def check_free_disk(folder: Path, needed_gb: float) -> None:
    """Stop if the disk is nearly full.

    Arguments:
        folder: any folder on the disk.
        needed_gb: disk space that must be free, GB (10⁹ bytes).

    Raises:
        DiskFull: less is free.
    """
    try:
        require_room(folder)
    except DiskFullError as error:
        raise DiskFull(str(error)) from error
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise DiskFull(
            f"{os.fspath(folder)}: {free_gb:.2f} GB free on its disk, less than run.min_free_disk = {needed_gb:g}; "
            "free some space, or lower that"
        )
