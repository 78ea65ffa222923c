"""Thresholds of an uncertainty: μ + kσ of values that count as known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Estimator = Literal["moments", "robust"]
ESTIMATORS: tuple[Estimator, ...] = ("moments", "robust")

LEAST_VALUES = 30
"""Of fewer values σ is known to worse than 13 %."""


@dataclass(frozen=True)
class Threshold:
    """μ + kσ.

    Attributes:
        mean, deviation: μ and σ, in the units of the values.
        k: number of σ.
        n_values: values that they were taken from.
        estimator: ``moments``: mean and standard deviation (population form); ``robust``: see :func:`threshold`.
    """

    mean: float
    deviation: float
    k: float
    n_values: int
    estimator: Estimator

    @property
    def value(self) -> float:
        """μ + kσ; what lies above is new."""
        return self.mean + self.k * self.deviation


def least_values(k: float) -> int:
    """Return how many values μ + kσ needs.

    Of n values none lies more than √(n − 1) σ above their mean: with fewer nothing in them could be new.
    """
    return max(LEAST_VALUES, math.floor(k * k) + 2)


def threshold(
    values: ArrayLike, k: float, *, first: int | None = None, estimator: Estimator = "moments", name: str = "uq"
) -> Threshold:
    """Return μ + kσ of uncertainties.

    Jung et al. take k = 3 and the first 1000 steps of a run for rare events (``first=1000``), and k = 4 and the
    values of all atoms of a set for distillation (``first=None``).

    ``robust`` puts the median for μ and 1.4826 times the median absolute deviation for σ: the same as the moments for
    a normal distribution, and unmoved by any few outliers among the values, which raise the moments' threshold above
    themselves. Of an uncertainty, whose distribution has a tail to the right, it is lower and finds more.

    Arguments:
        values: uncertainties, any unit, [n]; for a run in the order of its steps.
        k: number of σ.
        first: how many values count, from the beginning; None takes all.
        estimator: ``moments`` or ``robust``.
        name: of the values, for errors.

    Raises:
        ValueError: k, ``first`` or ``estimator`` out of range, too few values, or one that is negative or not finite.
    """
    given = np.asarray(values, dtype=np.float64)
    if estimator not in ESTIMATORS:
        raise ValueError(f"threshold: estimator = {estimator!r}, expected {' or '.join(ESTIMATORS)}")
    if not (math.isfinite(k) and k > 0):
        raise ValueError(f"threshold: k = {k}, expected more than 0")
    if given.ndim != 1:
        raise ValueError(f"threshold: {name} has shape {given.shape}, expected one value after another, [n]")
    least = least_values(k)
    if first is not None and first < least:
        raise ValueError(f"threshold: first = {first}, expected {least} at least for k = {k:g}")
    if len(given) < (first or least):
        raise ValueError(
            f"threshold: {name} has {len(given)} values, expected {first or least} at least; "
            + ("run longer, or use fewer values" if first else "give more")
        )
    known = given[:first]
    wrong = np.flatnonzero(~(np.isfinite(known) & (known >= 0)))
    if len(wrong):
        raise ValueError(
            f"threshold: {name}[{wrong[0]}] = {known[wrong[0]]} and {len(wrong) - 1} more of the {len(known)} values "
            "that count as known, expected finite ones from 0 on; did the run fail where it should be in distribution?"
        )
    if estimator == "robust":
        from scipy.stats import median_abs_deviation  # slow to import

        mean, deviation = float(np.median(known)), float(median_abs_deviation(known, scale="normal"))
    else:
        mean, deviation = float(known.mean()), float(known.std())
    return Threshold(mean, deviation, float(k), len(known), estimator)
