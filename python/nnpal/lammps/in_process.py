"""Run LAMMPS inside this Python process, with the command line of `lmp`: `nnpal lmp -in in.file`.

For Pythons without a shared libpython, where `fix python/hook` does not work under `lmp`, and for debugging hooks.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nnpal.lammps.threads import LammpsThreads

_INPUT_SWITCHES = ("-in", "-i")
# Prefix with which LAMMPS's library repeats the error message on stderr if LAMMPS does not start
_REPEATED = b"LAMMPS Exception: "
_PATIENCE_SECONDS = 10.0


def input_file(arguments: Sequence[str]) -> str | None:
    """Return the input script in LAMMPS's arguments: None for `none`, standard input without `-in`."""
    script: str | None = "/dev/stdin"
    for switch, value in itertools.pairwise(arguments):
        if switch in _INPUT_SWITCHES:
            script = None if value == "none" else value
    return script


def run_in_process(arguments: Sequence[str]) -> int:
    """Run LAMMPS as `lmp` would with these arguments.

    LAMMPS prints its own errors; nothing is added to them.

    Arguments:
        arguments: command line after `lmp`.

    Returns:
        The exit status: 0, or 1 after an error. `quit` in a script ends the process with its own status.
    """
    # Import MPI first, which loads libmpi. Importing lammps finds the plugins, as lmp does.
    from mpi4py import MPI

    import lammps

    sys.path.insert(0, "")  # hooks are in the working directory of LAMMPS
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]  # print() of hooks appears at once
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's handler would wait for the end of the run

    with LammpsThreads():
        return _run(lammps, MPI.COMM_WORLD, arguments)


def _run(lammps: Any, ranks: Any, arguments: Sequence[str]) -> int:
    with _without_repetition():
        try:
            instance = lammps.lammps(cmdargs=list(arguments))
        except RuntimeError:  # LAMMPS has printed the reason
            _meet_or_abort(ranks)
            return 1
    script = input_file(arguments)
    try:
        if script is not None:
            instance.file(script)
    except lammps.MPIAbortException:  # an error on one rank; other ranks may still have to print theirs
        instance.opened = 0
        _meet_or_abort(ranks)
        return 1
    except Exception as error:
        if type(error) is not Exception:  # LAMMPS's library raises plain Exception
            raise
        instance.opened = 0  # do not close LAMMPS after an error; neither does lmp
        return 1
    instance.close()
    return 0


def _meet_or_abort(ranks: Any) -> None:
    """Wait for all ranks, which arrive at once after a common error; abort all if some do not arrive."""
    everyone = ranks.Ibarrier()
    end = time.monotonic() + _PATIENCE_SECONDS
    while not everyone.Test():
        if time.monotonic() > end:
            ranks.Abort(1)
        time.sleep(0.01)


@contextmanager
def _without_repetition() -> Iterator[None]:
    """Pass on the stderr of C code, without the lines in which the library repeats LAMMPS's message."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not line.startswith(_REPEATED):
                    os.write(2, line)
