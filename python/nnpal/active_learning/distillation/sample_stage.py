"""Sample by MOMT or NPT dynamics under the oracle, once for all iterations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnpal.active_learning.distillation.facts import SampleFacts
from nnpal.active_learning.distillation.pools import SERIES
from nnpal.active_learning.distillation.walks import RUNS, columns_of
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.sampling import IsobaricSection, plan_isobaric, read_given_up, read_isobaric
from nnpal.active_learning.sampling.execution import ENDED
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.learned_data import write_learned
from nnpal.active_learning.shared.task_facts import failed_tasks, last_lines
from nnpal.runtime.files import aside

TEST = "test.h5"


def sample(ctx: StageContext, how: Labeling, section: IsobaricSection, n_test: int) -> SampleFacts:
    """Run MOMT or NPT dynamics, and label an evenly spaced test set that no model is trained on.

    Output of runs that were given up is used.

    Arguments:
        ctx: context of the stage.
        how: settings for labeling, with the oracle.
        section: table [explore].
        n_test: largest number of configurations of the test set.
    """
    oracle = OracleForces(how.oracle, how.base_folder)
    task, plan = plan_isobaric(section, oracle, ctx.folder / RUNS, how.base_folder, ctx.seed)
    tasks = [Task(ctx.folder / RUNS / name, task, arguments) for name, arguments in plan.items()]
    ctx.log(f"{len(tasks)} runs of {section.kind.upper()} under the oracle, {section.steps} steps each")
    outcomes = ctx.tasks.run(tasks)
    failed = {outcome.folder.name: outcome.failure for outcome in outcomes if outcome.failure is not None}
    found = [
        read_isobaric(outcome.folder) if outcome.failure is None else read_given_up(read_isobaric, outcome.folder)
        for outcome in outcomes
    ]
    runs = [run for run in found if run is not None]
    frames = [frame for run in runs for frame in run.frames]
    if not frames:
        said = next(iter(failed.values())).text if failed else f"no frames; ended: {[run.ended for run in runs]}"
        raise StageError(f"{ctx.folder}: {section.kind.upper()} sampled nothing: {said}")
    test = np.unique(np.linspace(0, len(frames) - 1, min(n_test, len(frames) // 2)).astype(np.int64))
    with aside(ctx.folder / SERIES) as path:
        order, enthalpy = (np.concatenate([getattr(run, name) for run in runs]) for name in "OH")
        columns: dict[str, Any] = {"order": order, "enthalpy": enthalpy, "test": test}
        np.savez(path, **columns, **columns_of(runs, section.timestep))
    labeled = label_in_tasks(ctx, how, [frames[i] for i in test], "test")
    write_learned(ctx, labeled.frames, TEST)
    outputs = [f"{RUNS}/{run.name}/{name}" for run in runs for name in _files(ctx.folder / RUNS / run.name)]
    return SampleFacts(
        runs=tuple(run.name for run in runs),
        ended={f"{RUNS}/{run.name}": run.ended for run in runs},
        failed_tasks=failed_tasks(ctx, outcomes),
        last_lines=last_lines(ctx, outcomes),
        n_frames=len(frames),
        n_atoms=len(frames[0]),
        n_test=len(labeled.frames),
        files=(SERIES, TEST, *outputs),
    )


def _files(folder: Path) -> list[str]:
    patterns = ("rows*.txt", "frames*.lammpstrj", FACTS, ENDED)
    return sorted(path.name for pattern in patterns for path in folder.glob(pattern))
