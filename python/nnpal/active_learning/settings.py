"""Tables of the configuration file that only `nnpal run` uses."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nnpal.config import Section
from nnpal.data.settings import LimitsSettings
from nnpal.training.settings import EnsembleSettings

ONE_PULL = (
    "one pull per rate: there is no confidence interval, so the goal, a 95 % interval of E_a - E_a(oracle) within "
    "±rare_events.goal, cannot be reached; set explore.runs to about 4 (at least 2), or set explore.most_runs"
)
"""Remark in the plan and the report for ``explore.runs = 1``."""


class LoopLabelSection(Section):
    """[label]: how configurations are labeled; the workflow selects them itself."""

    batch: PositiveInt = Field(50, description="number of configurations per task")
    threads: PositiveInt = Field(1, description="threads of each calculation (OMP_NUM_THREADS)")
    timeout: PositiveFloat | None = Field(None, description="time limit of one calculation, s; absent: no limit")
    max_failed: NonNegativeInt | None = Field(
        None,
        description="number of configurations of a stage that may remain without a label; more end the run; absent: "
        "no limit",
    )
    limits: LimitsSettings = Field(
        LimitsSettings(), description="labels outside these limits are excluded, because training would reject them"
    )


class LoopEnsembleSection(EnsembleSettings):
    """[ensemble] of `nnpal run`: each iteration inherits from the previous one."""

    @model_validator(mode="after")
    def _fit_together(self) -> LoopEnsembleSection:
        if self.seeds is not None:
            raise ValueError(
                f"seeds = {list(self.seeds)}: nnpal run derives new seeds from run.seed in each iteration; remove seeds"
            )
        if self.previous is not None:
            raise ValueError(f"previous = {self.previous!r}: nnpal run uses the previous iteration; remove the key")
        return self

    def of_iteration(
        self, seed: int, folder: str, previous: str | None, *, starts_there: bool = False
    ) -> EnsembleSettings:
        """Return the ensemble settings of one training; the first one inherits nothing.

        Arguments:
            seed, folder: seed and folder of this training.
            previous: folder of the previous training, None for the first one.
            starts_there: whether members also start from the weights of the previous training.
        """
        values = self.model_dump() | {"seed": seed, "folder": folder}
        if previous is None:
            values |= {"split": "random", "previous": None}
        elif self.split == "inherited" or starts_there:
            values["previous"] = previous
        return EnsembleSettings(**values)


class SimilaritySection(Section):
    """How candidates are selected: keys of [rare_events] and [distillation]."""

    k: PositiveFloat = Field(3.0, description="uncertainty threshold: mean + k standard deviations")
    estimator: Literal["moments", "robust"] = Field(
        "moments",
        description="estimator of mean and standard deviation: moments, or robust (median and median "
        "absolute deviation)",
    )
    error_above: PositiveFloat | None = Field(
        None,
        description="threshold of the calibrated force error, eV/Å, instead of mean + k standard deviations: a "
        "configuration is a candidate if the error of any atom exceeds it",
    )
    min_distance: PositiveFloat = Field(
        0.1, description="candidates closer than this, in AEV space, to existing or already selected data are skipped"
    )
    order: Literal["distance", "uq", "random"] = Field(
        "distance",
        description="which candidate is selected next; distance: the one farthest from all selected data; uq: the one "
        "with the largest uncertainty; random: the control experiment, the same number drawn at random from all "
        "samples, without threshold and near-duplicate filter",
    )

    @model_validator(mode="after")
    def _one_threshold(self) -> SimilaritySection:
        """Reject keys of the other threshold, which would have no effect."""
        given = [key for key in ("k", "estimator", "first_steps") if key in self.model_fields_set]
        if self.error_above is not None and given:
            raise ValueError(
                f"error_above = {self.error_above:g}: it replaces the threshold mean + k standard deviations, so that "
                f"{', '.join(given)} would have no effect; remove one or the other"
            )
        return self

    @model_validator(mode="after")
    def _random_has_no_criteria(self) -> SimilaritySection:
        """Reject selection criteria for a random selection, which uses none."""
        given = [key for key in ("k", "estimator", "error_above", "min_distance") if key in self.model_fields_set]
        if self.order == "random" and given:
            raise ValueError(
                f"order = 'random': {', '.join(given)} would have no effect, because random selection has neither "
                "threshold nor near-duplicate filter; remove one or the other"
            )
        return self


class RareEventsSection(SimilaritySection):
    """[rare_events]: selection of configurations along pulls, and the stopping criterion."""

    first_steps: PositiveInt = Field(
        1000, description="number of initial steps of each pull from which mean and standard deviation are computed"
    )
    closest: PositiveFloat = Field(0.5, description="frames with atoms closer than this, Å, are treated as failed")
    max_chosen: PositiveInt = Field(
        50, description="largest number of configurations selected in one iteration, before augmentation"
    )
    peak_share: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="fraction of the labels of an iteration reserved for frames around the largest spring force of "
        "each pull and for copies of them displaced along their softest modes; near-duplicates are kept there",
    )
    peak_before: PositiveFloat = Field(0.8, description="these frames start this far before the largest force, in λ, Å")
    peak_copies: NonNegativeInt = Field(1, description="number of displaced copies of each of these frames")
    peak_displacement: PositiveFloat = Field(0.15, description="largest displacement of an atom along one mode, Å")
    reference: bool = Field(
        True,
        description="also run pulls under the oracle; their activation energy is the reference of the stopping "
        "criterion",
    )
    unseen: PositiveInt = Field(
        6500, description="largest number of configurations from pulls under the oracle that form the held-out set"
    )
    goal: PositiveFloat = Field(
        1.0,
        description="goal of the run, kcal/mol: stop when the 95 % confidence interval of E_a - E_a(oracle), a mean "
        "over "
        "pairs of pulls (explore.runs of 2 or more), lies within ± this value at every rate, in `patience` iterations",
    )
    patience: PositiveInt = Field(
        2, description="number of consecutive iterations in which the stopping criterion must be met"
    )
    steady: PositiveFloat = Field(
        0.5,
        description="with reference = false: stop when E_a changes by less than this, kcal/mol, in `patience` "
        "iterations",
    )

    def shares(self, budget: int | None, copies: int) -> tuple[int, int]:
        """Return the largest numbers of configurations selected in an iteration: by uncertainty, and around the peak.

        The former have noisy copies and the latter displaced copies. All of them are labeled.

        Arguments:
            budget: [run] labels_per_iteration.
            copies: number of noisy copies of each configuration.
        """
        labels = self.max_chosen * (1 + copies)
        labels = labels if budget is None else min(labels, budget)
        n_peak = math.floor(self.peak_share * labels + 1e-9) // (1 + self.peak_copies)  # 0.1 of 30 is 3
        return (labels - n_peak * (1 + self.peak_copies)) // (1 + copies), n_peak

    @model_validator(mode="after")
    def _random_says_what_of_the_peak(self) -> RareEventsSection:
        """Reject a control experiment in which half of the labels would not be random, unless it is requested."""
        if self.order == "random" and self.peak_share > 0 and "peak_share" not in self.model_fields_set:
            raise ValueError(
                f"order = 'random': {self.peak_share:g} of the labels would still be selected around the largest "
                f"force; "
                f"set peak_share = 0 for the control experiment, or peak_share = {self.peak_share:g} if that is "
                f"intended"
            )
        return self


class DistillationSection(SimilaritySection):
    """[distillation]: pools of samples, thresholds, and how atomic environments become configurations."""

    k: PositiveFloat = Field(4.0, description="threshold of the atomic uncertainty: mean + k standard deviations")
    pools: Literal["sequential", "grid"] = Field(
        "sequential",
        description="pool of samples of each iteration; sequential: the next of `sets` parts of the sampling; grid: "
        "the "
        "samples that an (O, H) grid has not selected, from the coarsest grid (3.0) to the finest (0.02), after those "
        "that the coarsest grid has selected",
    )
    sets: PositiveInt = Field(10, description="number of sequential parts into which the sampling is divided")
    initial: Literal["all", "grid"] = Field(
        "all", description="initial training data from the first set: all configurations, or one per (O, H) grid cell"
    )
    delta_O: PositiveFloat = Field(3.0, description="spacing in O of the grid of the first set")
    delta_H: PositiveFloat | None = Field(None, description="spacing in H of the grids, eV; absent: grids in O only")
    reduction: Literal["cell", "cluster", "none"] = Field(
        "cell",
        description="how the environment of a selected atom is labeled: small periodic cell, cluster, or the "
        "whole configuration",
    )
    radius: PositiveFloat = Field(
        3.5, description="radius around the selected atom, Å, within which the structure is kept unchanged"
    )
    n_atoms: PositiveInt = Field(32, description="number of atoms in a cell")
    max_chosen: PositiveInt = Field(
        500, description="largest number of configurations selected in one iteration, from the second on"
    )
    test: PositiveInt = Field(
        200, description="number of sampled configurations that are labeled as the held-out test set"
    )


class TranslationSection(Section):
    """[translation]: a distilled dataset, scaled to another metal."""

    source: str = Field(description="dataset or run folder that provides the configurations")
    symbols: dict[str, str] = Field(min_length=1, description='replacement of elements, such as {Ni = "Al"}')
    factor: PositiveFloat = Field(
        description="scale factor of lengths: ratio of bond lengths, such as 2.86/2.41 for relaxed bcc Nb and Ni"
    )
