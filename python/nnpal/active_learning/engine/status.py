"""Progress of a run, read from its folder without disturbing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nnpal.active_learning.engine.changes import STARTED
from nnpal.active_learning.engine.error import LoopError
from nnpal.active_learning.engine.failure import FAILURE
from nnpal.active_learning.engine.manifest import MANIFEST, read_manifest
from nnpal.active_learning.engine.runlog import LOG, read_times
from nnpal.active_learning.engine.stage import stage_name
from nnpal.active_learning.engine.task import RESULT, TASK
from nnpal.runtime.locks import holder_of

LOCK = ".lock"
LAST_LINES = 5


class NoRun(LoopError):
    """The folder is not a run folder."""


@dataclass(frozen=True)
class Finished:
    """A finished stage: its name (``iter-0000/train``), and the wall time of all attempts in s, None if unknown."""

    name: str
    seconds: float | None


@dataclass(frozen=True)
class Begun:
    """An unfinished stage that was started, and how many of its tasks are finished or were given up."""

    name: str
    n_tasks: int
    n_done: int
    n_failed: int


@dataclass(frozen=True)
class Status:
    """Progress of a run.

    Arguments:
        folder: run folder.
        state: ``running``, ``finished``, ``waiting`` (for the command that resumes it) or ``new``.
        holder: the process that works in it; None: no process.
        reason: why the run is finished; None: it is not.
        finished: finished stages, in order.
        begun: the stage in progress or interrupted; None: no stage.
        facts: facts of each finished stage of the last iteration.
        last_lines: last lines of ``run.log``.
    """

    folder: str
    state: Literal["running", "finished", "waiting", "new"]
    holder: str | None
    reason: str | None
    finished: tuple[Finished, ...]
    begun: Begun | None
    facts: Mapping[str, Mapping[str, Any]]
    last_lines: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON."""
        return asdict(self)

    def as_text(self, details: Sequence[str] = ()) -> str:
        """Return the status as text; ``details`` are lines about the stage in progress."""
        told = {"running": f"running ({self.holder})", "finished": f"finished: {self.reason}"}
        lines = [f"{self.folder}: {told.get(self.state, self.state)}"]
        iterations: dict[str, list[str]] = {}
        for stage in self.finished:
            iteration, _, name = stage.name.partition("/")
            took = "" if stage.seconds is None else f" {_duration(stage.seconds)}"
            iterations.setdefault(iteration, []).append(f"{name}{took}")
        lines += [f"  {iteration}: {', '.join(stages)}" for iteration, stages in iterations.items()]
        if self.begun is not None:
            tasks = f", {self.begun.n_done} of {self.begun.n_tasks} tasks done" if self.begun.n_tasks else ""
            failed = f", {self.begun.n_failed} given up" if self.begun.n_failed else ""
            how = "running" if self.state == "running" else "interrupted in"
            lines.append(f"  {how} {self.begun.name}{tasks}{failed}")
            lines += [f"    {line}" for line in details]
        return "\n".join([*lines, *(f"  | {line}" for line in self.last_lines)])


def status(run_folder: Path) -> Status:
    """Return the progress of a run.

    Raises:
        NoRun: the folder is not a run folder.
        LoopError: its manifest cannot be read.
    """
    if not (run_folder / LOG).is_file() and not (run_folder / MANIFEST).is_file():
        raise NoRun(f"{run_folder}: not a run folder; expected a folder made by nnpal run")
    holder = holder_of(run_folder / LOCK)
    manifest = read_manifest(run_folder)
    times = read_times(run_folder)
    finished = tuple(Finished(entry.name, times.get(entry.name)) for entry in manifest.entries)
    begun = _begun(run_folder, {stage.name for stage in finished})
    state: Literal["running", "finished", "waiting", "new"] = "waiting" if finished or begun is not None else "new"
    if manifest.finished is not None:
        state = "finished"
    if holder is not None:
        state = "running"
    history = manifest.history()
    log = run_folder / LOG
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.is_file() else []
    return Status(
        folder=str(run_folder),
        state=state,
        holder=holder,
        reason=manifest.finished,
        finished=finished,
        begun=begun,
        facts=history[-1] if history else {},
        last_lines=tuple(lines),
    )


def _begun(run_folder: Path, finished: set[str]) -> Begun | None:
    for path in sorted(run_folder.glob(f"iter-*/*/{STARTED}")):
        name = stage_name(int(path.parent.parent.name.removeprefix("iter-")), path.parent.name)
        if name not in finished:
            tasks = [task.parent for task in path.parent.rglob(TASK)]
            n_done = sum((task / RESULT).exists() for task in tasks)
            n_failed = sum((task / FAILURE).exists() and not (task / RESULT).exists() for task in tasks)
            return Begun(name, len(tasks), n_done, n_failed)
    return None


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
