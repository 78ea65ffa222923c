"""Pool of worker processes, which compute configurations and are replaced when they die."""

from __future__ import annotations

import pickle
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ase import Atoms

from nnpal.oracle.protocol import Answer, Oracle, OracleError
from nnpal.runtime.child_process import SIGNALS, Child, environment_for, how_ended, last_lines
from nnpal.runtime.disk_full import EXIT_DISK_FULL, disk_full, require_room
from nnpal.runtime.scratch import scratch_folder

MAX_FAILED_STARTS = 3
MAX_KILLED = 2
"""After this many killed workers a calculation is left without an answer."""
LAST_LINES = 3
PATIENCE = 60.0
"""Seconds to wait for the end of a worker that has closed its connection; a busy machine or a core dump is slow."""
TICK = 0.5
"""Seconds between checks of workers, whose connection a child process may keep open."""


@dataclass(frozen=True)
class Task:
    """One calculation: the caller's number for it, the configuration, and the oracle's rung."""

    number: int
    atoms: Atoms
    rung: int


class Pool:
    """Pool of workers, started on demand; a context manager that leaves no process behind.

    Arguments:
        oracle: oracle that is sent to every worker.
        n_workers: largest number of workers.
        timeout: time limit of one calculation, s; None: no limit.
        threads: threads of each worker's numerical libraries.

    Attributes:
        killed: {number: how its last worker was killed} for calculations left without an answer.
    """

    def __init__(self, oracle: Oracle, n_workers: int, *, timeout: float | None, threads: int) -> None:
        try:
            self._oracle = pickle.dumps(oracle)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OracleError(f"oracle {oracle!r} cannot be sent to workers: {error}") from error
        if type(oracle).__module__ == "__main__":
            raise OracleError(
                f"oracle {type(oracle).__name__} is defined in the main script, which workers cannot import; "
                "move its class into a module"
            )
        self._n_workers = n_workers
        self._timeout = timeout
        self._threads = threads
        self._tasks: deque[Task] = deque()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self.killed: dict[int, str] = {}
        self._n_killed: Counter[int] = Counter()
        self._scratch = ExitStack()
        self._folder: Path | None = None

    def __enter__(self) -> Pool:
        self._folder = self._scratch.enter_context(scratch_folder("label"))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
        self._scratch.close()

    def refusal(self, patience: float) -> str | None:
        """Start a worker; return why it cannot compute, or None if it can or is not ready after ``patience`` s."""
        assert self._folder is not None  # created in __enter__
        worker = _Worker(self._oracle, self._threads, self._folder)
        self._workers.append(worker)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            wait([worker.connection], timeout=TICK)
            with suppress(EOFError, OSError):
                if worker.connection.poll():
                    message: str | None = worker.connection.recv()
                    return message
            if worker.code is not None:
                return f"its process {worker.cause_of_death()}"
        return None

    def submit(self, task: Task, *, first: bool = False) -> None:
        """Add a calculation, at the end or before all others."""
        if first:
            self._tasks.appendleft(task)
        else:
            self._tasks.append(task)

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        """Yield results as they arrive, until all calculations are done; more may be submitted in between.

        A calculation whose worker is killed externally (by the scheduler, or out of memory) is repeated after all
        others. If that happens again it has no answer, because the configuration may not be the cause.

        Raises:
            OracleError: workers do not become ready.
            nnpal.runtime.disk_full.DiskFullError: the disk of a worker is full.
        """
        while self._tasks or any(worker.task for worker in self._workers):
            self._employ()
            wait([worker.connection for worker in self._workers], timeout=self._until_next_look())
            for worker in list(self._workers):
                if (answer := self._look(worker)) is not None:
                    yield answer

    def _employ(self) -> None:
        for worker in self._workers:
            if worker.ready and worker.task is None and self._tasks:
                worker.give(self._tasks.popleft())
        n_starting = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < self._n_workers and n_starting < len(self._tasks):
            assert self._folder is not None  # created in __enter__
            self._workers.append(_Worker(self._oracle, self._threads, self._folder))
            n_starting += 1

    def _until_next_look(self) -> float:
        if self._timeout is None:
            return TICK
        now = time.monotonic()
        ends = [worker.since + self._timeout - now for worker in self._workers if worker.task]
        return max(0.0, min([TICK, *ends]))

    def _look(self, worker: _Worker) -> tuple[Task, Answer] | None:
        """Return the answer of a worker, or why it has none, and mark it as free; None if there is nothing new."""
        try:
            if worker.connection.poll():
                return self._hear(worker, worker.connection.recv())
        except (EOFError, OSError):
            return self._bury(worker)
        if worker.code is not None:
            return self._bury(worker)
        took = time.monotonic() - worker.since
        if worker.task is not None and self._timeout is not None and took >= self._timeout:
            self._dismiss(worker)
            return worker.task, (None, f"took longer than {self._timeout:g} s", took)
        return None

    def _hear(self, worker: _Worker, message: Any) -> tuple[Task, Answer] | None:
        if worker.task is not None:
            task, worker.task = worker.task, None
            return task, message
        if message is not None:
            raise OracleError(message)
        worker.ready = True
        self._failed_starts = 0
        return None

    def _bury(self, worker: _Worker) -> tuple[Task, Answer] | None:
        how = worker.cause_of_death()
        if worker.code == EXIT_DISK_FULL:
            raise disk_full(worker.place)
        require_room(worker.place)  # a full disk is not the configuration's fault
        killed = -(worker.code or 0) in SIGNALS  # killed externally
        self._dismiss(worker)
        if worker.task is not None and killed:
            self._put_off(worker.task, how)
            return None
        if worker.task is not None:
            return worker.task, (None, f"its worker {how}", time.monotonic() - worker.since)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise OracleError(f"{MAX_FAILED_STARTS} workers in a row were not ready to compute; the last {how}")
        return None

    def _put_off(self, task: Task, how: str) -> None:
        self._n_killed[task.number] += 1
        if self._n_killed[task.number] < MAX_KILLED:
            self.submit(task)
        else:
            self.killed[task.number] = f"its worker {how}"

    def _dismiss(self, worker: _Worker) -> None:
        worker.kill()
        self._workers.remove(worker)


