"""The stages of distillation and its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.distillation.facts import DistillationTrainFacts, LabelFacts, SampleFacts, SelectFacts
from nnpal.distillation.label import label
from nnpal.distillation.pools import n_pools
from nnpal.distillation.report import report
from nnpal.distillation.sample import sample
from nnpal.distillation.select import select
from nnpal.distillation.train import Crystals, train
from nnpal.driver.config import RunConfig
from nnpal.driver.facts import PageFacts
from nnpal.driver.labels import Labelling
from nnpal.driver.training import TABLES, Learning
from nnpal.explore import MOMTSection
from nnpal.loop.stage import History, Stage

ORACLE = ("oracle", "oracle identity", "label")
HOOKS = "nnpal.hooks"  # imported by LAMMPS, so by no module of the stages


class Distillation:
    """See :class:`nnpal.loop.stage.Loop`: one pool of configurations each iteration.

    Arguments:
        config: the configuration, which has [distillation].
        base_folder: the configuration file's.
    """

    def __init__(self, config: RunConfig, base_folder: Path) -> None:
        section, sampling = config.distillation, config.explore
        if section is None or not isinstance(sampling, MOMTSection):
            raise ValueError("[distillation] and [explore] with kind = 'momt': missing, expected both")
        labelling = Labelling(config.oracle, config.label, base_folder)
        learning = Learning(config.network, config.loss, config.training, config.ensemble)
        crystals = Crystals.of(config, base_folder)
        self._n_pools = n_pools(section)
        self._first = Stage(
            "sample",
            lambda ctx: sample(ctx, labelling, sampling, section.test),
            (*ORACLE, "explore", "files", "distillation.test"),
            ("nnpal.distillation.sample", HOOKS),
            facts=SampleFacts,
        )
        self._stages = (
            Stage(
                "select",
                lambda ctx: select(ctx, section, config.run.labels_per_iteration),
                ("distillation",),
                ("nnpal.distillation.select",),
                facts=SelectFacts,
            ),
            Stage(
                "label",
                lambda ctx: label(ctx, labelling),
                ORACLE,
                ("nnpal.distillation.label",),
                facts=LabelFacts,
            ),
            Stage(
                "train",
                lambda ctx: train(ctx, learning, crystals),
                (*TABLES, "crystals"),
                ("nnpal.distillation.train",),
                facts=DistillationTrainFacts,
            ),
            Stage(
                "report",
                lambda ctx: report(ctx, config.run, section, config.ensemble),
                (),
                ("nnpal.distillation.report",),
                is_read=False,
                facts=PageFacts,
            ),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return (self._first, *self._stages) if iteration == 0 else self._stages

    def stop(self, history: History) -> str | None:
        return f"all {self._n_pools} pools are distilled" if len(history) >= self._n_pools else None
