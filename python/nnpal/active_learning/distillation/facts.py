"""Facts of the stages of distillation and translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nnpal.active_learning.engine.facts import Part, StageFacts
from nnpal.active_learning.shared.facts import (
    CandidateFacts,
    Errors,
    IterationFacts,
    LabeledFacts,
    TaskFacts,
    ThresholdFacts,
    TrainFacts,
)


class SampleFacts(TaskFacts):
    """Facts of the sampling: names of the runs that were read, and how they ended."""

    stage: ClassVar[str] = "sample"

    runs: tuple[str, ...]
    ended: dict[str, str]
    n_frames: int
    n_atoms: int
    n_test: int

    @property
    def endings(self) -> Mapping[str, str]:
        return self.ended


class ChosenAtom(Part):
    """A selected environment: its frame and atom, its uncertainty (eV; with ``error_above`` its error, eV/Å), and the
    radius that was kept (Å); None: everything."""

    frame: int
    atom: int
    uq: float | None
    preserved_radius: float | None


class SelectFacts(StageFacts):
    """Facts of the selection, with counts of atoms and environments if a model judged them.

    The threshold is ``threshold`` (eV) or ``error_above`` (eV/Å); neither in the first pool.
    """

    stage: ClassVar[str] = "select"

    n_pool: int
    threshold: ThresholdFacts | None
    counts: dict[str, int]
    chosen: tuple[ChosenAtom, ...]
    n_atoms_above: int | None = None
    n_environments: int | None = None
    n_near_known: int | None = None
    n_near_chosen: int | None = None
    error_above: float | None = None


class EnergyErrors(Part):
    """Uncertainty and error of the energy of each configuration before training on it, eV/atom."""

    energy_uq: tuple[float, ...]
    energy_error: tuple[float, ...]


class LabelFacts(CandidateFacts):
    stage: ClassVar[str] = "label"

    uq: EnergyErrors | None = None


class CrystalFacts(Part):
    """A relaxed crystal, see :class:`nnpal.evaluation.relax.Relaxed`; None: the relaxation failed."""

    bond: float | None
    energy: float | None
    volume: float | None
    pressure: float | None
    largest_force: float | None
    converged: bool
    phase: str


class CrystalsFacts(Part):
    """Crystals of one element, see :class:`nnpal.evaluation.RelaxComparison`."""

    model: dict[str, CrystalFacts]
    model_order: tuple[str, ...]
    notes: tuple[str, ...]
    oracle: dict[str, CrystalFacts]
    oracle_order: tuple[str, ...]
    right_order: bool
    bond_errors: tuple[float | None, ...]
    energy_errors: tuple[float | None, ...]
    summed_bond_error: float | None
    energy_error_spread: float | None
    trustworthy: bool


class DistillationTrainFacts(TrainFacts):
    """Facts of a training, with errors on the test set of the sampling, and crystals by element."""

    test: Errors | None
    crystals: dict[str, CrystalsFacts]


class Iteration(IterationFacts):
    sample: SampleFacts | None = None
    select: SelectFacts
    label: LabelFacts
    train: DistillationTrainFacts


class TranslatedFacts(LabeledFacts):
    """Facts of the labels of a translated dataset, and its number of configurations."""

    stage: ClassVar[str] = "label"

    n_source: int


class TranslationTrainFacts(TrainFacts):
    """Facts of a training, with self-energies of the elements (eV), and crystals by element."""

    self_energies: tuple[float, ...]
    crystals: dict[str, CrystalsFacts]


class TranslationFacts(IterationFacts):
    label: TranslatedFacts
    train: TranslationTrainFacts
