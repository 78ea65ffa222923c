"""The first data, from the oracle's MD near equilibrium, and the oracle's pulls as a reference for models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.rare_events.facts import InitialFacts, PullFacts
from nnpal.active_learning.rare_events.noiseless import NOISELESS, noiseless_facts, noiseless_tasks
from nnpal.active_learning.rare_events.oracle_pulls import PULLS
from nnpal.active_learning.rare_events.pulls import facts_of_pulls, files_of_pulls
from nnpal.active_learning.sampling import (
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
from nnpal.active_learning.sampling.ending import RunOutcome
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.learned_data import write_learned
from nnpal.active_learning.shared.task_facts import failed_tasks, last_lines
from nnpal.label.settings import AugmentationSection

UNSEEN, DYNAMICS = "unseen.h5", "dynamics"


@dataclass(frozen=True)
class First:
    """Settings for the first data.

    Arguments:
        labeling: settings for labeling, with the oracle.
        dynamics: table [initial].
        pulls: table [explore], for pulls under the oracle.
        n_unseen: largest number of configurations of these pulls to label; None: no pulls under the oracle.
        augmentation: settings of noisy copies, if any.
    """

    labeling: Labeling
    dynamics: InitialSection
    pulls: SMDSection
    n_unseen: int | None
    augmentation: AugmentationSection | None


def initial(ctx: StageContext, how: First) -> InitialFacts:
    """Sample and label; run pulls under the oracle if the configuration requests a reference."""
    base_folder = how.labeling.base_folder
    oracle = OracleForces(how.labeling.oracle, base_folder)
    plan = plan_initial(how.dynamics, oracle, ctx.folder / DYNAMICS, base_folder, ctx.seed)
    tasks = [Task(ctx.folder / DYNAMICS / name, MD_TASK, arguments) for name, arguments in plan.items()]
    if how.n_unseen is not None:
        pulls = plan_smd(how.pulls, oracle, ctx.folder / PULLS, base_folder, ctx.seed)
        tasks += [Task(ctx.folder / PULLS / name, SMD_TASK, arguments) for name, arguments in pulls.items()]
    n_pulls = len(tasks) - len(plan)
    if how.n_unseen is not None:
        tasks += noiseless_tasks(how.pulls, oracle, ctx.folder / NOISELESS, base_folder, ctx.seed)
    ctx.log(f"initial data: {len(plan)} runs of the oracle's MD, {len(tasks) - len(plan)} pulls under the oracle")
    outcomes = ctx.tasks.run(tasks)
    pulled, noiseless = outcomes[len(plan) :][:n_pulls], outcomes[len(plan) + n_pulls :]
    sampled = {outcome.folder.name: _sampled(outcome) for outcome in outcomes[: len(plan)]}
    frames = [frame for _, own in sampled.values() for frame in own]
    if not frames:
        failure = next((outcome.failure.text for outcome in outcomes if outcome.failure), "no frames were written")
        raise StageError(f"{ctx.folder}: the oracle's MD gave no configuration: {failure}")
    labeled = label_in_tasks(ctx, how.labeling, frames + _noisy(ctx.seed, how.augmentation, frames))
    files = [write_learned(ctx, labeled.frames)]
    reference, n_labeled = None, None
    if how.n_unseen is not None:
        reference, n_labeled, more = _reference(ctx, how.labeling, pulled, how.n_unseen)
        files += more
    return InitialFacts(
        n_frames=len(frames),
        ended={f"{DYNAMICS}/{name}": end for name, (end, own) in sampled.items() if own or end != INTERRUPTED},
        failed_tasks=failed_tasks(ctx, outcomes),
        last_lines=last_lines(ctx, outcomes[: len(plan)]),
        pull_seed=ctx.seed,
        n_labeled=labeled.n_labeled,
        n_failed=labeled.n_failed,
        reasons=labeled.counted,
        oracle=reference,
        noiseless=noiseless_facts(how.pulls, noiseless),
        n_unseen=n_labeled,
        files=tuple(files),
    )


def _sampled(outcome: TaskOutcome) -> tuple[str, list[Atoms]]:
    """Return how an MD run ended, and its configurations; for a run that was given up, those of the last attempt."""
    if outcome.result is not None:
        return RunOutcome.of(outcome.result).ended, read_md(outcome.folder)
    try:
        return INTERRUPTED, read_md(outcome.folder)
    except (FileNotFoundError, ValueError):  # it ended before it wrote any
        return INTERRUPTED, []


def _noisy(seed: int, section: AugmentationSection | None, frames: list[Atoms]) -> list[Atoms]:
    if section is None:
        return []
    return section.model_copy(update={"seed": seed}).apply(frames)[len(frames) :]


def _reference(
    ctx: StageContext, labeling: Labeling, outcomes: Sequence[TaskOutcome], n_unseen: int
) -> tuple[PullFacts, int, list[str]]:
    """Label at most ``n_unseen`` evenly spaced configurations of the pulls; no model is trained on them.

    Returns:
        Facts of the pulls, the number of labeled configurations, and the files that later stages read.
    """
    for outcome in outcomes:
        if outcome.failure is not None:
            raise StageError(f"a pull under the oracle failed: {outcome.failure.text}")
    runs = [read_smd(outcome.folder) for outcome in outcomes]
    for run, outcome in zip(runs, outcomes, strict=True):
        if not run.complete:
            last = (
                "\n".join(f"    {line}" for line in RunOutcome.of(outcome.result).last_lines) if outcome.result else ""
            )
            raise StageError(f"{outcome.folder}: a pull under the oracle ended: {run.ended}\n{last}")
    frames = [frame for run in runs for frame in run.frames]
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(n_unseen, len(frames))).astype(int))
    labeled = label_in_tasks(ctx, labeling, [frames[i] for i in chosen], "unseen")
    files = [write_learned(ctx, labeled.frames, UNSEEN), *files_of_pulls(ctx.folder, PULLS, runs)]
    return facts_of_pulls(runs), len(labeled.frames), files
