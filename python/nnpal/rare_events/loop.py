"""The stages of the loop and its stop rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.driver.training import TABLES
from nnpal.loop.stage import History, Stage
from nnpal.rare_events.explore import explore
from nnpal.rare_events.initial import initial
from nnpal.rare_events.judge import reason_to_stop
from nnpal.rare_events.label import label
from nnpal.rare_events.report import report
from nnpal.rare_events.select import select
from nnpal.rare_events.train import train

ORACLE = ("oracle", "oracle identity", "files", "label")
CHOICE = tuple(
    f"rare_events.{key}" for key in ("k", "estimator", "min_distance", "order", "first_steps", "closest", "max_chosen")
)
HOOKS = "nnpal.hooks"  # imported by LAMMPS, so by no module of the stages


class RareEvents:
    """See :class:`nnpal.loop.stage.Loop`.

    Arguments:
        base_folder: the configuration file's.
        goal, patience, steady: of [rare_events].
    """

    def __init__(self, base_folder: Path, *, goal: float, patience: int, steady: float) -> None:
        base = base_folder
        self._goal, self._patience, self._steady = goal, patience, steady
        self._first = Stage(
            "initial",
            lambda ctx: initial(ctx, base),
            (*ORACLE, "initial", "explore", "rare_events.reference", "rare_events.unseen", "augmentation"),
            ("nnpal.rare_events.initial", HOOKS),
        )
        self._stages = (
            Stage("train", train, TABLES, ("nnpal.rare_events.train",)),
            Stage(
                "explore",
                lambda ctx: explore(ctx, base),
                ("explore", "files"),
                ("nnpal.rare_events.explore", HOOKS),
            ),
            Stage(
                "select",
                select,
                (*CHOICE, "augmentation"),
                ("nnpal.rare_events.select",),
            ),
            Stage(
                "label",
                lambda ctx: label(ctx, base),
                (*ORACLE, "augmentation"),
                ("nnpal.rare_events.label",),
            ),
            Stage("report", report, (), ("nnpal.rare_events.report",), is_read=False),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return (self._first, *self._stages) if iteration == 0 else self._stages

    def stop(self, history: History) -> str | None:
        return reason_to_stop(history, self._goal, self._patience, self._steady)
