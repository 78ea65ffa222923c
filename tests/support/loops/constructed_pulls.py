"""Artificial pulls, histories and stage contexts for tests of the rare-event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.failure import Failure
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.rare_events.facts import (
    ChosenFrame,
    ExploreFacts,
    InitialFacts,
    Iteration,
    LabelFacts,
    PullFacts,
    RareEventsTrainFacts,
    SelectFacts,
)
from nnpal.active_learning.rare_events.judge import (
    reason_to_stop,
)
from nnpal.active_learning.rare_events.pulls import KCAL_MOL
from nnpal.active_learning.rare_events.select_stage import (
    Choice,
)
from nnpal.active_learning.sampling import SMDRun
from nnpal.active_learning.sampling import SMDSection as Explore
from nnpal.active_learning.sampling.ending import RunOutcome
from nnpal.active_learning.settings import RareEventsSection

KCAL = 1.0 / KCAL_MOL
RATES, RUNS = (1.0, 4.0), 3
LIMITS = RareEventsSection(first_steps=250)


def pull(rate: float = 1.0, run: int = 0, energy: float = 4.0, ended: str = "complete", n_rows: int = 60) -> SMDRun:
    """Return a pull whose work rises to ``energy``, eV, and then falls slightly."""
    step, zeros = 5 * np.arange(n_rows), np.zeros(n_rows)
    work = energy * np.minimum(1.0, np.linspace(0.0, 1.2, n_rows)) - 0.1 * (np.arange(n_rows) == n_rows - 1)
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]])]
    return SMDRun(
        step, zeros, zeros, zeros, work, zeros, zeros, 0.01 + 0.001 * (step % 2), frames, step[:1], np.full(1, 0.01),
        None, None, rate, ended, f"rate-{rate:g}-run-{run}",
    )  # fmt: skip


class Tasks:
    """Substitute for a task runner: all tasks are done except one."""

    def __init__(self, lost: str = "") -> None:
        self.lost = lost
        self.seen: list[Path] = []

    def run(self, tasks: Any) -> list[TaskOutcome]:
        self.seen += [task.folder for task in tasks]
        failure = Failure("killed", "was killed", "text")
        ended = RunOutcome("too hot", ("step 7", "Fix halt"), n_frames=1, last_frame=0, steps=9, seed=1).to_json()
        return [
            TaskOutcome(folder, *((None, failure) if str(folder).endswith(self.lost) else (ended, None)))
            for folder in (task.folder for task in tasks)
        ]


EXPLORE = Explore(kind="smd", structure="water.xyz", atoms=(1, 2), rates=RATES, runs=RUNS)
TRAIN: dict[str, Any] = {
    "n_data": 10, "members": 2, "failed_members": {}, "best_member": 0, "epochs": {"0": 3, "1": 3}, "files": [],
    **{f"{part}_{e}_mae": 0.1 for part in ("train", "validation") for e in ("energy", "relative_energy", "force")},
}  # fmt: skip
FIRST: dict[str, Any] = {
    "n_frames": 1, "ended": {}, "failed_tasks": {}, "last_lines": {}, "pull_seed": 3, "n_labelled": 1,
    "n_failed": 0, "reasons": {}, "files": [],
}  # fmt: skip


def choice(section: RareEventsSection, max_error: float | None = None) -> Choice:
    return Choice(section, EXPLORE.model_copy(update={"max_error": max_error}), most=9, n_peak=0)


def context(folder: Path, tasks: Any = None, stage: str = "explore") -> StageContext:
    (folder / "water.xyz").write_text("1\n\nH 0 0 0\n")
    place = stage_folder(folder / "run", 0, stage)
    place.mkdir(parents=True)
    before = {"initial": FIRST, "train": TRAIN}
    return StageContext(folder / "run", place, 0, {}, [before], 1, tasks, Deadline(), print)


def history(
    *energies: Any, oracle: Any = (100.0, 110.0), chosen: Any = (1,), ended: str = "complete", apart: Any = (0.01,) * 3
) -> Any:
    """Return iterations with E_a (kcal/mol) at the two rates; None for a pull that terminated early.

    Pulls of the model differ from their mean by ``apart`` and its negatives; those of the oracle are equal.
    """
    around = [sign * one for one in apart for sign in (1, -1)]

    def facts(values: Any, shifts: Any = (), **given: Any) -> PullFacts:
        energies = {f"{r:g}": None if v is None else KCAL * v for r, v in zip(RATES, values, strict=True)}
        runs = {r: tuple(None if v is None else v + KCAL * d for d in shifts) for r, v in energies.items()}
        return PullFacts(activation_energy=energies, n_frames=1, by_run=runs if shifts else None, **given)

    first = InitialFacts.from_json(FIRST, "test")
    if oracle is not None:
        first = first.model_copy(update={"oracle": facts(oracle, [0.0] * len(around), ended={})})
    found = []
    for k, values in enumerate(energies):
        own = facts(values, around, ended={"rate-1-run-0": ended})
        explore = ExploreFacts(failed_tasks={}, last_lines={}, ensemble=own, best=own, files=())
        select = SelectFacts(
            thresholds={}, counts={"accurate": 1, "candidate": 0, "failed": 0}, good_frames={"rate-1-run-0": 1},
            n_candidates=1, n_near_known=0, n_near_chosen=0, files=(),
            chosen=tuple(ChosenFrame(run="rate-1-run-0", step=step, uq=1.0) for step in chosen),
        )  # fmt: skip
        label = LabelFacts(n_chosen=0, n_labeled=0, n_failed=0, reasons={}, files=())
        train = RareEventsTrainFacts.model_construct(failed_members={}, n_data=10)
        found.append(
            Iteration.model_construct(
                initial=None if k else first, train=train, explore=explore, select=select, label=label
            )
        )
    return found


def stop(found: Any, patience: int = 2) -> str | None:
    return reason_to_stop(found, goal=1.0, patience=patience, steady=0.5)