def refusal(oracle: Oracle, *, patience: float, threads: int) -> str | None:
    """Check in a separate process whether an oracle can compute; return why not, or None.

    Arguments:
        patience: time limit, s; an oracle that takes longer to start is accepted.
        threads: threads of its numerical libraries.
    """
    try:
        with Pool(oracle, 1, timeout=None, threads=threads) as pool:
            return pool.refusal(patience)
    except OracleError as error:
        return str(error)


class _Worker:
    """A worker process, its current calculation, and when that started."""

    def __init__(self, oracle: bytes, threads: int, folder: Path) -> None:
        self.task: Task | None = None
        self.since = 0.0
        self.ready = False
        # a folder for each worker, so that calculators do not overwrite each other's files
        self.place = Path(tempfile.mkdtemp(dir=folder))
        self._log = self.place / "worker.log"
        self.connection, theirs = Pipe()
        with theirs:
            self._child = Child(
                [sys.executable, "-m", "nnpal.label.worker", str(theirs.fileno())],
                self._log,
                folder=self.place,
                environment=environment_for(threads),
                keep_open=[theirs.fileno()],
            )
        with suppress(BrokenPipeError):  # detected at the next check
            self.connection.send_bytes(oracle)

    def give(self, task: Task) -> None:
        self.task, self.since = task, time.monotonic()
        with suppress(BrokenPipeError):
            self.connection.send((task.atoms, task.rung))

    @property
    def code(self) -> int | None:
        """Return the exit status of the process, None while it runs."""
        return self._child.code

    def cause_of_death(self) -> str:
        """Return how the process ended, and the last lines that it printed."""
        code = self._child.wait(PATIENCE)
        how = "closed its connection" if code is None else how_ended(code)
        lines = last_lines(self._log, LAST_LINES)
        return f"{how}; it printed: {' | '.join(lines)}" if lines else how

    def kill(self) -> None:
        """End the process and all its child processes."""
        self._child.kill()
        self.connection.close()
