"""The first data: the oracle's MD near equilibrium; and the oracle's own pulls, that models are held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.config import validated
from nnpal.driver.data import write_learnt
from nnpal.driver.labels import label_in_tasks
from nnpal.driver.outcomes import failed_tasks, last_lines
from nnpal.explore import (
    INTERRUPTED,
    MD_TASK,
    SMD_TASK,
    InitialSection,
    SMDSection,
    plan_initial,
    plan_smd,
    read_md,
    read_smd,
)
from nnpal.label.settings import AugmentationSection
from nnpal.loop.error import StageError
from nnpal.loop.runner import TaskOutcome
from nnpal.loop.stage import StageContext
from nnpal.loop.task import Task
from nnpal.rare_events.pulls import facts_of_pulls, files_of_pulls

UNSEEN, PULLS, DYNAMICS = "unseen.h5", "oracle-pulls", "dynamics"


def initial(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Sample and label; pull under the oracle where the configuration asks for a reference."""
    settings = ctx.tables["rare_events"]
    oracle = {**ctx.tables["oracle"], "folder": str(base_folder)}
    section = validated(ctx.tables["initial"], InitialSection, source="initial")
    plan = plan_initial(section, oracle, ctx.folder / DYNAMICS, base_folder, ctx.seed)
    tasks = [Task(ctx.folder / DYNAMICS / name, MD_TASK, arguments) for name, arguments in plan.items()]
    pulling = validated(ctx.tables["explore"], SMDSection, source="explore")
    if settings["reference"]:
        pulls = plan_smd(pulling, oracle, ctx.folder / PULLS, base_folder, ctx.seed)
        tasks += [Task(ctx.folder / PULLS / name, SMD_TASK, arguments) for name, arguments in pulls.items()]
    ctx.log(f"initial data: {len(plan)} runs of the oracle's MD, {len(tasks) - len(plan)} pulls under the oracle")
    outcomes = ctx.tasks.run(tasks)
    sampled = {outcome.folder.name: _sampled(outcome) for outcome in outcomes[: len(plan)]}
    frames = [frame for _, own in sampled.values() for frame in own]
    if not frames:
        failure = next((outcome.failure.text for outcome in outcomes if outcome.failure), "no frames were written")
        raise StageError(f"{ctx.folder}: the oracle's MD gave no configuration: {failure}")
    labelled = label_in_tasks(ctx, base_folder, frames + _noisy(ctx, frames))
    facts = {
        "n_frames": len(frames),
        "ended": {f"{DYNAMICS}/{name}": how for name, (how, own) in sampled.items() if own or how != INTERRUPTED},
        "failed_tasks": failed_tasks(ctx, outcomes),
        "last_lines": last_lines(ctx, outcomes[: len(plan)]),
        "pull_seed": ctx.seed,
        **labelled.facts(),
        "files": [write_learnt(ctx, labelled.frames)],
    }
    if settings["reference"]:
        found, files = _reference(ctx, base_folder, outcomes[len(plan) :], settings["unseen"])
        facts = {**facts, **found, "files": [*facts["files"], *files]}
    return facts


def _sampled(outcome: TaskOutcome) -> tuple[str, list[Atoms]]:
    """Return how a run of MD ended, and its configurations; of one that was given up what its last attempt left."""
    if outcome.result is not None:
        return outcome.result["ended"], read_md(outcome.folder)
    try:
        return INTERRUPTED, read_md(outcome.folder)
    except (FileNotFoundError, ValueError):  # it did not come so far
        return INTERRUPTED, []


def _noisy(ctx: StageContext, frames: list[Atoms]) -> list[Atoms]:
    table = ctx.tables["augmentation"]
    if table is None:
        return []
    section = validated(table | {"seed": ctx.seed}, AugmentationSection, source="augmentation")
    return section.apply(frames)[len(frames) :]


def _reference(
    ctx: StageContext, base_folder: Path, outcomes: Sequence[TaskOutcome], n_unseen: int
) -> tuple[dict[str, Any], list[str]]:
    """Label the pulls' configurations, at most ``n_unseen``, evenly spaced; no model ever learns them.

    Returns:
        Facts, and the files that later stages read.
    """
    for outcome in outcomes:
        if outcome.failure is not None:
            raise StageError(f"a pull under the oracle failed: {outcome.failure.text}")
    runs = [read_smd(outcome.folder) for outcome in outcomes]
    for run, outcome in zip(runs, outcomes, strict=True):
        if not run.complete:
            last = "\n".join(f"    {line}" for line in outcome.result["last_lines"]) if outcome.result else ""
            raise StageError(f"{outcome.folder}: a pull under the oracle ended: {run.ended}\n{last}")
    frames = [frame for run in runs for frame in run.frames]
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(n_unseen, len(frames))).astype(int))
    labelled = label_in_tasks(ctx, base_folder, [frames[i] for i in chosen], "unseen")
    files = [write_learnt(ctx, labelled.frames, UNSEEN), *files_of_pulls(ctx.folder, PULLS, runs)]
    return {"oracle": facts_of_pulls(runs), "n_unseen": len(labelled.frames)}, files
