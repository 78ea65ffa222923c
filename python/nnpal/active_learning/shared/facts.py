"""Facts of stages that several loops share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

from pydantic import Field

from nnpal.active_learning.engine.facts import MANIFEST, Part, StageFacts
from nnpal.active_learning.engine.stage import History

MODEL, BEST = "model.nnp.pt", "best.nnp.pt"
"""Model files of a training: with all members, and with the best only."""
SECOND = "second"
"""Folder of the ensemble of [also_train], with files of the same names."""
MAE = Literal["energy_mae", "relative_energy_mae", "force_mae"]
Found = TypeVar("Found", bound="IterationFacts")


class TaskFacts(StageFacts):
    """Facts of a stage that runs LAMMPS in tasks.

    Attributes:
        failed_tasks: folder -> failure, for tasks that were given up.
        last_lines: folder -> last lines of output, for runs that ended by a failure of the physics.
    """

    failed_tasks: dict[str, str]
    last_lines: dict[str, tuple[str, ...]]

    @property
    def endings(self) -> Mapping[str, str]:
        """Folder -> how the run ended."""
        raise NotImplementedError


class LabeledFacts(StageFacts):
    """Facts of a stage that labels.

    Attributes:
        n_labeled: number of configurations with a label within the limits.
        n_failed: number of configurations without.
        reasons: most frequent reason -> number of occurrences.
    """

    n_labeled: int = Field(alias="n_labelled")  # spelling in files of earlier runs
    n_failed: int
    reasons: dict[str, int]


class Errors(Part):
    """MAE of energies, energies without their mean error (eV/atom), and force components (eV/Å)."""

    energy_mae: float
    relative_energy_mae: float
    force_mae: float

    def of(self, name: MAE) -> float:
        return {
            "energy_mae": self.energy_mae,
            "relative_energy_mae": self.relative_energy_mae,
            "force_mae": self.force_mae,
        }[name]


class SecondKindFacts(Part):
    """Facts of an ensemble that was trained on the same data but is not used for sampling.

    Attributes:
        kind: kind of its networks.
        members: members that finished.
        failed_members: reasons why the others did not.
        validation: errors of its best member on its validation set.
        unseen: errors of all members on held-out data; None: there are no such data.
    """

    kind: str
    members: int
    failed_members: dict[str, str]
    validation: Errors
    unseen: Errors | None = None


class TrainFacts(StageFacts):
    """Facts of a training: data, members, and errors of the best on its training and validation sets, eV/atom and eV/Å.

    Attributes:
        kind: kind of the networks.
        second: facts of [also_train]; None without that table.
    """

    stage: ClassVar[str] = "train"

    kind: str = "ani"
    second: SecondKindFacts | None = None

    n_data: int
    members: int
    failed_members: dict[str, str]
    best_member: int
    epochs: dict[str, int]
    train_energy_mae: float
    train_force_mae: float
    train_relative_energy_mae: float
    validation_energy_mae: float
    validation_force_mae: float
    validation_relative_energy_mae: float

    @property
    def training_errors(self) -> Errors:
        return Errors(
            energy_mae=self.train_energy_mae,
            relative_energy_mae=self.train_relative_energy_mae,
            force_mae=self.train_force_mae,
        )

    @property
    def validation_errors(self) -> Errors:
        return Errors(
            energy_mae=self.validation_energy_mae,
            relative_energy_mae=self.validation_relative_energy_mae,
            force_mae=self.validation_force_mae,
        )


class ThresholdFacts(Part):
    """The threshold μ + kσ, see :class:`nnpal.active_learning.selection.Threshold`."""

    mean: float
    deviation: float
    k: float
    n_values: int


class CoverageFacts(Part):
    """Reliability of error bars on newly labeled candidates, from the model that selected them, before training.

    Attributes:
        n_configurations, n_atoms: numbers of candidates, and of their atoms with an error bar.
        levels: nominal coverages, such as 0.68 and 0.9.
        coverage: fractions of force components within these intervals.
        ratio: root-mean-square of the true errors over that of the expected errors.
        tenths: ratio in each tenth of ``error_force``, from the smallest on.
        rank, exact_rank: rank correlation, and that of exact error bars with the same distribution.
        n_with_energy: number of configurations whose energy has an error bar.
    """

    n_configurations: int
    n_atoms: int
    levels: tuple[float, ...]
    coverage: tuple[float, ...]
    ratio: float
    tenths: tuple[float, ...]
    rank: float | None
    exact_rank: float | None
    n_with_energy: int

    def in_words(self) -> str:
        """Return the reliability as a line of text."""
        parts = [
            f"{100 * share:.0f} % within nominal {100 * level:.0f} %"
            for level, share in zip(self.levels, self.coverage, strict=True)
        ]
        return (
            f"error bars on {self.n_configurations} new configurations, before they are used for training: of force "
            f"components {', '.join(parts)}; "
            f"true over expected error {self.ratio:.2f}"
        )


class CandidateFacts(LabeledFacts):
    """Facts of a stage that labels candidates; with ``calibration`` if the model that selected them had error bars."""

    calibration: CoverageFacts | None = None


class PageFacts(StageFacts):
    """Facts of a report."""

    stage: ClassVar[str] = "report"


class IterationFacts(Part):
    """Facts of the stages of an iteration, by name."""

    def stages(self) -> list[StageFacts]:
        """Return the facts of each stage, in order."""
        found = [getattr(self, name) for name in type(self).model_fields]
        return [facts for facts in found if isinstance(facts, StageFacts)]


def iterations(history: History, kind: type[Found], source: str = MANIFEST) -> list[Found]:
    """Return the facts of all iterations whose stages that others read are finished.

    Raises:
        nnpal.active_learning.engine.error.LoopError: the manifest does not contain facts of these stages.
    """
    return [kind.from_json(stages, f"{source}: iteration {k}") for k, stages in enumerate(history)]
