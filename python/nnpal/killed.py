"""Deaths by signals from elsewhere: the scheduler's doing, or for want of memory, and no fault of the program."""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGKILL, signal.SIGTERM)


class Killed(RuntimeError):
    """A program that this process had started was killed; another attempt may get through."""


def was_killed(status: int) -> bool:
    """Whether a launcher's exit status says so: -9 (none), 137 (a shell, srun) or 9 (MPICH's mpirun), or of SIGTERM."""
    return any(status in (-number, 128 + number, number) for number in SIGNALS)
