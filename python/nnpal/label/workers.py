"""Worker processes: given configurations, they give results or reasons, and are replaced when they die."""

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
"""Workers that may be killed over one calculation; at the last it is left without an answer."""
LAST_LINES = 3
PATIENCE = 60.0
"""Seconds for the end of a worker that has closed its connection, which a busy machine or a core dump takes."""
TICK = 0.5
"""Seconds between looks at workers that a child of theirs may keep a connection open for."""


@dataclass(frozen=True)
class Task:
    """One calculation: the number that the caller knows it by, the configuration, and the oracle's rung."""

    number: int
    atoms: Atoms
    rung: int


class Pool:
    """Workers, started when there is work for them; a context manager that leaves no process behind.

    Arguments:
        oracle: sent to every worker.
        n_workers: at most.
        timeout: seconds for one calculation; None: no limit.
        threads: of each worker's numerical libraries.

    Attributes:
        killed: number -> how its last worker was killed, of calculations that are left without an answer.
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
        """Start a worker and return why it is not ready to compute; None: it is, or is not yet after ``patience`` s."""
        assert self._folder is not None  # made on entering
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
        """Yield results as they come, until none is due; between them more may be submitted.

        A calculation whose worker is killed from elsewhere (the scheduler, no memory left) comes again after all
        others, and has no answer if that happens once more: it says nothing about the configuration.

        Raises:
            OracleError: workers do not get ready.
            nnpal.runtime.disk_full.DiskFullError: a worker met with a full disk.
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
            assert self._folder is not None  # made on entering
            self._workers.append(_Worker(self._oracle, self._threads, self._folder))
            n_starting += 1

    def _until_next_look(self) -> float:
        if self._timeout is None:
            return TICK
        now = time.monotonic()
        ends = [worker.since + self._timeout - now for worker in self._workers if worker.task]
        return max(0.0, min([TICK, *ends]))

    def _look(self, worker: _Worker) -> tuple[Task, Answer] | None:
        """Return what a worker has computed, or why it will not, and mark it as free; None: nothing new."""
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
        require_room(worker.place)  # before a configuration is blamed
        killed = -(worker.code or 0) in SIGNALS  # not by dismiss
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
    """Return why an oracle is not ready to compute, in a process of its own; None: it is.

    Arguments:
        patience: seconds; an oracle that takes longer to be made counts as one that can be.
        threads: of its numerical libraries.
    """
    try:
        with Pool(oracle, 1, timeout=None, threads=threads) as pool:
            return pool.refusal(patience)
    except OracleError as error:
        return str(error)


class _Worker:
    """A process, what it is busy with, and since when."""

    def __init__(self, oracle: bytes, threads: int, folder: Path) -> None:
        self.task: Task | None = None
        self.since = 0.0
        self.ready = False
        # calculators that write files must not meet
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
        with suppress(BrokenPipeError):  # found dead at the next look
            self.connection.send_bytes(oracle)

    def give(self, task: Task) -> None:
        self.task, self.since = task, time.monotonic()
        with suppress(BrokenPipeError):
            self.connection.send((task.atoms, task.rung))

    @property
    def code(self) -> int | None:
        """Exit status of the process, None while it runs."""
        return self._child.code

    def cause_of_death(self) -> str:
        """Return how it ended, and the last that it printed."""
        code = self._child.wait(PATIENCE)
        how = "closed its connection" if code is None else how_ended(code)
        lines = last_lines(self._log, LAST_LINES)
        return f"{how}; it printed: {' | '.join(lines)}" if lines else how

    def kill(self) -> None:
        """End the process and all that it has started."""
        self._child.kill()
        self.connection.close()
