"""The stages of distillation, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.distillation.facts import DistillationTrainFacts, LabelFacts, SampleFacts, SelectFacts
from nnpal.active_learning.distillation.label_stage import label
from nnpal.active_learning.distillation.pools import n_pools
from nnpal.active_learning.distillation.report_stage import report
from nnpal.active_learning.distillation.sample_stage import sample
from nnpal.active_learning.distillation.select_stage import select
from nnpal.active_learning.distillation.train_stage import Crystals, train
from nnpal.active_learning.engine.stage import History, Stage
from nnpal.active_learning.sampling import IsobaricSection
from nnpal.active_learning.shared.facts import PageFacts
from nnpal.active_learning.shared.label_frames import Labeling
from nnpal.active_learning.shared.train_ensemble import FREE_KEYS, TABLES, Learning

ORACLE = ("oracle", "oracle identity", "label")
HOOKS = "nnpal.hooks"  # imported by LAMMPS, and so by no module of the stages


class Distillation:
    """A :class:`nnpal.active_learning.engine.stage.Loop` with one pool of configurations per iteration.

    Arguments:
        config: configuration with [distillation].
        base_folder: folder of the configuration file.
    """

    def __init__(self, config: RunConfig, base_folder: Path) -> None:
        section, sampling = config.distillation, config.explore
        if section is None or not isinstance(sampling, IsobaricSection):
            raise ValueError("[distillation] and [explore] with kind = 'momt' or 'npt': missing, expected both")
        labeling = Labeling(config.oracle, config.label, base_folder)
        learning = Learning(
            config.network, config.loss, config.training, config.ensemble, base_folder, config.also_train
        )
        crystals = Crystals.of(config, base_folder)
        self._n_pools = n_pools(section)
        self._first = Stage(
            "sample",
            lambda ctx: sample(ctx, labeling, sampling, section.test),
            (*ORACLE, "explore", "files", "distillation.test"),
            ("nnpal.active_learning.distillation.sample_stage", HOOKS),
            facts=SampleFacts,
        )
        self._stages = (
            Stage(
                "select",
                lambda ctx: select(ctx, section, config.run.labels_per_iteration),
                ("distillation",),
                ("nnpal.active_learning.distillation.select_stage",),
                facts=SelectFacts,
            ),
            Stage(
                "label",
                lambda ctx: label(ctx, labeling),
                ORACLE,
                ("nnpal.active_learning.distillation.label_stage",),
                facts=LabelFacts,
            ),
            Stage(
                "train",
                lambda ctx: train(ctx, learning, crystals),
                (*TABLES, "crystals"),
                ("nnpal.active_learning.distillation.train_stage",),
                facts=DistillationTrainFacts,
                free=FREE_KEYS,
            ),
            Stage(
                "report",
                lambda ctx: report(ctx, config.run, section, config.ensemble),
                (),
                ("nnpal.active_learning.distillation.report_stage",),
                is_read=False,
                facts=PageFacts,
            ),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return (self._first, *self._stages) if iteration == 0 else self._stages

    def stop(self, history: History) -> str | None:
        return f"all {self._n_pools} pools are distilled" if len(history) >= self._n_pools else None
