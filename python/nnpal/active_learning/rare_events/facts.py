"""Facts of the stages of the loop of rare events."""

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
    """Error bars of an activation energy, eV.

    Attributes:
        statistical: standard error of the mean over a rate's pulls; None for one pull.
        members: activation energy under each member, along the ensemble's pulls; None if unknown.
        factor: calibration factor of the members' spread; None: the model file has none.
        undefined: reason why there is no error bar from the members, although they were evaluated.
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
    """Facts of pulls under one model.

    Attributes:
        activation_energy: rate in Å/ps -> mean activation energy, eV; None if a pull ended early.
        ended: name of the pull -> how it ended.
        n_frames: number of frames of all pulls.
        error_bars: rate -> error bars of the known activation energies; None in runs of earlier versions.
        by_run: rate -> activation energy of each pull, eV, in the order of their numbers; None for a pull that ended
            early or was given up. None as a whole in runs of earlier versions.
    """

    activation_energy: dict[str, float | None]
    ended: dict[str, str]
    n_frames: int
    error_bars: dict[str, ErrorBar] | None = None
    by_run: dict[str, tuple[float | None, ...]] | None = None


class NoiselessFacts(Part):
    """Facts of pulls without noise: rate, Å/ps, and activation energy of each, eV; None if it ended early."""

    rate: float
    activation_energy: tuple[float | None, ...]


class InitialFacts(LabeledFacts, TaskFacts):
    """Facts of the first data; ``oracle`` and ``n_unseen`` if there are pulls under the oracle."""

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
    """Errors on the oracle's pulls, of the members' mean and of the best member; None: no such configurations."""

    ensemble: Errors | None = Field(alias=MODEL)
    best: Errors | None = Field(alias=BEST)


class RareEventsTrainFacts(TrainFacts):
    unseen: UnseenErrors | None = None


class ExploreFacts(TaskFacts):
    """Facts of the pulls; ``oracle``: pulls under the oracle that this stage has added to the initial ones, if any."""

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
        """Return model -> facts of its pulls; ``second`` is the ensemble of [also_train]."""
        more = {"second": self.second, "oracle": self.oracle}
        return {"ensemble": self.ensemble, "best": self.best} | {k: own for k, own in more.items() if own is not None}


class ChosenFrame(Part):
    """A selected frame: its pull, step and uncertainty (units of ``explore.uq``; eV/Å with ``error_above``)."""

    run: str
    step: int
    uq: float


class SelectFacts(StageFacts):
    """Facts of the selection: thresholds and frames before the first failed one, by pull; classes; selected frames.

    With ``error_above`` (eV/Å) pulls have no individual thresholds. In addition to the frames selected by uncertainty
    there are ``n_peak`` frames around the largest forces, and ``n_displaced`` copies of them.
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
    """Uncertainty and error of each configuration before training on it: energies, eV/atom, and largest force, eV/Å."""

    energy_uq: tuple[float, ...]
    energy_error: tuple[float, ...]
    force_uq: tuple[float, ...]
    force_error: tuple[float, ...]


class StiffnessFacts(Part):
    """Stiffness against the displacement of each labeled copy, eV/Å², by the oracle and the model that selected it."""

    oracle: tuple[float, ...]
    model: tuple[float, ...]

    @property
    def bias(self) -> float:
        """Mean difference, model minus oracle, eV/Å²."""
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
    """Facts of the report: why the loop ends, and the largest |E_a - E_a(oracle)|."""

    reason: str | None
    largest_error_kcal_mol: float | None


class Iteration(IterationFacts):
    initial: InitialFacts | None = None
    train: RareEventsTrainFacts
    explore: ExploreFacts
    select: SelectFacts
    label: LabelFacts
