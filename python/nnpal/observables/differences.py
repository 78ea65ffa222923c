"""Differences of means with confidence intervals, for pairs with common noise or for two independent samples.

Sources: Student, Biometrika 6, 1 (1908), doi:10.1093/biomet/6.1.1; Welch, Biometrika 34, 28 (1947),
doi:10.1093/biomet/34.1-2.28, with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL = 0.95
"""Confidence level: fraction of intervals that contain the true difference."""


@dataclass(frozen=True)
class Difference:
    """Mean of one quantity minus that of another, in their unit.

    Attributes:
        mean: difference of the means.
        n: number of pairs, or of values of the smaller sample if unpaired.
        standard_error: standard error of the mean; None for a single pair.
        freedom: degrees of freedom of Student's t; None for a single pair.
        deviation: standard deviation (n - 1) of the pairs' differences; None for fewer than two pairs, or unpaired.
        correlation: Pearson correlation of the pairs; None as for ``deviation``, and if all values of one side are
            equal.
        paired: whether the samples are paired.
    """

    mean: float
    n: int
    standard_error: float | None = None
    freedom: float | None = None
    deviation: float | None = None
    correlation: float | None = None
    paired: bool = True

    def half_width(self, level: float = LEVEL) -> float | None:
        """Return the half-width of the two-sided confidence interval of the mean, or None if it is unknown.

        Arguments:
            level: confidence level, between 0 and 1.
        """
        if self.standard_error is None or self.freedom is None:
            return None
        return t_quantile(self.freedom, level) * self.standard_error

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the two-sided confidence interval of the mean, or None if it is unknown.

        Arguments:
            level: confidence level, between 0 and 1.
        """
        half = self.half_width(level)
        return None if half is None else (self.mean - half, self.mean + half)

    def bound(self, level: float = LEVEL) -> float | None:
        """Return |mean| + half-width, the largest magnitude in the interval, or None if it is unknown.

        Arguments:
            level: confidence level, between 0 and 1.
        """
        half = self.half_width(level)
        return None if half is None else abs(self.mean) + half

    def is_within(self, limit: float, level: float = LEVEL) -> bool:
        """Return whether the whole interval lies within ±limit; False if the interval is unknown.

        Arguments:
            limit: positive limit, in the unit of the mean.
            level: confidence level, between 0 and 1.
        """
        bound = self.bound(level)
        return bound is not None and bound <= limit

    def scaled(self, factor: float) -> Difference:
        """Return the difference in another unit.

        Arguments:
            factor: factor by which values are multiplied.
        """
        error, deviation = (
            None if value is None else factor * value for value in (self.standard_error, self.deviation)
        )
        return Difference(factor * self.mean, self.n, error, self.freedom, deviation, self.correlation, self.paired)

    def to_json(self) -> dict[str, Any]:
        """Return the difference with its 95 % interval, ready for JSON."""
        interval = self.interval()
        return {**asdict(self), "interval": None if interval is None else list(interval)}


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return Student's t at the ends of a two-sided interval of this level.

    Arguments:
        freedom: degrees of freedom.
        level: confidence level, between 0 and 1.
    """
    return float(stdtrit(freedom, 0.5 * (1.0 + level)))


def paired_difference(
    ours: Sequence[float] | NDArray[np.float64], theirs: Sequence[float] | NDArray[np.float64]
) -> Difference:
    """Return mean(ours - theirs) of paired samples, with n - 1 degrees of freedom.

    Arguments:
        ours, theirs: values in the same order, [n].

    Raises:
        ValueError: no pairs, or different lengths.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ValueError(f"pairs: {a.shape} and {b.shape} values, expected the same number of both, one or more")
    differences, n = a - b, len(a)
    mean = float(differences.mean())
    if n < 2:
        return Difference(mean, n)
    deviation = float(differences.std(ddof=1))
    vary = np.ptp(a) > 0.0 and np.ptp(b) > 0.0
    correlation = float(np.corrcoef(a, b)[0, 1]) if vary else None
    return Difference(mean, n, deviation / math.sqrt(n), n - 1.0, deviation, correlation)


def welch_difference(
    ours: Sequence[float] | NDArray[np.float64], theirs: Sequence[float] | NDArray[np.float64]
) -> Difference:
    """Return mean(ours) - mean(theirs) of two unpaired samples, with Welch's t.

    Arguments:
        ours, theirs: values, [n] and [m].

    Raises:
        ValueError: a sample without values.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if a.ndim != 1 or b.ndim != 1 or not len(a) or not len(b):
        raise ValueError(f"samples: {a.shape} and {b.shape} values, expected one or more of each")
    mean, n = float(a.mean() - b.mean()), min(len(a), len(b))
    if n < 2:
        return Difference(mean, n, paired=False)
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    total = float(parts.sum())
    # without any scatter the interval is a point, whatever the degrees of freedom
    freedom = float(total**2 / (parts**2 / [len(a) - 1, len(b) - 1]).sum()) if total > 0.0 else n - 1.0
    return Difference(mean, n, math.sqrt(total), freedom, paired=False)


def pairs_needed(deviation: float, half_width: float, level: float = LEVEL, most: int = 10_000) -> int | None:
    """Return the number of pairs for a confidence interval of at most ±``half_width``; None if more than ``most``.

    It is the smallest n with t(n - 1) sd / sqrt(n) <= half_width.

    Arguments:
        deviation: standard deviation of the pairs' differences.
        half_width: positive half-width, in the same unit.
        level: confidence level, between 0 and 1.
        most: largest number of pairs to consider.

    Raises:
        ValueError: the half-width is not positive.
    """
    if not half_width > 0.0:
        raise ValueError(f"half_width {half_width:g}: expected more than 0")
    low, high = 2, most  # t(n - 1)/sqrt(n) falls with n
    if not _reaches(high, deviation, half_width, level):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _reaches(middle, deviation, half_width, level) else (middle + 1, high)
    return low


def _reaches(n: int, deviation: float, half_width: float, level: float) -> bool:
    return t_quantile(n - 1.0, level) * deviation / math.sqrt(n) <= half_width
