"""Run or resume a loop in a folder: all unfinished stages, in order, each once."""

from __future__ import annotations

import copy
import os
import shlex
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nnpal.active_learning.engine.changes import STARTED, Basis, Planned
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import DiskFull, LoopError, StageError, Stopped, check_free_disk
from nnpal.active_learning.engine.facts import MANIFEST, StageFacts
from nnpal.active_learning.engine.keys import code_hashes, stage_key, stage_seed
from nnpal.active_learning.engine.manifest import (
    Entry,
    finish_discarding,
    history_of,
    output_hashes,
    read_manifest,
    write_manifest,
)
from nnpal.active_learning.engine.runlog import RunLog, add_time
from nnpal.active_learning.engine.runner import TaskRunner
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import Loop, Stage, StageContext, Unwatched, Watch, stage_folder, stage_name
from nnpal.active_learning.engine.stale_stages import Given, settle
from nnpal.config import validated
from nnpal.runtime.disk_full import full_disk_behind, is_disk_full
from nnpal.runtime.files import remove_leftovers
from nnpal.runtime.json_files import as_json, write_json
from nnpal.runtime.locks import HeldError, locked
from nnpal.runtime.places import require_folder
from nnpal.runtime.spelling import did_you_mean

LOCK = ".lock"
LOCK_TRIES, LOCK_PAUSE = 50, 0.1
"""``nnpal status`` holds the lock briefly, but longer on a busy machine."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Arguments:
        state: ``finished`` (nothing is left to do), ``stopped`` (by a signal or the wall time), ``paused`` (the
            requested stage is done).
        reason: why, as text.
        exit_code: exit code of the command: 0, or 143 and 130 for SIGTERM and SIGINT.
        command: command that resumes the run; None if it is finished.
    """

    state: Literal["finished", "stopped", "paused"]
    reason: str
    exit_code: int
    command: str | None


def run_loop(
    loop: Loop,
    config_path: str | os.PathLike[str],
    tables: Mapping[str, Any],
    run_folder: Path,
    *,
    redo: bool = False,
    keep: bool = False,
    only: str | None = None,
    log: Callable[[str], None] = print,
    watch: Watch = Unwatched,
) -> Outcome:
    """Run or resume ``loop`` until it ends.

    Arguments:
        loop: stages and stopping criterion.
        config_path: the configuration file.
        tables: the resolved configuration, in JSON; ``tables["run"]`` is [run].
        run_folder: run folder; created if missing.
        redo: recompute stale stages; their earlier results move to ``stale``.
        keep: keep finished stages in spite of changes.
        only: stop after the stage of this name in the current iteration.
        log: receives lines of text, which ``run.log`` repeats with their times.
        watch: shows the progress of the work in a folder.

    Raises:
        StaleRun: stages are stale, and neither ``redo`` nor ``keep`` is set.
        DiskFull: nothing more can be written.
        StageError: a stage failed.
        LoopError: another process works in the folder, or it is not a run folder.
    """
    if redo and keep:
        raise LoopError("redo and keep contradict each other; expected at most one")
    command = shlex.join(["nnpal", "run", os.fspath(config_path)])
    settings = validated(dict(tables.get("run", {})), RunSection, source=os.fspath(config_path))
    try:
        require_folder("run.folder", run_folder)
        run_folder.mkdir(parents=True, exist_ok=True)
        with _holding(run_folder):
            remove_leftovers(run_folder, levels=2)  # of manifest, page, figures and model; those of stages in _do
            run_log = RunLog(run_folder, log)
            try:
                return _Run(loop, Path(config_path), tables, run_folder, settings, run_log, watch, command).go(
                    redo=redo, keep=keep, only=only
                )
            except LoopError as error:
                run_log.note_if_possible(str(error))
                raise
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise DiskFull(_full(run_folder, error, command)) from error


