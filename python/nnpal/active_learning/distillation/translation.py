"""Translation: a distilled dataset is scaled by the ratio of bond lengths and relabeled for another metal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.distillation.facts import TranslatedFacts, TranslationTrainFacts
from nnpal.active_learning.distillation.loop import ORACLE
from nnpal.active_learning.distillation.train_stage import Crystals
from nnpal.active_learning.distillation.translated import label, train
from nnpal.active_learning.distillation.translation_report import report
from nnpal.active_learning.engine.stage import History, Stage
from nnpal.active_learning.shared.facts import PageFacts
from nnpal.active_learning.shared.label_frames import Labeling
from nnpal.active_learning.shared.train_ensemble import FREE_KEYS, TABLES, Learning


class Translation:
    """A :class:`nnpal.active_learning.engine.stage.Loop` with one iteration, without sampling.

    Arguments:
        config: configuration with [translation].
        base_folder: folder of the configuration file.
    """

    def __init__(self, config: RunConfig, base_folder: Path) -> None:
        section = config.translation
        if section is None:
            raise ValueError("[translation]: missing, expected the table")
        labeling = Labeling(config.oracle, config.label, base_folder)
        learning = Learning(
            config.network, config.loss, config.training, config.ensemble, base_folder, config.also_train
        )
        crystals = Crystals.of(config, base_folder)
        self._stages = (
            Stage(
                "label",
                lambda ctx: label(ctx, labeling, section),
                (*ORACLE, "translation"),
                ("nnpal.active_learning.distillation.translated",),
                facts=TranslatedFacts,
            ),
            Stage(
                "train",
                lambda ctx: train(ctx, learning, crystals),
                (*TABLES, "crystals"),
                ("nnpal.active_learning.distillation.translated",),
                facts=TranslationTrainFacts,
                free=FREE_KEYS,
            ),
            Stage(
                "report",
                lambda ctx: report(ctx, section),
                (),
                ("nnpal.active_learning.distillation.translation_report",),
                is_read=False,
                facts=PageFacts,
            ),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return self._stages

    def stop(self, history: History) -> str | None:
        return "translated"
