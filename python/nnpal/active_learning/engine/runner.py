"""Tasks, many at a time, tried again within limits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.attempt import GRACE
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import DiskFull, LoopError, StageError, check_free_disk
from nnpal.active_learning.engine.executors import Executors, check_file, is_lost, search_paths
from nnpal.active_learning.engine.failure import Failure, Kind, describe, forget, remember, remembered
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.task import Task, finished_result, prepare
from nnpal.runtime.disk_full import disk_full, is_disk_full

TICK = 0.2
"""Seconds between looks at the deadline."""
ALIVE = ".alive"


@dataclass(frozen=True)
class Limits:
    """How much may go wrong.

    Arguments:
        max_task_failures: a task that failed so often is given up.
        max_killed: a task may be killed so often, and is given up at the next time.
        max_given_up: tasks that may be given up; one more ends the stage. None: the caller judges.
    """

    max_task_failures: int
    max_killed: int
    max_given_up: int | None = None


@dataclass(frozen=True)
class TaskOutcome:
    """What came of a task: ``result`` or ``failure``, the other is None."""

    folder: Path
    result: dict[str, Any] | None
    failure: Failure | None


class TaskRunner:
    """Run tasks; Parsl starts with the first that is not done.

    Arguments:
        settings: [run].
        run_folder: Parsl's files go to its folder ``parsl``.
        base_folder: the configuration file's, to which ``run.executor`` is relative.
        deadline: looked at while tasks run.
        log: takes lines of text.

    Raises:
        LoopError: there is no such executor file.
    """

    def __init__(
        self,
        settings: RunSection,
        run_folder: Path,
        *,
        base_folder: Path,
        deadline: Deadline,
        log: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._run_folder = run_folder
        executor = settings.executor
        self._executor_file = None if executor is None else (base_folder / executor).resolve()
        check_file(self._executor_file)  # rather now than hours later
        self._deadline = deadline
        self._log = log
        self._folder = run_folder / "parsl"
        self._alive = self._folder / f"{uuid.uuid4().hex}{ALIVE}"
        self._paths = search_paths()
        self._executors: Executors | None = None
        self._unfinished: dict[Future[dict[str, Any]], _Attempts] = {}
        self._given_up: list[Path] = []

    def run(self, tasks: Sequence[Task], limits: Limits | None = None) -> list[TaskOutcome]:
        """Do tasks that are not done, and return what came of all, in their order.

        Raises:
            StageError: more tasks given up than ``limits`` allow.
            DiskFull: a task found the disk full, or too little is left.
            LoopError: the executors do not work.
            Stopped: see :meth:`nnpal.active_learning.engine.deadline.Deadline.check`. No task is left running.
        """
        limits = limits or Limits(self._settings.max_task_failures, self._settings.max_killed)
        if len({task.folder.resolve() for task in tasks}) < len(tasks):
            raise ValueError(f"{len(tasks)} tasks in fewer folders; expected a folder for each")
        jobs = [_Attempts(task, prepare(task)) for task in tasks]
        for job in jobs:
            job.look()
        waiting = [job for job in jobs if job.outcome is None]
        if waiting:
            self._log(f"{len(jobs)} tasks, {len(jobs) - len(waiting)} of them done before")
            try:
                self._work(waiting, jobs, limits)
            finally:
                self._abandon()
        self._given_up += [job.task.folder for job in jobs if job.failed]
        self._judge(jobs, limits)
        return [job.outcome for job in jobs if job.outcome is not None]

    def forget_failures(self) -> None:
        """Have tasks that were given up tried again in the next run: their stage failed."""
        for folder in self._given_up:
            forget(folder)

    def close(self) -> None:
        """Stop everything."""
        try:
            self._abandon()
        finally:  # an impatient user interrupts the waiting, and blocks of a cluster go back nevertheless
            executors, self._executors = self._executors, None
            if executors is not None:
                executors.close()

    def _work(self, waiting: Sequence[_Attempts], jobs: Sequence[_Attempts], limits: Limits) -> None:
        self._deadline.check()
        if self._executors is None:
            self._executors = Executors(self._folder, self._executor_file, self._settings.workers, self._alive)
        for old in self._folder.glob(f"*{ALIVE}"):  # of a driver that was killed: its tasks, if any, end
            old.unlink(missing_ok=True)  # the guard of that driver may have done so
        self._alive.touch()
        for job in waiting:
            self._submit(job)
        while self._unfinished:
            done, _ = wait(self._unfinished, TICK, FIRST_COMPLETED)
            self._deadline.check()
            if not done:
                self._executors.check()
            for future in done:
                job = self._unfinished.pop(future)
                self._take(job, future, limits)
                if job.outcome is None:
                    self._submit(job)
                elif job.failed:
                    self._judge(jobs, limits)

    def _submit(self, job: _Attempts) -> None:
        assert self._executors is not None  # started by _work
        task = job.task
        hours = self._settings.task_timeout_hours
        timeout = 3600 * hours if task.timeout is None and hours is not None else task.timeout
        arguments = (str(task.folder.resolve()), timeout, str(self._alive.resolve()), self._paths)
        self._unfinished[self._executors.submit(task.kind, *arguments, self._settings.threads)] = job

    def _take(self, job: _Attempts, future: Future[dict[str, Any]], limits: Limits) -> None:
        """Note how an attempt ended."""
        job.look()
        if job.outcome is not None:  # whatever its process did after that
            return
        error = future.exception()
        if error is None:
            ending = future.result()
        elif is_lost(error):
            ending = {"kind": "walltime", "how": f"lost its worker ({error})", "offset": 0}
        elif is_disk_full(error):
            raise DiskFull(f"{job.task.folder}: {error}") from error
        else:
            raise LoopError(f"{job.task.folder}: could not be executed: {type(error).__name__}: {error}") from error
        if ending["kind"] == "disk":
            raise DiskFull(str(disk_full(job.task.folder)))
        check_free_disk(self._run_folder, self._settings.min_free_disk)  # before the task is blamed
        failure, given_up = job.blame(ending, limits, self._paths)
        if given_up:
            job.outcome = TaskOutcome(job.task.folder, None, failure)
            self._log(failure.text)
            if failure.kind in ("error", "timeout"):
                remember(job.task.folder, job.task_hash, failure)
        else:
            self._log(f"{job.task.folder} {failure.how}; trying again")

    def _judge(self, jobs: Sequence[_Attempts], limits: Limits) -> None:
        failures = [job.outcome.failure for job in jobs if job.outcome is not None and job.outcome.failure is not None]
        if limits.max_given_up is not None and len(failures) > limits.max_given_up:
            self._given_up += [job.task.folder for job in jobs if job.failed]
            raise StageError(
                f"{len(failures)} of {len(jobs)} tasks were given up, more than the {limits.max_given_up} allowed; "
                f"the last of them:\n{failures[-1].text}"
            )

    def _abandon(self) -> None:
        """Stop all tasks."""
        self._alive.unlink(missing_ok=True)
        if self._unfinished:
            wait(self._unfinished, 2 * GRACE)
            self._unfinished.clear()


class _Attempts:
    """A task and what became of it so far."""

    def __init__(self, task: Task, task_hash: str) -> None:
        self.task = task
        self.task_hash = task_hash
        self.outcome: TaskOutcome | None = None
        self._n_failures = 0
        self._n_killed = 0

    @property
    def failed(self) -> bool:
        return self.outcome is not None and self.outcome.failure is not None

    def look(self) -> None:
        """See whether it is done, or was given up before."""
        result = finished_result(self.task.folder, self.task_hash)
        failure = None if result is not None else remembered(self.task.folder, self.task_hash)
        if result is not None or failure is not None:
            self.outcome = TaskOutcome(self.task.folder, result, failure)

    def blame(self, ending: dict[str, Any], limits: Limits, paths: Sequence[str]) -> tuple[Failure, bool]:
        """Return the failure of the last attempt, and whether the task is given up."""
        kind: Kind = "error" if ending["kind"] in ("ended", "hopeless") else ending["kind"]
        how = ending["how"]
        if kind in ("killed", "walltime"):
            self._n_killed += 1
            times, given_up = self._n_killed, self._n_killed > limits.max_killed
        else:
            self._n_failures += 1
            times = self._n_failures
            given_up = ending["kind"] == "hopeless" or times >= limits.max_task_failures
        return describe(self.task.folder.resolve(), kind, how, times, ending["offset"], paths), given_up
