"""The stages of distillation and its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.distillation.label import label
from nnpal.distillation.report import report
from nnpal.distillation.sample import sample
from nnpal.distillation.select import select
from nnpal.distillation.train import train
from nnpal.driver.training import TABLES
from nnpal.loop.stage import History, Stage

ORACLE = ("oracle", "oracle identity", "label")
HOOKS = "nnpal.hooks"  # imported by LAMMPS, so by no module of the stages


class Distillation:
    """See :class:`nnpal.loop.stage.Loop`: one pool of configurations each iteration.

    Arguments:
        base_folder: the configuration file's.
        n_pools: after so many iterations all pools have been looked at.
    """

    def __init__(self, base_folder: Path, *, n_pools: int) -> None:
        base = base_folder
        self._n_pools = n_pools
        self._first = Stage(
            "sample",
            lambda ctx: sample(ctx, base),
            (*ORACLE, "explore", "files", "distillation.test"),
            ("nnpal.distillation.sample", HOOKS),
        )
        self._stages = (
            Stage(
                "select",
                select,
                ("distillation",),
                ("nnpal.distillation.select",),
            ),
            Stage(
                "label",
                lambda ctx: label(ctx, base),
                ORACLE,
                ("nnpal.distillation.label",),
            ),
            Stage(
                "train",
                lambda ctx: train(ctx, base),
                (*TABLES, "crystals"),
                ("nnpal.distillation.train",),
            ),
            Stage("report", report, (), ("nnpal.distillation.report",), is_read=False),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return (self._first, *self._stages) if iteration == 0 else self._stages

    def stop(self, history: History) -> str | None:
        return f"all {self._n_pools} pools are distilled" if len(history) >= self._n_pools else None
