"""The stages of the loop, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.engine.manifest import MANIFEST, history_of, read_manifest
from nnpal.active_learning.engine.stage import History, Stage
from nnpal.active_learning.rare_events.explore_stage import Sizing, explore
from nnpal.active_learning.rare_events.facts import (
    ExploreFacts,
    InitialFacts,
    Iteration,
    LabelFacts,
    RareEventsTrainFacts,
    ReportFacts,
    SelectFacts,
)
from nnpal.active_learning.rare_events.initial_stage import First, initial
from nnpal.active_learning.rare_events.judge import reason_to_stop
from nnpal.active_learning.rare_events.label_stage import label
from nnpal.active_learning.rare_events.report_stage import report
from nnpal.active_learning.rare_events.select_stage import Choice, select
from nnpal.active_learning.rare_events.train_stage import train
from nnpal.active_learning.sampling import SMDSection
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.settings import SimilaritySection
from nnpal.active_learning.shared.facts import iterations
from nnpal.active_learning.shared.label_frames import Labeling
from nnpal.active_learning.shared.train_ensemble import FREE_KEYS, TABLES, Learning

ORACLE = ("oracle", "oracle identity", "files", "label")
CHOICE = tuple(
    f"rare_events.{key}"
    for key in (*SimilaritySection.model_fields, "first_steps", "closest", "max_chosen", "peak_share", "peak_before",
                "peak_copies", "peak_displacement")
)  # fmt: skip
OF_MODELS = ("explore.max_uq", "explore.max_error", "explore.most_runs")
"""Keys for pulls under the ensemble and those that explorations add, without effect on the oracle's first pulls."""
HOOKS = "nnpal.hooks"  # imported by LAMMPS, and so by no module of the stages


def finished_iterations(run_folder: Path) -> list[Iteration]:
    """Return the facts of the iterations that are finished except for their reports, also of a run in progress.

    Raises:
        nnpal.active_learning.engine.error.LoopError: the folder contains another run.
    """
    found = read_manifest(run_folder).entries
    finished = {entry.iteration for entry in found if entry.stage == LabelFacts.stage}
    entries = [entry for entry in found if entry.iteration in finished and entry.stage != ReportFacts.stage]
    return iterations(history_of(entries), Iteration, str(run_folder / MANIFEST))


class RareEvents:
    """The :class:`nnpal.active_learning.engine.stage.Loop` of rare events.

    Arguments:
        config: configuration with [rare_events].
        base_folder: folder of the configuration file.
    """

    def __init__(self, config: RunConfig, base_folder: Path) -> None:
        section, dynamics, pulls, noise = config.rare_events, config.initial, config.explore, config.augmentation
        if section is None or dynamics is None or not isinstance(pulls, SMDSection):
            raise ValueError("[rare_events], [initial] and [explore] with kind = 'smd': missing, expected all of them")
        labeling = Labeling(config.oracle, config.label, base_folder)
        learning = Learning(
            config.network, config.loss, config.training, config.ensemble, base_folder, config.also_train
        )
        first = First(labeling, dynamics, pulls, section.unseen if section.reference else None, noise)
        copies = 0 if noise is None else noise.copies
        choice = Choice(section, pulls, *section.shares(config.run.labels_per_iteration, copies))
        sizing = None
        if section.reference and pulls.most_runs is not None and pulls.adds_runs:
            sizing = Sizing(OracleForces(config.oracle, base_folder), section.goal, pulls.most_runs)
        self._section = section
        self._first = Stage(
            "initial",
            lambda ctx: initial(ctx, first),
            (*ORACLE, "initial", "explore", "rare_events.reference", "rare_events.unseen", "augmentation"),
            ("nnpal.active_learning.rare_events.initial_stage", HOOKS),
            facts=InitialFacts,
            free=OF_MODELS,
        )
        self._stages = (
            Stage(
                "train",
                lambda ctx: train(ctx, learning),
                TABLES,
                ("nnpal.active_learning.rare_events.train_stage",),
                facts=RareEventsTrainFacts,
                free=FREE_KEYS,
            ),
            Stage(
                "explore",
                lambda ctx: explore(ctx, pulls, base_folder, sizing),
                ("explore", "files", *(() if sizing is None else ("rare_events.goal",))),
                ("nnpal.active_learning.rare_events.explore_stage", HOOKS),
                facts=ExploreFacts,
            ),
            Stage(
                "select",
                lambda ctx: select(ctx, choice),
                (*CHOICE, "augmentation"),
                ("nnpal.active_learning.rare_events.select_stage",),
                facts=SelectFacts,
            ),
            Stage(
                "label",
                lambda ctx: label(ctx, labeling, noise),
                (*ORACLE, "augmentation"),
                ("nnpal.active_learning.rare_events.label_stage",),
                facts=LabelFacts,
            ),
            Stage(
                "report",
                lambda ctx: report(ctx, config.run, section, pulls, config.ensemble),
                (),
                ("nnpal.active_learning.rare_events.report_stage",),
                is_read=False,
                facts=ReportFacts,
            ),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return (self._first, *self._stages) if iteration == 0 else self._stages

    def stop(self, history: History) -> str | None:
        section = self._section
        return reason_to_stop(iterations(history, Iteration), section.goal, section.patience, section.steady)
