"""Processes that do not outlive the one that started them, even if that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GROUP_ENDS = "trap '' TERM INT HUP; read _; kill -KILL 0"
"""A shell's program: wait for the end of standard input, then kill the process group."""
FOLLOWED = 'trap "" TERM INT HUP; read _; rm -f "$0"; kill -TERM "$@" 2>/dev/null'
"""A shell's program: wait for the end of standard input, then remove a file and end processes."""


def end_with_parent() -> None:
    """Have a shell kill this process group when standard input closes, whatever the group is busy with."""
    subprocess.Popen(["/bin/sh", "-c", GROUP_ENDS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.stdin.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)


class Guard:
    """A shell that ends processes, and removes a file, once this process is gone; dismissed when all went well."""

    def __init__(self, file: Path | None, processes: Sequence[int]) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", FOLLOWED, str(file or ""), *map(str, processes)],
            stdin=subprocess.PIPE,  # its end tells the shell that this process is gone
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the shell; it does nothing."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            self._shell.stdin.close()
