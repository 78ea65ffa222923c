"""Thresholds of an uncertainty: μ + kσ of values that are in distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Estimator = Literal["moments", "robust"]
ESTIMATORS: tuple[Estimator, ...] = ("moments", "robust")

LEAST_VALUES = 30
"""With fewer values the relative error of σ exceeds 13 %."""


@dataclass(frozen=True)
class Threshold:
    """A threshold μ + kσ.

    Attributes:
        mean, deviation: μ and σ, in the units of the values.
        k: number of σ.
        n_values: number of values used.
        estimator: ``moments``: mean and standard deviation (population form); ``robust``: see :func:`threshold`.
    """

    mean: float
    deviation: float
    k: float
    n_values: int
    estimator: Estimator

    @property
    def value(self) -> float:
        """μ + kσ; configurations above it are new."""
        return self.mean + self.k * self.deviation


def least_values(k: float) -> int:
    """Return the smallest number of values for μ + kσ.

    None of n values is more than √(n − 1) σ above their mean: with fewer values, none of them could exceed the
    threshold.
    """
    return max(LEAST_VALUES, math.floor(k * k) + 2)


def threshold(
    values: ArrayLike, k: float, *, first: int | None = None, estimator: Estimator = "moments", name: str = "uq"
) -> Threshold:
    """Return μ + kσ of uncertainties.

    Jung et al. use k = 3 and the first 1000 steps of a run for rare events (``first=1000``), and k = 4 and the values
    of all atoms of a set for distillation (``first=None``).

    ``robust`` uses the median for μ and 1.4826 times the median absolute deviation for σ: equal to the moments for a
    normal distribution, and insensitive to a few outliers, which can raise the threshold of the moments above
    themselves. For an uncertainty, whose distribution has a long right tail, it is lower and finds more candidates.

    Arguments:
        values: uncertainties, any unit, [n]; for a run in the order of its steps.
        k: number of σ.
        first: number of values used, from the start; None: all.
        estimator: ``moments`` or ``robust``.
        name: name of the values in error messages.

    Raises:
        ValueError: k, ``first`` or ``estimator`` is out of range, there are too few values, or one is negative or not
            finite.
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
