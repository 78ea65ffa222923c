"""Running many tasks at a time, with a limited number of attempts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from nnpal.active_learning.engine.attempt import GRACE
from nnpal.active_learning.engine.batch_jobs import BatchJob, cancel_left_jobs, fate, forget_job, noted_job, present_job
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import DiskFull, LoopError, StageError, check_free_disk
from nnpal.active_learning.engine.executors import Executors, check_file, is_lost, search_paths, why_given_up
from nnpal.active_learning.engine.failure import Failure, Kind, describe, forget, remember, remembered
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.task import Task, finished_result, prepare
from nnpal.runtime.disk_full import disk_full, is_disk_full

TICK = 0.2
"""Seconds between checks of the deadline."""
ALIVE = ".alive"


@dataclass(frozen=True)
class Limits:
    """Limits on failures.

    Arguments:
        max_task_failures: number of failures after which a task is given up.
        max_killed: number of times a task may be killed; it is given up the next time.
        max_given_up: number of tasks that may be given up; one more ends the stage. None: the caller decides.
    """

    max_task_failures: int
    max_killed: int
    max_given_up: int | None = None


@dataclass(frozen=True)
class TaskOutcome:
    """Outcome of a task: either ``result`` or ``failure``; the other is None."""

    folder: Path
    result: dict[str, Any] | None
    failure: Failure | None


class TaskRunner:
    """Runner of tasks; Parsl starts when the first unfinished task is run.

    Arguments:
        settings: [run].
        run_folder: run folder; Parsl's files are in its folder ``parsl``.
        base_folder: folder of the configuration file, to which ``run.executor`` is relative.
        deadline: checked while tasks run.
        log: receives lines of text.

    Raises:
        LoopError: the executor file does not exist.
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
        check_file(self._executor_file)  # now rather than hours later
        self._deadline = deadline
        self._log = log
        self._folder = run_folder / "parsl"
        self._alive = (self._folder / f"{uuid.uuid4().hex}{ALIVE}").resolve()
        self._paths = search_paths()
        self._executors: Executors | None = None
        self._unfinished: dict[Future[dict[str, Any]], _Attempts] = {}
        self._ended: SimpleQueue[Future[dict[str, Any]]] = SimpleQueue()
        """Futures in the order in which they end; polling all of them would take quadratic time."""
        self._given_up: list[Path] = []
        self._told: dict[str, str] = {}

    def run(self, tasks: Sequence[Task], limits: Limits | None = None) -> list[TaskOutcome]:
        """Run unfinished tasks, and return the outcomes of all tasks in their order.

        Raises:
            StageError: more tasks were given up than ``limits`` allow.
            DiskFull: the disk is full or nearly full.
            LoopError: the executors do not work.
            Stopped: see :meth:`nnpal.active_learning.engine.deadline.Deadline.check`. No task is left running.
        """
        limits = limits or Limits(self._settings.max_task_failures, self._settings.max_killed)
        jobs = [_Attempts(task) for task in tasks]
        if len({job.folder for job in jobs}) < len(tasks):
            raise ValueError(f"{len(tasks)} tasks in fewer folders; expected a folder for each")
        for job in jobs:
            job.prepare()
        for job in jobs:
            job.look()
        waiting = [job for job in jobs if job.outcome is None]
        if waiting:
            self._log(f"{len(jobs)} tasks, {len(jobs) - len(waiting)} of them already done")
            try:
                self._work(waiting, jobs, limits)
            finally:
                self._abandon()
        self._given_up += [job.task.folder for job in jobs if job.failed]
        self._judge([job for job in jobs if job.failed], len(jobs), limits)
        return [job.outcome for job in jobs if job.outcome is not None]

    def forget_failures(self) -> None:
        """Let the next run retry tasks that were given up, because their stage failed."""
        for folder in self._given_up:
            forget(folder)

    def close(self) -> None:
        """Stop all tasks and shut Parsl down."""
        try:
            self._abandon()
        finally:  # blocks of a cluster are released even if the user interrupts the wait
            executors, self._executors = self._executors, None
            if executors is not None:
                executors.close()

    def _work(self, waiting: Sequence[_Attempts], jobs: Sequence[_Attempts], limits: Limits) -> None:
        self._deadline.check()
        if self._executors is None:
            self._cancel_left_jobs()
            self._executors = Executors(self._folder, self._executor_file, self._settings.workers, self._alive)
        for old in self._folder.glob(f"*{ALIVE}"):  # of an nnpal run that was killed: its tasks end
            old.unlink(missing_ok=True)  # its guard may have done so
        self._alive.touch()
        for job in waiting:
            self._submit(job)
        failed = [job for job in jobs if job.failed]  # in an earlier run
        while self._unfinished:
            future = self._next_ended()
            self._deadline.check()
            if future is None:
                self._executors.check()
                continue
            if future not in self._unfinished:  # of tasks that were abandoned
                continue
            job = self._unfinished.pop(future)
            self._take(job, future, limits)
            if job.outcome is None:
                self._submit(job)
            elif job.failed:
                failed.append(job)
                self._judge(failed, len(jobs), limits)

    def _next_ended(self) -> Future[dict[str, Any]] | None:
        """Return the next attempt that has ended, or None if none ends within ``TICK``."""
        try:
            return self._ended.get(timeout=TICK)
        except Empty:
            return None

    def _cancel_left_jobs(self) -> None:
        left = cancel_left_jobs(self._folder) if self._executor_file is not None else []
        if left:
            self._log(f"cancelled batch jobs that a killed nnpal run had left: {', '.join(left)}")

    def _submit(self, job: _Attempts) -> None:
        assert self._executors is not None  # started by _work
        task = job.task
        forget_job(task.folder)
        hours = self._settings.task_timeout_hours
        timeout = 3600 * hours if task.timeout is None and hours is not None else task.timeout
        arguments = (str(job.folder), timeout, str(self._alive), self._paths)
        future = self._executors.submit(task.kind, *arguments, self._settings.threads)
        self._unfinished[future] = job
        future.add_done_callback(self._ended.put)

    def _take(self, job: _Attempts, future: Future[dict[str, Any]], limits: Limits) -> None:
        """Handle the end of an attempt."""
        job.look()
        if job.outcome is not None:  # however its process ended
            return
        error = future.exception()
        if error is None:
            ending = future.result()
        elif is_lost(error):
            ending = {"kind": "walltime", "how": "lost its worker", "offset": 0, "words": str(error)}
        elif is_disk_full(error):
            raise DiskFull(f"{job.task.folder}: {error}") from error
        else:
            why = why_given_up(error)
            if why is not None:
                raise LoopError(
                    f"{why}\n  how to fix it: correct account, partition or worker_init in {self._executor_file}; the "
                    f"jobs' scripts and output are in submit_scripts in the newest folder of {self._folder}"
                ) from error
            raise LoopError(f"{job.task.folder}: could not be executed: {type(error).__name__}: {error}") from error
        if ending["kind"] == "disk":
            raise DiskFull(str(disk_full(job.task.folder)))
        check_free_disk(self._run_folder, self._settings.min_free_disk)  # before the task is blamed
        batch_job = self._batch_job(job.task.folder) if ending["kind"] in ("killed", "walltime") else None
        told = ending.get("words", "") if batch_job is None else self._tell(batch_job)
        failure, given_up = job.blame(ending, limits, self._paths, told)
        if given_up:
            job.outcome = TaskOutcome(job.task.folder, None, failure)
            self._log(failure.text)
            if failure.kind in ("error", "timeout"):
                remember(job.task.folder, job.task_hash, failure)
        else:
            where = told and f" ({told})" if batch_job is None else f" in batch job {batch_job.number}"
            self._log(f"{job.task.folder} {failure.how}{where}; trying again")

    def _batch_job(self, folder: Path) -> BatchJob | None:
        """Return the batch job of the last attempt, unless this process runs in it too."""
        found, own = noted_job(folder), present_job()
        return None if found is None or (own is not None and own.number == found.number) else found

    def _tell(self, batch_job: BatchJob) -> str:
        """Return what happened to a batch job and what to do; log it once for all of its tasks."""
        became, remedy = fate(batch_job)
        if not became:
            return f"It was in {batch_job}"
        told = f"{batch_job} {became}{remedy and f': {remedy}'}"
        if self._told.get(batch_job.number) != told:
            self._told[batch_job.number] = told
            self._log(told)
        return f"Its {told}"

    def _judge(self, failed: Sequence[_Attempts], n_jobs: int, limits: Limits) -> None:
        if limits.max_given_up is None or len(failed) <= limits.max_given_up:
            return
        self._given_up += [job.task.folder for job in failed]
        last = failed[-1].failure
        raise StageError(
            f"{len(failed)} of {n_jobs} tasks were given up, more than the {limits.max_given_up} allowed; "
            f"the last of them:\n{last.text if last is not None else ''}"
        )

    def _abandon(self) -> None:
        """Stop all tasks."""
        self._alive.unlink(missing_ok=True)
        if self._unfinished:
            wait(self._unfinished, 2 * GRACE)
            self._unfinished.clear()


