"""Pull under the ensemble, whose spread tells what is new, under its best member alone, and under a second kind."""

from __future__ import annotations

from pathlib import Path

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.rare_events.facts import ExploreFacts, InitialFacts, PullFacts, RareEventsTrainFacts
from nnpal.active_learning.rare_events.noiseless import NOISELESS, noiseless_facts, noiseless_tasks
from nnpal.active_learning.rare_events.pulls import facts_of_pulls, files_of_pulls
from nnpal.active_learning.sampling import SMD_TASK, SMDSection, plan_smd, read_given_up, read_smd
from nnpal.active_learning.sampling.force_field import NNPForces
from nnpal.active_learning.shared.error_limits import require_calibrated
from nnpal.active_learning.shared.facts import SECOND
from nnpal.active_learning.shared.task_facts import failed_tasks, last_lines
from nnpal.active_learning.shared.train_ensemble import BEST, MODEL

ENSEMBLE, SINGLE = "ensemble", "best"
WHO = {ENSEMBLE: MODEL, SINGLE: BEST}
OF_SECOND = {SECOND: f"{SECOND}/{MODEL}"}
"""The ensemble of [also_train]."""


def explore(ctx: StageContext, section: SMDSection, base_folder: Path) -> ExploreFacts:
    """Carry out all pulls side by side; one that explodes or is given up is counted, and its good part kept.

    The seeds are those of the oracle's pulls, so that the same velocities begin and the same noise follows.
    """
    require_calibrated(ctx.path(ctx.iteration, "train", MODEL), {"explore.max_error": section.max_error})
    seed = pull_seed(ctx)
    rates: dict[Path, float] = {}
    tasks: dict[str, list[Task]] = {}
    second = ctx.found(ctx.iteration, RareEventsTrainFacts).second
    quiet: list[Task] = []
    models = WHO if second is None else WHO | OF_SECOND
    for who, model in models.items():
        forces = NNPForces(
            kind="nnp",
            model=str(ctx.path(ctx.iteration, "train", model)),
            device=section.device,
            threads=section.threads,
            uq=who == ENSEMBLE,
        )
        plan = plan_smd(section, forces, ctx.folder / who, base_folder, seed)
        tasks[who] = [Task(ctx.folder / who / name, SMD_TASK, arguments) for name, arguments in plan.items()]
        by_run = [rate for rate in section.rates for _ in range(section.runs)]
        rates |= {task.folder: rate for task, rate in zip(tasks[who], by_run, strict=True)}
        if who == ENSEMBLE and ctx.found(0, InitialFacts).noiseless is not None:
            quiet = noiseless_tasks(section, forces, ctx.folder / NOISELESS, base_folder, seed)
    everything = [task for some in tasks.values() for task in some] + quiet
    ctx.log(f"iteration {ctx.iteration}: {len(everything)} pulls")
    outcomes = ctx.tasks.run(everything)
    found: dict[str, PullFacts] = {}
    files: list[str] = []
    for who, some in tasks.items():
        own = [outcome for outcome in outcomes if outcome.folder in {task.folder for task in some}]
        read = [read_smd(one.folder) if one.failure is None else read_given_up(read_smd, one.folder) for one in own]
        runs = [run for run in read if run is not None]
        given_up = {rates[one.folder] for one in own if one.failure is not None}
        ensemble = None if who == SINGLE else ctx.path(ctx.iteration, "train", models[who])
        found[who] = facts_of_pulls(runs, given_up, ensemble)
        files += files_of_pulls(ctx.folder, who, runs)
    return ExploreFacts(
        failed_tasks=failed_tasks(ctx, outcomes),
        last_lines=last_lines(ctx, outcomes),
        ensemble=found[ENSEMBLE],
        best=found[SINGLE],
        second=found.get(SECOND),
        noiseless=noiseless_facts(section, [one for one in outcomes if one.folder in {task.folder for task in quiet}]),
        files=tuple(files),
    )


def pull_seed(ctx: StageContext) -> int:
    """Return the seed of the pulls, which is the same in all iterations."""
    return ctx.found(0, InitialFacts).pull_seed
