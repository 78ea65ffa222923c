"""Pull under the ensemble, whose spread tells what is new, and under its best member alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnpal.config import validated
from nnpal.driver.outcomes import failed_tasks, last_lines
from nnpal.driver.training import BEST, MODEL
from nnpal.explore import SMD_TASK, SMDSection, plan_smd, read_given_up, read_smd
from nnpal.loop.stage import StageContext
from nnpal.loop.task import Task
from nnpal.rare_events.pulls import facts_of_pulls, files_of_pulls

WHO = {"ensemble": MODEL, "best": BEST}


def explore(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Carry out all pulls side by side; one that explodes or is given up is counted, and its good part kept.

    The seeds are those of the oracle's pulls, so that the same velocities begin and the same noise follows.
    """
    section = validated(ctx.tables["explore"], SMDSection, source="explore")
    seed = pull_seed(ctx)
    tasks = {}
    for who, model in WHO.items():
        forces = {"kind": "nnp", "model": str(ctx.path(ctx.iteration, "train", model)), "uq": who == "ensemble"}
        plan = plan_smd(section, forces, ctx.folder / who, base_folder, seed)
        tasks[who] = [Task(ctx.folder / who / name, SMD_TASK, arguments) for name, arguments in plan.items()]
    everything = [task for some in tasks.values() for task in some]
    ctx.log(f"iteration {ctx.iteration}: {len(everything)} pulls")
    outcomes = {outcome.folder: outcome for outcome in ctx.tasks.run(everything)}
    facts: dict[str, Any] = {"failed_tasks": {}, "last_lines": {}, "files": []}
    for who, some in tasks.items():
        own = [outcomes[task.folder] for task in some]
        facts["failed_tasks"] |= failed_tasks(ctx, own)
        facts["last_lines"] |= last_lines(ctx, own)
        found = [read_smd(one.folder) if one.failure is None else read_given_up(read_smd, one.folder) for one in own]
        runs = [run for run in found if run is not None]
        given_up = {task.arguments["rate"] for task in some if outcomes[task.folder].failure is not None}
        facts[who] = facts_of_pulls(runs, given_up)
        facts["files"] += files_of_pulls(ctx.folder, who, runs)
    return facts


def pull_seed(ctx: StageContext) -> int:
    """Return the seed of the pulls, which is the same in all iterations."""
    return int(ctx.history[0]["initial"]["pull_seed"])
