"""What a loop is made of: stages, what each is given, and when to stop."""

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
    """What shows how far a stage is."""

    def count(self, what: str, done: int, total: int) -> None:
        """Show that so much of something is done."""
        ...


Watch = Callable[[Path], AbstractContextManager[Watcher]]
"""Show, as long as the block lasts, how far the work in a folder is."""


class Unwatched:
    """Show nothing."""

    def __init__(self, folder: Path | None = None) -> None:
        pass

    def __enter__(self) -> Unwatched:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def count(self, what: str, done: int, total: int) -> None:
        pass


Facts = dict[str, Any]
"""What a stage has found, as the manifest holds it."""
History = Sequence[Mapping[str, Mapping[str, object]]]
"""For each iteration, the facts of its finished stages by name, in JSON; objects of it: :meth:`StageContext.found`."""
Found = TypeVar("Found", bound=StageFacts)


@dataclass(frozen=True)
class StageContext:
    """What a stage works with.

    Arguments:
        run_folder: the run's.
        folder: the stage's own; it may hold what a run that was killed has left there.
        iteration: from 0.
        tables: the configuration, resolved, in JSON: to be shown. Stages are given their sections as objects.
        history: facts of all finished stages that others read; the last item is this iteration.
        seed: this stage's own, from 1 to 2³¹ - 1.
        tasks: runs tasks.
        deadline: to be checked between pieces of work.
        log: takes lines of text.
        watch: shows how far the work in a folder is, while it lasts.
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
        """Return where a file of a stage lies."""
        return stage_folder(self.run_folder, iteration, stage) / name

    def found(self, iteration: int, kind: type[Found]) -> Found:
        """Return what a finished stage has found; ``kind`` says which stage.

        Raises:
            nnpal.active_learning.engine.error.LoopError: the manifest has something else of that stage.
        """
        place = f"{self.run_folder / MANIFEST}: {stage_name(iteration, kind.stage)}"
        return kind.from_json(self.history[iteration][kind.stage], place)


@dataclass(frozen=True)
class Stage:
    """One step of an iteration.

    Arguments:
        name: of the stage and its folder.
        run: does the work in ``context.folder`` and returns facts, as an object of ``facts`` or as JSON, that follow
            from configuration, code and seeds alone, so no times and no absolute paths. Their ``files``, names relative
            to the folder, are what later stages read; they are verified when a run resumes.
        tables: tables of the configuration that it reads, or keys of them (``rare_events.k``): when they change, it is
            stale.
        code: the modules that do its work, by import name: when they, anything that they import from their own
            top-level package, or its compiled libraries change, it is stale.
        is_read: whether later stages read what it finds. False of a page: nothing but later pages is stale with it,
            ``history`` does not have its facts, and modules that draw count for it alone.
        free: keys of these tables that decide nothing of what it finds (``training.tensorboard``): they may change.
        facts: what ``run`` returns; a manifest that holds something else is refused before anything is done. None: any
            JSON.
    """

    name: str
    run: Callable[[StageContext], StageFacts | Facts]
    tables: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    is_read: bool = True
    facts: type[StageFacts] | None = None
    free: tuple[str, ...] = ()


class Loop(Protocol):
    """Stages, again and again."""

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
    """Return the folder of a stage, relative to the run's, which is also its name in messages."""
    return f"iter-{iteration:04d}/{stage}"
