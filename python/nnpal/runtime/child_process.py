"""Programs that this process starts: they end with it, however it ends, and say how they ended.

A child leads a process group of its own, so that Ctrl-C is this process's to answer and a kill reaches all that the
child has started. Its standard input is a pipe of which this process holds the other end: the pipe closes when this
process is gone, and :func:`end_with_parent` in the child ends the group. A program that knows nothing of this has a
:class:`Guard` instead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
"""Signals by which the scheduler, or a lack of memory, kills a program: not an error of the program."""
LAUNCHER = ("PMI_", "PMIX_", "OMPI_", "MPI_LOCAL")
"""Variables of a parallel launcher, of which children are no ranks."""
LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
GROUP_ENDS = "trap '' TERM INT HUP; read _; kill -KILL 0"
"""A shell's program: wait for the end of standard input, then kill the process group."""
FOLLOWED = 'trap "" TERM INT HUP; read _; rm -f "$0"; kill -TERM "$@" 2>/dev/null'
"""A shell's program: wait for the end of standard input, then remove a file and end processes."""


class Killed(RuntimeError):
    """A program that this process had started was killed; another attempt may get through."""


def was_killed(status: int) -> bool:
    """Whether a launcher's exit status says so: -9 (none), 137 (a shell, srun) or 9 (MPICH's mpirun), or of SIGTERM."""
    return any(status in (-number, 128 + number, number) for number in SIGNALS)


def how_ended(code: int) -> str:
    """Return an exit status of ``subprocess`` in words that follow the program's name."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # Python has no name for most of the real-time signals
        return f"was ended by signal {-code}"


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log that are not empty; none where there is no such file."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def environment_for(threads: int, paths: Sequence[str] | None = None) -> dict[str, str]:
    """Return the variables of a Python child: those of this process, without a launcher's.

    Arguments:
        threads: of numerical libraries.
        paths: where the child finds modules besides its own places; None: where this process does.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER)}
    places = [os.path.abspath(entry) for entry in sys.path] if paths is None else paths
    return {**kept, **dict.fromkeys(LIBRARIES, str(threads)), "PYTHONPATH": os.pathsep.join(places)}


class Child:
    """A running program that calls :func:`end_with_parent` as it starts; a context manager that leaves no process.

    Arguments:
        command: the program and its words.
        log: what it prints is added to this file.
        folder: it runs in; None: this process's.
        environment: its variables; None: this process's.
        reads_output: standard output is for :meth:`lines`, standard error alone for the log.
        keep_open: file descriptors that it inherits.

    Attributes:
        log_start: bytes of the log before this child.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        reads_output: bool = False,
        keep_open: Sequence[int] = (),
    ) -> None:
        self._is_gone = False
        with log.open("ab") as file:
            self.log_start = file.seek(0, os.SEEK_END)
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,  # its end tells the child that this process is gone
                stdout=subprocess.PIPE if reads_output else file,
                stderr=file,
                cwd=folder,
                env=None if environment is None else dict(environment),
                pass_fds=keep_open,
                start_new_session=True,
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def lines(self) -> Iterator[str]:
        """Yield the lines of standard output without their ends, until the child ends; half a line is left out."""
        assert self._process.stdout is not None  # as the caller has asked for
        for line in self._process.stdout:
            if line.endswith(b"\n"):
                yield line[:-1].decode(errors="replace")

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status, None where it still runs after so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def end(self, grace: float) -> None:
        """Ask the child's group by SIGTERM to end, and kill what is there after ``grace`` seconds."""
        _signal_group(self.pid, signal.SIGTERM)
        self.wait(grace)
        self.kill()

    def kill(self) -> None:
        """End the child and all that it has started; the second time there is nothing to end."""
        if self._is_gone:  # its number may be another's by now
            return
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._is_gone = True


def end_with_parent() -> None:
    """Have a shell kill this process group when standard input closes, whatever the group is busy with."""
    subprocess.Popen(["/bin/sh", "-c", GROUP_ENDS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.stdin.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)


class Guard:
    """A shell that ends processes, and removes a file, once this process is gone; dismissed when all went well.

    Arguments:
        file: None: there is none.
        processes: by number; -N is the process group N.
    """

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


@dataclass(frozen=True)
class Ended:
    """What a program did.

    Attributes:
        code: exit status, negative for a signal; None: it took too long and was killed.
        output: what it printed, standard error included; what cannot be read as text is replaced.
    """

    code: int | None
    output: str


def run_program(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    limit: float | None = None,
    in_own_group: bool = True,
    keep_open: Sequence[int] = (),
) -> Ended:
    """Run any program to its end, without input; it ends with this process, however that ends.

    Arguments:
        limit: seconds; None: it may take as long as it wants.
        in_own_group: False: it stays in this process's group, and ends and gets Ctrl-C with that; what it has started
            is its own to end.
        keep_open: file descriptors that it inherits.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        pass_fds=keep_open,
        start_new_session=in_own_group,
    )
    guard = Guard(None, [-process.pid if in_own_group else process.pid])
    with process:
        try:
            printed = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return Ended(None, "")
        except BaseException:
            process.kill()
            raise
        finally:
            if in_own_group:  # what it has started, and left
                _signal_group(process.pid, signal.SIGKILL)
            process.wait()  # Popen itself waits for a moment alone after KeyboardInterrupt
            guard.dismiss()
    return Ended(process.returncode, printed)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone; macOS says the latter of one that is ending
        os.killpg(leader, number)
