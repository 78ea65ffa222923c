"""Thresholds μ + kσ, and the atoms above one, on values with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.active_learning.selection import threshold

HALVES = np.tile([1.0, 3.0], 50)  # mean 2, standard deviation 1


def test_moments_of_two_values() -> None:
    found = threshold(HALVES, 4)
    assert (found.mean, found.deviation, found.k, found.n_values, found.estimator) == (2.0, 1.0, 4.0, 100, "moments")
    assert found.value == 6.0


def test_only_the_first_count_as_known() -> None:
    run = np.concatenate((HALVES, np.full(50, 100.0)))
    assert threshold(run, 3, first=100) == threshold(HALVES, 3)
    assert threshold(run, 3).value > 100.0
    # what comes after may have failed
    run[-1] = np.nan
    assert threshold(run, 3, first=100).value == 5.0


def test_robust_estimator_of_a_ladder() -> None:
    # median of 0..100 is 50, median of |x - 50| is 25
    found = threshold(np.arange(101.0), 3, estimator="robust")
    assert found.mean == 50.0
    assert found.deviation == pytest.approx(1.4826 * 25.0, rel=1e-5)


def test_outliers_move_the_moments_and_leave_the_robust_estimate() -> None:
    sound = np.abs(np.random.default_rng(1).normal(1.0, 0.1, 1000))
    with_outliers = np.concatenate((sound, np.full(120, 5.0)))  # more than a tenth, so within 3σ
    moments, robust = (threshold(with_outliers, 3, estimator=estimator) for estimator in ("moments", "robust"))
    assert robust.value < 1.4
    assert moments.value > 5.0  # none of the outliers is above it


def test_robust_is_the_moments_of_a_normal_distribution() -> None:
    normal = np.random.default_rng(2).normal(10.0, 1.0, 40_000)
    moments, robust = (threshold(normal, 3, estimator=estimator) for estimator in ("moments", "robust"))
    # standard errors of median and of the median deviation: 1.25/√n and 1.17/√n; four of both, threefold in μ + 3σ
    assert robust.value == pytest.approx(moments.value, abs=4 * np.hypot(1.25, 3 * 1.17) / 200)


def test_least_number_of_values_lets_one_be_new() -> None:
    # One outlier of n values is sqrt(n - 1) σ above the mean, so with n = k² + 2 just above μ + kσ
    values = np.zeros(102)
    values[-1] = 1.0
    assert threshold(values, 10).value < 1.0
    with pytest.raises(ValueError, match="uq has 101 values, expected 102 at least; give more"):
        threshold(values[1:], 10)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (HALVES, {"k": 0}, "k = 0, expected more than 0"),
        (HALVES, {"k": np.nan}, "k = nan"),
        (HALVES, {"k": 3, "estimator": "mean"}, "estimator = 'mean', expected moments or robust"),
        (HALVES, {"k": 3, "first": 29}, "first = 29, expected 30 at least for k = 3"),
        (HALVES, {"k": 3, "first": 101}, "uq has 100 values, expected 101 at least; run longer"),
        (HALVES[:29], {"k": 3}, "uq has 29 values, expected 30 at least; give more"),
        (HALVES.reshape(2, 50), {"k": 3}, r"uq has shape \(2, 50\)"),
        (np.r_[HALVES, -1.0], {"k": 3}, r"uq\[100\] = -1.0 and 0 more of the 101"),
        (np.r_[np.nan, HALVES, np.inf], {"k": 3, "name": "uq_force"}, r"uq_force\[0\] = nan and 1 more of the 102"),
    ],
)
def test_bad_arguments_of_threshold(values, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        threshold(values, **options)