class _Run:
    """A run in progress."""

    def __init__(
        self,
        loop: Loop,
        config_path: Path,
        tables: Mapping[str, Any],
        folder: Path,
        settings: RunSection,
        log: RunLog,
        watch: Watch,
        command: str,
    ) -> None:
        self._loop = loop
        self._config_path = config_path
        self._tables = as_json(dict(tables), "the configuration")
        self._folder = folder
        self._settings = settings
        self._log = log
        self._watch = watch
        self._command = command
        hours = settings.wall_time_hours
        self._deadline = Deadline(None if hours is None else 3600 * hours)
        self._manifest = finish_discarding(folder, read_manifest(folder))
        self._code = self._code_hashes()

    def go(self, *, redo: bool, keep: bool, only: str | None) -> Outcome:
        try:
            with self._deadline.heeding_signals():
                self._manifest = settle(
                    self._folder,
                    self._manifest,
                    self._plan_to_next(),
                    Given(self._config_path, self._tables, self._command),
                    redo=redo,
                    keep=keep,
                    log=self._log,
                )
                self._check_facts()
                runner = TaskRunner(
                    self._settings,
                    self._folder,
                    base_folder=self._config_path.resolve().parent,
                    deadline=self._deadline,
                    log=self._log,
                )
                try:
                    return self._work(runner, only)
                finally:
                    runner.close()
        except Stopped as stop:
            return self._stopped(stop.reason, stop.exit_code)
        except KeyboardInterrupt:
            return self._stopped("interrupted", 130)

    def _check_facts(self) -> None:
        """Reject a manifest whose facts later stages could not read.

        Raises:
            LoopError: the facts of a stage have unknown or missing keys.
        """
        for planned in self._plan_to_next():
            kind, entry = planned.stage.facts, planned.entry
            if kind is not None and entry is not None:
                kind.from_json(entry.facts, f"{self._folder / MANIFEST}: {entry.name}")

    def _plan_to_next(self) -> list[Planned]:
        """Return the stage of each entry, missing pages between them, and the next stage."""
        found: list[Planned] = []
        entries = list(self._manifest.entries)
        for iteration, stage in self._stages():
            if not entries:
                return [*found, self._planned(iteration, stage)]
            is_missing = not stage.is_read and entries[0].name != stage_name(iteration, stage.name)
            found.append(self._planned(iteration, stage, None if is_missing else entries.pop(0)))
        return found

    def _stages(self) -> Iterator[tuple[int, Stage]]:
        entries = self._manifest.entries
        n_iterations = max(self._settings.iterations, entries[-1].iteration + 1 if entries else 0)
        for iteration in range(n_iterations):
            for stage in self._loop.stages(iteration):
                yield iteration, stage

    def _code_hashes(self) -> dict[tuple[tuple[str, ...], bool], dict[str, str]]:
        """Return the hashes of all stages' code at the start of the run: later edits do not affect imported modules."""
        given = {(stage.code, not stage.is_read) for _, stage in self._stages()}
        return {(code, drawing): code_hashes(code, drawing=drawing) for code, drawing in given}

    def _planned(self, iteration: int, stage: Stage, entry: Entry | None = None) -> Planned:
        code = self._code[stage.code, not stage.is_read]
        return Planned(iteration, stage, Basis.of(stage, self._tables, self._settings.seed, code), entry)

    def _done_before(self, planned: Planned | None = None) -> tuple[int, list[Entry]]:
        """Return the number of entries before a stage (None: of all), and those of them that later stages read."""
        names: dict[str, bool] = {}
        for iteration, stage in self._stages():
            if planned is not None and (iteration, stage.name) == (planned.iteration, planned.stage.name):
                break
            names[stage_name(iteration, stage.name)] = stage.is_read
        done = [entry for entry in self._manifest.entries if entry.name in names]
        return len(done), [entry for entry in done if names[entry.name]]

    def _work(self, runner: TaskRunner, only: str | None) -> Outcome:
        n_seen = 0
        for iteration in range(self._settings.iterations):
            stages = list(self._loop.stages(iteration))
            for place, stage in enumerate(stages):
                n_seen += 1
                if stage_name(iteration, stage.name) in {entry.name for entry in self._manifest.entries}:
                    continue
                is_between = n_seen <= len(self._manifest.entries)  # a page that was moved away
                if only is not None and not is_between and only not in [later.name for later in stages[place:]]:
                    return self._nothing_to_do(only, [each.name for each in stages], iteration, stage.name)
                self._do(self._planned(iteration, stage), runner)
                if only == stage.name:
                    return Outcome("paused", f"{stage.name} of iteration {iteration} is done", 0, self._command)
            if n_seen >= len(self._manifest.entries):
                reason = self._loop.stop(copy.deepcopy(history_of(self._done_before()[1])))
                if reason is not None:
                    return self._finish(reason)
        return self._finish(f"all {self._settings.iterations} iterations are done")

    def _nothing_to_do(self, only: str, names: list[str], iteration: int, following: str) -> Outcome:
        if only not in names:
            raise LoopError(f"stage {only} does not belong to this workflow{did_you_mean(only, names)}")
        reason = f"{only} of iteration {iteration} was already done; the next stage is {following}"
        return Outcome("paused", reason, 0, self._command)

    def _finish(self, reason: str) -> Outcome:
        if self._manifest.finished != reason:
            self._manifest = replace(self._manifest, finished=reason)
            write_manifest(self._folder, self._manifest)
        self._log(f"finished: {reason}")
        return Outcome("finished", reason, 0, None)

    def _stopped(self, reason: str, exit_code: int) -> Outcome:
        self._log.note_if_possible(reason)
        return Outcome("stopped", reason, exit_code, self._command)

    def _do(self, planned: Planned, runner: TaskRunner) -> None:
        """Run a stage and add it to the manifest."""
        self._deadline.check()
        check_free_disk(self._folder, self._settings.min_free_disk)
        start = time.monotonic()
        folder = stage_folder(self._folder, planned.iteration, planned.stage.name)
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        write_json(folder / STARTED, planned.basis.as_dict())
        self._log(f"{planned.name} begins")
        try:
            facts = self._facts(planned, folder, runner)
            remove_leftovers(folder)  # of tasks that were killed and repeated
            outputs = output_hashes(self._folder, planned.iteration, planned.stage.name, facts)
        except LoopError as error:
            if isinstance(error, StageError):
                runner.forget_failures()
            raise type(error)(f"{planned.name}: {error}\n{self._how_to_go_on(folder)}") from error
        except Stopped:
            add_time(self._folder, planned.name, time.monotonic() - start)
            raise
        place, read = self._done_before(planned)
        previous = read[-1].key if read else ""
        basis, iteration, name = planned.basis, planned.iteration, planned.stage.name
        key = stage_key(previous, iteration, name, basis.seed, basis.config, basis.code)
        entry = Entry(iteration, name, key, basis.seed, basis.config, basis.code, facts, outputs)
        self._manifest = self._manifest.with_entry(entry, place)
        write_manifest(self._folder, self._manifest)
        seconds = time.monotonic() - start
        add_time(self._folder, planned.name, seconds)
        self._log(f"{planned.name} done in {seconds:.1f} s")

    def _facts(self, planned: Planned, folder: Path, runner: TaskRunner) -> dict[str, Any]:
        """Run the stage and return its facts.

        Raises:
            StageError: the stage failed; ``run.log`` has the traceback.
            DiskFull: the disk is full.
            Stopped: the stage failed after a signal, which may have ended a process that it had started.
        """
        history = copy.deepcopy(history_of(self._done_before(planned)[1]))
        history += [{} for _ in range(planned.iteration + 1 - len(history))]
        context = StageContext(
            run_folder=self._folder,
            folder=folder,
            iteration=planned.iteration,
            tables=copy.deepcopy(self._tables),
            history=history,
            seed=stage_seed(self._settings.seed, planned.iteration, planned.stage.name),
            tasks=runner,
            deadline=self._deadline,
            log=self._log,
            watch=self._watch,
        )
        try:
            found = planned.stage.run(context)
            kind = planned.stage.facts
            if kind is not None and not isinstance(found, kind):
                raise ValueError(f"its facts are a {type(found).__name__}, expected {kind.__name__}")
            facts = as_json(found.to_json() if isinstance(found, StageFacts) else found, "its facts")
            if not isinstance(facts, dict):
                raise ValueError(f"its facts are {facts!r}, expected a dict")
        except LoopError as error:
            if isinstance(error, StageError):
                self._deadline.check_signals()
            raise
        except Exception as error:
            self._log.note_if_possible(traceback.format_exc())
            self._deadline.check_signals()
            full = full_disk_behind(error, folder, folder=folder)
            if full is not None:
                raise DiskFull(f"the disk is full: {full}") from error
            check_free_disk(self._folder, self._settings.min_free_disk)  # before the stage is blamed
            raise StageError(f"{type(error).__name__}: {error}") from error
        return facts

    def _how_to_go_on(self, folder: Path) -> str:
        return (
            f"  its folder: {folder}; more in {self._folder / 'run.log'}\n"
            f"  finished stages and tasks stay; after fixing the problem, resume with: {self._command}"
        )


@contextmanager
def _holding(run_folder: Path) -> Iterator[None]:
    """Keep other processes from working in the run folder.

    Raises:
        LoopError: another process works in it.
    """
    path = run_folder / LOCK
    for attempt in range(LOCK_TRIES):
        lock = locked(path, wait=False)
        try:
            lock.__enter__()
        except HeldError as error:
            if attempt + 1 < LOCK_TRIES:
                time.sleep(LOCK_PAUSE)
                continue
            raise LoopError(f"{run_folder}: {error.holder} is running in it; wait until it ends, or end it") from error
        except OSError as error:
            if is_disk_full(error):
                raise
            raise LoopError(
                f"{run_folder}: cannot be locked ({error}); expected a file system that supports "
                "flock, and permission to write"
            ) from error
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
        return


def _full(folder: Path, error: OSError, command: str) -> str:
    return f"{folder}: the disk is full ({error}); what is finished is safe; free some space and resume with: {command}"
