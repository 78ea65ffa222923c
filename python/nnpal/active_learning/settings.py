"""The tables of a loop's configuration file that other commands do not have."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nnpal.config import Section
from nnpal.data.settings import LimitsSettings
from nnpal.training.settings import EnsembleSettings

ONE_PULL = (
    "one pull a rate: no interval, so the aim, a 95 % interval of E_a - E_a(oracle) within ±rare_events.goal, cannot "
    "be reached; set explore.runs = 4 or so (2 at least), or explore.most_runs"
)
"""What a plan and a report say of ``explore.runs = 1``."""


class LoopLabelSection(Section):
    """[label]: how a loop labels; what it labels, it chooses itself."""

    batch: PositiveInt = Field(50, description="configurations of one task")
    threads: PositiveInt = Field(1, description="of each calculation (OMP_NUM_THREADS)")
    timeout: PositiveFloat | None = Field(None, description="seconds for one calculation; absent: no limit")
    max_failed: NonNegativeInt | None = Field(
        None,
        description="configurations of a stage that may stay without a label; one more ends the run; absent: all",
    )
    limits: LimitsSettings = Field(
        LimitsSettings(), description="labels outside are put aside, as training would refuse them"
    )


class LoopEnsembleSection(EnsembleSettings):
    """[ensemble] of a loop: each iteration inherits from the one before it."""

    @model_validator(mode="after")
    def _fit_together(self) -> LoopEnsembleSection:
        if self.seeds is not None:
            raise ValueError(f"seeds = {list(self.seeds)}: a loop draws them from run.seed, for each iteration anew")
        if self.previous is not None:
            raise ValueError(f"previous = {self.previous!r}: a loop's is the iteration before")
        return self

    def of_iteration(
        self, seed: int, folder: str, previous: str | None, *, starts_there: bool = False
    ) -> EnsembleSettings:
        """Return the settings of one training; the first has nothing to inherit.

        Arguments:
            seed, folder: of this training.
            previous: folder of the training before it.
            starts_there: whether members start from the weights of that one, too.
        """
        values = self.model_dump() | {"seed": seed, "folder": folder}
        if previous is None:
            values |= {"split": "random", "previous": None}
        elif self.split == "inherited" or starts_there:
            values["previous"] = previous
        return EnsembleSettings(**values)


class SimilaritySection(Section):
    """How candidates are thinned out: keys of [rare_events] and [distillation]."""

    k: PositiveFloat = Field(3.0, description="threshold of the uncertainty: mean + k standard deviations")
    estimator: Literal["moments", "robust"] = Field(
        "moments", description="of mean and deviation: moments, or robust (median and its absolute deviation)"
    )
    error_above: PositiveFloat | None = Field(
        None,
        description="eV/Å, in place of mean + k standard deviations: new is what has an atom whose calibrated error of "
        "the force is above it",
    )
    min_distance: PositiveFloat = Field(
        0.1, description="candidates nearer than this to known or chosen data, in AEV space, are no news"
    )
    order: Literal["distance", "uq", "random"] = Field(
        "distance",
        description="which candidate is next: the farthest from all others, or the most uncertain; random: the control "
        "experiment, as many drawn at random from all that was sampled, without threshold and near-duplicate filter",
    )

    @model_validator(mode="after")
    def _one_threshold(self) -> SimilaritySection:
        """Refuse keys of the other threshold, which would do nothing."""
        given = [key for key in ("k", "estimator", "first_steps") if key in self.model_fields_set]
        if self.error_above is not None and given:
            raise ValueError(
                f"error_above = {self.error_above:g}: it takes the place of mean + k standard deviations, to which "
                f"{', '.join(given)} belong; leave out one or the other"
            )
        return self

    @model_validator(mode="after")
    def _random_has_no_criteria(self) -> SimilaritySection:
        """Refuse criteria beside a random choice, which has none."""
        given = [key for key in ("k", "estimator", "error_above", "min_distance") if key in self.model_fields_set]
        if self.order == "random" and given:
            raise ValueError(
                f"order = 'random': {', '.join(given)} would do nothing, as random choice has neither threshold nor "
                "near-duplicate filter; leave out one or the other"
            )
        return self


class RareEventsSection(SimilaritySection):
    """[rare_events]: what is new along a pull, and when to stop."""

    first_steps: PositiveInt = Field(1000, description="steps of each pull that give mean and deviation")
    closest: PositiveFloat = Field(0.5, description="frames with atoms closer than this, Å, have failed")
    max_chosen: PositiveInt = Field(50, description="configurations chosen in one iteration, before augmentation")
    peak_share: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="fraction of the labels of an iteration reserved for frames around the largest spring force of "
        "each pull and for copies of them displaced along their softest modes; near-duplicates are not filtered there",
    )
    peak_before: PositiveFloat = Field(0.8, description="these frames begin this far before the largest force, Å of λ")
    peak_copies: NonNegativeInt = Field(1, description="number of displaced copies of each of these frames")
    peak_displacement: PositiveFloat = Field(0.15, description="largest displacement of an atom along one mode, Å")
    reference: bool = Field(
        True, description="whether the oracle pulls too: its activation energy is what the loop is held against"
    )
    unseen: PositiveInt = Field(
        6500, description="configurations of the oracle's pulls, at most, that errors are taken on and nothing learned"
    )
    goal: PositiveFloat = Field(
        1.0,
        description="kcal/mol: stop when the 95 % interval of E_a - E_a(oracle), a mean over pairs of pulls "
        "(explore.runs of 2 or more), lies within ± this at every rate ...",
    )
    patience: PositiveInt = Field(2, description="... in so many iterations one after another")
    steady: PositiveFloat = Field(
        0.5, description="kcal/mol: without a reference, stop when E_a moves less than this, as often as patience says"
    )

    def shares(self, budget: int | None, copies: int) -> tuple[int, int]:
        """Return how many configurations an iteration chooses at most: for their uncertainty, and around the peak.

        Each of the former has its noisy copies, each of the latter its displaced ones; all of them are labeled.

        Arguments:
            budget: [run] labels_per_iteration.
            copies: noisy ones of each configuration.
        """
        labels = self.max_chosen * (1 + copies)
        labels = labels if budget is None else min(labels, budget)
        n_peak = math.floor(self.peak_share * labels + 1e-9) // (1 + self.peak_copies)  # 0.1 of 30 is 3
        return (labels - n_peak * (1 + self.peak_copies)) // (1 + copies), n_peak

    @model_validator(mode="after")
    def _random_says_what_of_the_peak(self) -> RareEventsSection:
        """Refuse a control experiment half of whose labels would be chosen, unless that is meant."""
        if self.order == "random" and self.peak_share > 0 and "peak_share" not in self.model_fields_set:
            raise ValueError(
                f"order = 'random': {self.peak_share:g} of the labels would still be chosen around the largest force; "
                f"give peak_share = 0 for the control experiment, or peak_share = {self.peak_share:g} if that is meant"
            )
        return self


class DistillationSection(SimilaritySection):
    """[distillation]: sets, thresholds, and how an environment becomes a configuration."""

    k: PositiveFloat = Field(4.0, description="threshold of the atomic uncertainty: mean + k standard deviations")
    pools: Literal["sequential", "grid"] = Field(
        "sequential",
        description="what each iteration looks at: the next of `sets` parts of the sampling; or what an (O, H) grid "
        "deselected, from the coarsest (3.0) to the finest (0.02), after what the coarsest selected",
    )
    sets: PositiveInt = Field(10, description="sequential parts that the sampling is cut into")
    initial: Literal["all", "grid"] = Field(
        "all", description="what of the first set is learned: all of it, or one of each (O, H) cell"
    )
    delta_O: PositiveFloat = Field(3.0, description="of the grid of the first set")
    delta_H: PositiveFloat | None = Field(None, description="of the grids, eV; absent: O alone")
    reduction: Literal["cell", "cluster", "none"] = Field(
        "cell", description="environment of a chosen atom: a small periodic cell, a cluster, or the whole configuration"
    )
    radius: PositiveFloat = Field(3.5, description="Å around the chosen atom that is kept as it is")
    n_atoms: PositiveInt = Field(32, description="of a cell")
    max_chosen: PositiveInt = Field(500, description="configurations chosen in one iteration, from the second on")
    test: PositiveInt = Field(200, description="configurations of the sampling, labeled, that errors are taken on")


class TranslationSection(Section):
    """[translation]: a distilled set scaled to another metal."""

    source: str = Field(description="data set, or a run's folder, whose configurations are taken")
    symbols: dict[str, str] = Field(min_length=1, description='which element becomes which, e.g. {Ni = "Al"}')
    factor: PositiveFloat = Field(description="ratio of bond lengths, e.g. 2.86/2.41 of relaxed bcc Nb and Ni")
