"""What stages of several loops have found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeVar

from pydantic import Field

from nnpal.active_learning.engine.facts import MANIFEST, Part, StageFacts
from nnpal.active_learning.engine.stage import History

MODEL, BEST = "model.nnp.pt", "best.nnp.pt"
"""Files of a training: all members, and the best alone."""
SECOND = "second"
"""Folder of the ensemble of [also_train], with files of the same names."""
MAE = Literal["energy_mae", "relative_energy_mae", "force_mae"]
Found = TypeVar("Found", bound="IterationFacts")


class TaskFacts(StageFacts):
    """Of a stage that runs LAMMPS in tasks.

    Attributes:
        failed_tasks: how tasks that were given up failed, by their folders.
        last_lines: of runs that a fault of the physics ended, by their folders.
    """

    failed_tasks: dict[str, str]
    last_lines: dict[str, tuple[str, ...]]

    @property
    def endings(self) -> Mapping[str, str]:
        """How each run ended, by its folder."""
        raise NotImplementedError


class LabeledFacts(StageFacts):
    """Of a stage that labels.

    Attributes:
        n_labeled: configurations with a label within the limits.
        n_failed: those without.
        reasons: why, and how often; the most frequent.
    """

    n_labeled: int = Field(alias="n_labelled")  # as files of earlier runs spell it
    n_failed: int
    reasons: dict[str, int]


class Errors(Part):
    """MAE of energies, energies but for their mean difference (eV/atom), and force components (eV/Å)."""

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
    """Of an ensemble that was trained on the same data and samples nothing.

    Attributes:
        kind: of its networks.
        members: that finished.
        failed_members: why others did not.
        validation: errors of its best member on its validation data.
        unseen: of all members on data that no model was trained on; None: there are no such data.
    """

    kind: str
    members: int
    failed_members: dict[str, str]
    validation: Errors
    unseen: Errors | None = None


class TrainFacts(StageFacts):
    """Of a training: configurations learned, members, and errors of the best on its own parts, eV/atom and eV/Å.

    Attributes:
        kind: of the networks.
        second: of [also_train]; None without that table.
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
    """μ + kσ: see :class:`nnpal.active_learning.selection.Threshold`."""

    mean: float
    deviation: float
    k: float
    n_values: int


class CoverageFacts(Part):
    """Reliability of error bars on newly labeled candidates, from the model that selected them, before training.

    Attributes:
        n_configurations, n_atoms: candidates, and their atoms that have an error bar.
        levels: nominal shares, such as 0.68 and 0.9.
        coverage: shares of force components within those intervals.
        ratio: root of the mean squared error over that of the errors expected.
        tenths: the ratio in each tenth of ``error_force``, from the smallest on.
        rank, exact_rank: rank correlation, and that of exact error bars of the same distribution.
        n_with_energy: configurations whose energy has an error bar.
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
        """Return one line for a reader."""
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
    """Of a stage that labels candidates; ``calibration`` where the model that chose them had error bars."""

    calibration: CoverageFacts | None = None


class PageFacts(StageFacts):
    """Of a report."""

    stage: ClassVar[str] = "report"


class IterationFacts(Part):
    """What the stages of an iteration have found, each under its name."""

    def stages(self) -> list[StageFacts]:
        """Return what each stage has found, in their order."""
        found = [getattr(self, name) for name in type(self).model_fields]
        return [facts for facts in found if isinstance(facts, StageFacts)]


def iterations(history: History, kind: type[Found], source: str = MANIFEST) -> list[Found]:
    """Return all iterations, of which every stage that others read is finished.

    Raises:
        nnpal.active_learning.engine.error.LoopError: what the manifest has is not what these stages find.
    """
    return [kind.from_json(stages, f"{source}: iteration {k}") for k, stages in enumerate(history)]
