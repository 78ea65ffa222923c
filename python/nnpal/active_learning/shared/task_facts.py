"""Facts of a stage's tasks, without times and paths, like everything in the manifest."""

from __future__ import annotations

from collections.abc import Iterable

from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.sampling.ending import COMPLETE, RunOutcome


def failed_tasks(ctx: StageContext, outcomes: Iterable[TaskOutcome]) -> dict[str, str]:
    """Return folder (relative to the stage's) -> failure, for tasks that were given up."""
    return {_name(ctx, one): one.failure.fact for one in outcomes if one.failure is not None}


def last_lines(ctx: StageContext, outcomes: Iterable[TaskOutcome]) -> dict[str, tuple[str, ...]]:
    """Return folder -> last lines of output, for LAMMPS runs that ended by a failure of the physics."""
    done = [(one, RunOutcome.of(one.result)) for one in outcomes if one.result is not None]
    return {_name(ctx, one): run.last_lines for one, run in done if run.ended != COMPLETE}


def _name(ctx: StageContext, outcome: TaskOutcome) -> str:
    return str(outcome.folder.relative_to(ctx.folder))
