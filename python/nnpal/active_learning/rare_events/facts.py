"""What the stages of the loop of rare events have found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from nnpal.active_learning.engine.facts import Part, StageFacts
from nnpal.active_learning.shared.facts import (
    BEST,
    MODEL,
    CandidateFacts,
    Errors,
    IterationFacts,
    LabeledFacts,
    PageFacts,
    TaskFacts,
    ThresholdFacts,
    TrainFacts,
)
from nnpal.observables import MembersEstimate


class ErrorBar(Part):
    """What an activation energy may be wrong by, eV.

    Attributes:
        statistical: standard error of the mean over a rate's pulls; None of one pull.
        members: the activation energy under each member, along the ensemble's pulls; None where it is not known.
        factor: calibration of the members' spread; None: the model file has none.
        undefined: why there is no error bar from the members, where they were evaluated.
    """

    statistical: float | None = None
    members: tuple[float, ...] | None = None
    factor: float | None = None
    undefined: str | None = None

    @property
    def of_members(self) -> float | None:
        """Error bar from the members: their standard deviation (1/M) times the factor."""
        if self.members is None:
            return None
        return float(MembersEstimate(np.array(self.members), "first order", factor=self.factor).error)


class PullFacts(Part):
    """Of pulls under one model.

    Attributes:
        activation_energy: eV, by rate in Å/ps; None if a pull ended early.
        ended: how, by the pull's name.
        n_frames: of all.
        error_bars: of the activation energies that there are, by rate; None in runs of earlier versions.
        by_run: activation energy of each pull, eV, by rate, in the order of the pulls' numbers; None of one that broke
            off or was given up. None as a whole in runs of earlier versions.
    """

    activation_energy: dict[str, float | None]
    ended: dict[str, str]
    n_frames: int
    error_bars: dict[str, ErrorBar] | None = None
    by_run: dict[str, tuple[float | None, ...]] | None = None


class NoiselessFacts(Part):
    """Of pulls without noise: rate, Å/ps, and activation energy of each, eV; None for one that ended early."""

    rate: float
    activation_energy: tuple[float | None, ...]


class InitialFacts(LabeledFacts, TaskFacts):
    """Of the first data; ``oracle`` and ``n_unseen`` where the oracle pulled."""

    stage: ClassVar[str] = "initial"

    n_frames: int
    ended: dict[str, str]
    pull_seed: int
    oracle: PullFacts | None = None
    noiseless: NoiselessFacts | None = None
    n_unseen: int | None = None

    @property
    def endings(self) -> Mapping[str, str]:
        return self.ended


class UnseenErrors(Part):
    """Errors on the oracle's pulls, of all members' mean and of the best; None: there are no such configurations."""

    ensemble: Errors | None = Field(alias=MODEL)
    best: Errors | None = Field(alias=BEST)


class RareEventsTrainFacts(TrainFacts):
    unseen: UnseenErrors | None = None


class ExploreFacts(TaskFacts):
    """Of the pulls; ``oracle``: those under the oracle that this stage has added to the initial ones, if any."""

    stage: ClassVar[str] = "explore"

    ensemble: PullFacts
    best: PullFacts
    second: PullFacts | None = None
    noiseless: NoiselessFacts | None = None
    oracle: PullFacts | None = None

    def pulls(self, who: str) -> PullFacts:
        return self._pulls()[who]

    @property
    def endings(self) -> Mapping[str, str]:
        return {f"{who}/{name}": how for who, pulls in self._pulls().items() for name, how in pulls.ended.items()}

    def _pulls(self) -> dict[str, PullFacts]:
        """Return them by whose they are; ``second`` is the ensemble of [also_train]."""
        more = {"second": self.second, "oracle": self.oracle}
        return {"ensemble": self.ensemble, "best": self.best} | {k: own for k, own in more.items() if own is not None}


class ChosenFrame(Part):
    """A frame: of which pull, at which step, its uncertainty (units of ``explore.uq``; eV/Å with ``error_above``)."""

    run: str
    step: int
    uq: float


class SelectFacts(StageFacts):
    """Of the choice: thresholds and frames before the first failed one, by pull; frames by class; what was chosen.

    With ``error_above`` (eV/Å) pulls have no thresholds of their own. Beside those chosen for their uncertainty there
    are ``n_peak`` frames around the largest forces, and ``n_displaced`` copies of them.
    """

    stage: ClassVar[str] = "select"

    thresholds: dict[str, ThresholdFacts | None]
    counts: dict[str, int]
    good_frames: dict[str, int]
    n_candidates: int
    n_near_known: int
    n_near_chosen: int
    chosen: tuple[ChosenFrame, ...]
    n_peak: int = 0
    n_displaced: int = 0
    error_above: float | None = None


class ErrorsByUncertainty(Part):
    """Of each configuration, before it was learned: energies in eV/atom, the largest of forces in eV/Å."""

    energy_uq: tuple[float, ...]
    energy_error: tuple[float, ...]
    force_uq: tuple[float, ...]
    force_error: tuple[float, ...]


class StiffnessFacts(Part):
    """Stiffness against the displacement of each labeled copy, eV/Å², by the oracle and by the model that chose it."""

    oracle: tuple[float, ...]
    model: tuple[float, ...]

    @property
    def bias(self) -> float:
        """Mean of the model's less the oracle's, eV/Å²."""
        return float(np.mean(np.subtract(self.model, self.oracle)))

    @property
    def mae(self) -> float:
        """Mean absolute difference, eV/Å²."""
        return float(np.mean(np.abs(np.subtract(self.model, self.oracle))))


class LabelFacts(CandidateFacts):
    stage: ClassVar[str] = "label"

    n_chosen: int
    uq: ErrorsByUncertainty | None = None
    stiffness: StiffnessFacts | None = None


class ReportFacts(PageFacts):
    """Of the report: why the loop ends, and the largest |E_a - E_a(oracle)|."""

    reason: str | None
    largest_error_kcal_mol: float | None


class Iteration(IterationFacts):
    initial: InitialFacts | None = None
    train: RareEventsTrainFacts
    explore: ExploreFacts
    select: SelectFacts
    label: LabelFacts