class _Attempts:
    """A task and its attempts so far."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.folder = task.folder.resolve()
        self.task_hash = ""
        self.outcome: TaskOutcome | None = None
        self._n_failures = 0
        self._n_killed = 0

    @property
    def failure(self) -> Failure | None:
        return None if self.outcome is None else self.outcome.failure

    @property
    def failed(self) -> bool:
        return self.failure is not None

    def prepare(self) -> None:
        """Write the task's file."""
        self.task_hash = prepare(self.task)

    def look(self) -> None:
        """Check whether the task is done or was given up before."""
        result = finished_result(self.task.folder, self.task_hash)
        failure = None if result is not None else remembered(self.task.folder, self.task_hash)
        if result is not None or failure is not None:
            self.outcome = TaskOutcome(self.task.folder, result, failure)

    def blame(self, ending: dict[str, Any], limits: Limits, paths: Sequence[str], told: str) -> tuple[Failure, bool]:
        """Return the failure of the last attempt, and whether the task is given up; ``told``: its batch job."""
        kind: Kind = "error" if ending["kind"] in ("ended", "hopeless") else ending["kind"]
        how = ending["how"]
        if kind in ("killed", "walltime"):
            self._n_killed += 1
            times, given_up = self._n_killed, self._n_killed > limits.max_killed
        else:
            self._n_failures += 1
            times = self._n_failures
            given_up = ending["kind"] == "hopeless" or times >= limits.max_task_failures
        return describe(self.folder, kind, how, times, ending["offset"], paths, told), given_up
