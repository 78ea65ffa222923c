"""Programs started by this process, which end when it ends, for any reason.

A child leads its own process group, so that only this process receives Ctrl-C, and a kill reaches everything that the
child has started. Its standard input is a pipe whose other end this process holds: the pipe closes when this process is
gone, and :func:`end_with_parent` in the child ends the group. Programs that do not call it get a :class:`Guard`
instead.
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
"""Signals that the scheduler or the out-of-memory killer sends: not an error of the program."""
LAUNCHER = ("PMI_", "PMIX_", "OMPI_", "MPI_LOCAL")
"""Prefixes of a parallel launcher's variables, removed because children are not its ranks."""
LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
GROUP_ENDS = "trap '' TERM INT HUP; read _; kill -KILL 0"
"""Shell script: wait for the end of standard input, then kill the process group."""
FOLLOWED = 'trap "" TERM INT HUP; read _; rm -f "$0"; kill -TERM "$@" 2>/dev/null'
"""Shell script: wait for the end of standard input, then remove a file and end processes."""


class Killed(RuntimeError):
    """A program started by this process was killed; another attempt may succeed."""


def was_killed(status: int) -> bool:
    """Return whether an exit status means SIGKILL (-9, 137 from a shell or srun, 9 from MPICH's mpirun) or SIGTERM."""
    return any(status in (-number, 128 + number, number) for number in SIGNALS)


def how_ended(code: int) -> str:
    """Describe an exit status of ``subprocess`` in words that follow the program's name."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # Python has no name for most of the real-time signals
        return f"was ended by signal {-code}"


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last nonempty lines of a log; none if there is no such file."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def environment_for(threads: int, paths: Sequence[str] | None = None) -> dict[str, str]:
    """Return the environment of a Python child: that of this process, without a launcher's variables.

    Arguments:
        threads: number of threads of numerical libraries.
        paths: additional folders in which the child finds modules; None: those of this process.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER)}
    places = [os.path.abspath(entry) for entry in sys.path] if paths is None else paths
    return {**kept, **dict.fromkeys(LIBRARIES, str(threads)), "PYTHONPATH": os.pathsep.join(places)}


class Child:
    """A running program that calls :func:`end_with_parent` at its start; a context manager that ends its processes.

    Arguments:
        command: program and arguments.
        log: file to which its output is appended.
        folder: working directory; None: that of this process.
        environment: environment variables; None: those of this process.
        reads_output: standard output is read by :meth:`lines`, and only standard error goes to the log.
        keep_open: file descriptors that it inherits.

    Attributes:
        log_start: size of the log before this child, bytes.
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
                stdin=subprocess.PIPE,  # closed when this process is gone
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
        """Return the exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def lines(self) -> Iterator[str]:
        """Yield the lines of standard output without line ends, until the child ends; skip an incomplete line."""
        assert self._process.stdout is not None  # requested by reads_output
        for line in self._process.stdout:
            if line.endswith(b"\n"):
                yield line[:-1].decode(errors="replace")

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status; None if it still runs after this time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def end(self, grace: float) -> None:
        """Send SIGTERM to the child's group, and kill it after ``grace`` seconds."""
        _signal_group(self.pid, signal.SIGTERM)
        self.wait(grace)
        self.kill()

    def kill(self) -> None:
        """Kill the child and everything that it has started; a second call does nothing."""
        if self._is_gone:  # its process ID may have been reused
            return
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._is_gone = True


def end_with_parent() -> None:
    """Let a shell kill this process group when standard input closes, whatever the group is doing."""
    subprocess.Popen(["/bin/sh", "-c", GROUP_ENDS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.stdin.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)


class Guard:
    """A shell that ends processes, and removes a file, once this process is gone; dismissed on success.

    Arguments:
        file: file to remove, or None.
        processes: process IDs; -N is the process group N.
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
        """End the shell without any action."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            self._shell.stdin.close()


@dataclass(frozen=True)
class Ended:
    """Result of a program.

    Attributes:
        code: exit status, negative for a signal; None: it exceeded the time limit and was killed.
        output: its output, including standard error; invalid characters are replaced.
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
    """Run any program to its end, without input; it ends when this process ends, for any reason.

    Arguments:
        limit: time limit, s; None: no limit.
        in_own_group: False: it stays in this process's group, with which it ends and receives Ctrl-C; it must end its
            own children.
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
            if in_own_group:  # processes that it has left behind
                _signal_group(process.pid, signal.SIGKILL)
            process.wait()  # Popen waits only briefly after KeyboardInterrupt
            guard.dismiss()
    return Ended(process.returncode, printed)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone; on macOS PermissionError if it is ending
        os.killpg(leader, number)
