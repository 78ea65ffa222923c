"""The parts of a loop: stages, what each receives, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.facts import MANIFEST, StageFacts
from nnpal.active_learning.engine.runner import TaskRunner


class Watcher(Protocol):
    """Display of the progress of a stage."""

    def count(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` items are done."""
        ...


Watch = Callable[[Path], AbstractContextManager[Watcher]]
"""Context manager that shows the progress of the work in a folder."""


class Unwatched:
    """Progress display that shows nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        pass

    def __enter__(self) -> Unwatched:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def count(self, what: str, done: int, total: int) -> None:
        pass


Facts = dict[str, Any]
"""Facts of a stage, as in the manifest."""
History = Sequence[Mapping[str, Mapping[str, object]]]
"""Facts of the finished stages of each iteration by name, in JSON; as objects: :meth:`StageContext.found`."""
Found = TypeVar("Found", bound=StageFacts)


@dataclass(frozen=True)
class StageContext:
    """What a stage works with.

    Arguments:
        run_folder: run folder.
        folder: folder of the stage; it may contain files of a run that was killed.
        iteration: number of the iteration, from 0.
        tables: the resolved configuration in JSON, for display; stages receive their sections as objects.
        history: facts of all finished stages that others read; the last item is this iteration.
        seed: random seed of the stage, from 1 to 2³¹ - 1.
        tasks: runner of tasks.
        deadline: checked by the stage between pieces of work.
        log: receives lines of text.
        watch: shows the progress of the work in a folder.
    """

    run_folder: Path
    folder: Path
    iteration: int
    tables: Mapping[str, object]
    history: History
    seed: int
    tasks: TaskRunner
    deadline: Deadline
    log: Callable[[str], None]
    watch: Watch = Unwatched

    def path(self, iteration: int, stage: str, name: str) -> Path:
        """Return the path of a file of a stage."""
        return stage_folder(self.run_folder, iteration, stage) / name

    def found(self, iteration: int, kind: type[Found]) -> Found:
        """Return the facts of a finished stage, which ``kind`` selects.

        Raises:
            nnpal.active_learning.engine.error.LoopError: the facts in the manifest have other keys or types.
        """
        place = f"{self.run_folder / MANIFEST}: {stage_name(iteration, kind.stage)}"
        return kind.from_json(self.history[iteration][kind.stage], place)


@dataclass(frozen=True)
class Stage:
    """One step of an iteration.

    Arguments:
        name: name of the stage and of its folder.
        run: does the work in ``context.folder`` and returns facts, as an object of ``facts`` or as JSON. They must
            depend only on configuration, code and seeds: no times, no absolute paths. Later stages read their ``files``
            (names relative to the folder), which are verified when a run resumes.
        tables: tables of the configuration that the stage reads, or keys (``rare_events.k``); it is stale when they
            change.
        code: import names of the modules that do the work; the stage is stale when they, anything that they import from
            their own top-level package, or its compiled libraries change.
        is_read: whether later stages read the results. False for a page: if it is stale, only later pages are too; its
            facts are not in ``history``; and only for pages does the code that draws count.
        free: keys of these tables that do not affect the results (``training.tensorboard``) and may change.
        facts: type that ``run`` returns; a manifest with other facts is rejected at the start. None: any JSON.
    """

    name: str
    run: Callable[[StageContext], StageFacts | Facts]
    tables: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    is_read: bool = True
    facts: type[StageFacts] | None = None
    free: tuple[str, ...] = ()


class Loop(Protocol):
    """A sequence of stages, repeated in each iteration."""

    def stages(self, iteration: int) -> Sequence[Stage]:
        """Return the stages of an iteration, in order."""
        ...

    def stop(self, history: History) -> str | None:
        """Return why the run is finished after the last iteration of ``history``, or None."""
        ...


def stage_folder(run_folder: Path, iteration: int, stage: str) -> Path:
    """Return the folder of a stage."""
    return run_folder / stage_name(iteration, stage)


def stage_name(iteration: int, stage: str) -> str:
    """Return the folder of a stage relative to the run folder, which is also its name in messages."""
    return f"iter-{iteration:04d}/{stage}"
