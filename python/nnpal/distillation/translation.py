"""Translation: a distilled set, scaled by the ratio of bond lengths, becomes another metal's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.distillation.facts import TranslatedFacts, TranslationTrainFacts
from nnpal.distillation.loop import ORACLE
from nnpal.distillation.train import Crystals
from nnpal.distillation.translated import label, train
from nnpal.distillation.translation_report import report
from nnpal.driver.config import RunConfig
from nnpal.driver.facts import PageFacts
from nnpal.driver.labels import Labelling
from nnpal.driver.training import TABLES, Learning
from nnpal.loop.stage import History, Stage


class Translation:
    """See :class:`nnpal.loop.stage.Loop`: one iteration, without any sampling.

    Arguments:
        config: the configuration, which has [translation].
        base_folder: the configuration file's.
    """

    def __init__(self, config: RunConfig, base_folder: Path) -> None:
        section = config.translation
        if section is None:
            raise ValueError("[translation]: missing, expected the table")
        labelling = Labelling(config.oracle, config.label, base_folder)
        learning = Learning(config.network, config.loss, config.training, config.ensemble)
        crystals = Crystals.of(config, base_folder)
        self._stages = (
            Stage(
                "label",
                lambda ctx: label(ctx, labelling, section),
                (*ORACLE, "translation"),
                ("nnpal.distillation.translated",),
                facts=TranslatedFacts,
            ),
            Stage(
                "train",
                lambda ctx: train(ctx, learning, crystals),
                (*TABLES, "crystals"),
                ("nnpal.distillation.translated",),
                facts=TranslationTrainFacts,
            ),
            Stage(
                "report",
                lambda ctx: report(ctx, section),
                (),
                ("nnpal.distillation.translation_report",),
                is_read=False,
                facts=PageFacts,
            ),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return self._stages

    def stop(self, history: History) -> str | None:
        return "translated"
