"""Differences of means and their intervals, against answers that are known or drawn."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.observables import Difference, paired_difference, pairs_needed, t_quantile, welch_difference


def test_student_s_quantiles_are_those_of_the_tables():
    assert [t_quantile(n) for n in (1, 3, 10, 30)] == pytest.approx([12.706, 3.182, 2.228, 2.042], abs=1e-3)
    assert t_quantile(5, 0.9) == pytest.approx(2.015, abs=1e-3)


def test_the_paired_difference_of_a_textbook():
    """Student's own ten patients: hours of sleep gained with two drugs; mean difference 1.58, sd 1.23, t 4.06."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_difference(second, first)
    assert (found.mean, found.deviation, found.n, found.freedom) == (
        pytest.approx(1.58),
        pytest.approx(1.23, abs=1e-3),
        10,
        9,
    )
    assert found.mean / found.standard_error == pytest.approx(4.0621, abs=1e-4)
    assert found.interval() == pytest.approx((0.7001, 2.4599), abs=1e-4)
    assert found.correlation == pytest.approx(0.7952, abs=1e-4)
    # the same as if they did not pair
    apart = welch_difference(second, first)
    assert apart.mean / apart.standard_error == pytest.approx(1.8608, abs=1e-4)
    assert apart.freedom == pytest.approx(17.776, abs=1e-3)
    assert apart.interval() == pytest.approx((-0.2055, 3.3655), abs=1e-4)
    assert (apart.deviation, apart.correlation, apart.paired) == (None, None, False)


def test_one_pair_has_no_interval_and_is_within_nothing():
    found = paired_difference([3.0], [1.0])
    assert found == Difference(2.0, 1)
    assert (found.half_width(), found.interval(), found.bound()) == (None, None, None)
    assert not found.is_within(1e9)
    assert welch_difference([3.0], [1.0, 2.0]).half_width() is None
    for make in (paired_difference, welch_difference):
        with pytest.raises(ValueError, match="one or more"):
            make([], [])
    with pytest.raises(ValueError, match="the same number of both"):
        paired_difference([1.0, 2.0], [1.0])


def test_an_interval_lies_within_a_limit_with_both_of_its_ends():
    found = paired_difference([0.5, 0.3, 0.4], [0.0, 0.0, 0.0])
    half = 4.3027 * 0.1 / np.sqrt(3)
    assert found.half_width() == pytest.approx(half, rel=1e-4)
    assert found.correlation is None  # the oracle's do not vary
    assert found.is_within(0.4 + half + 1e-6)
    assert not found.is_within(0.4 + half - 1e-3)
    assert paired_difference([-0.5, -0.3, -0.4], [0.0] * 3).bound() == pytest.approx(found.bound())
    assert found.scaled(23.0).bound() == pytest.approx(23.0 * found.bound())


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    common = 3.0 * rng.normal(size=(4000, 6))  # noise that pairs share
    ours, theirs = common + rng.normal(0.7, 1.0, (4000, 6)), common + rng.normal(0.2, 0.5, (4000, 6))
    found = [paired_difference(a, b) for a, b in zip(ours, theirs, strict=True)]
    inside = np.mean([low <= 0.5 <= high for low, high in (one.interval() for one in found)])
    assert inside == pytest.approx(0.95, abs=0.012)  # three standard errors
    assert np.mean([one.half_width() for one in found]) < 0.4 * np.mean(
        [welch_difference(a, b).half_width() for a, b in zip(ours, theirs, strict=True)]
    )


@pytest.mark.parametrize(("deviation", "half"), [(1.3, 1.0), (1.3, 0.5), (6.67, 1.0), (0.01, 1.0), (2.9, 1.0)])
def test_the_pairs_needed_are_just_enough(deviation, half):
    n = pairs_needed(deviation, half)
    assert t_quantile(n - 1) * deviation / np.sqrt(n) <= half
    assert n == 2 or t_quantile(n - 2) * deviation / np.sqrt(n - 1) > half


def test_the_pairs_needed_count_t_s_wider_tails_and_have_an_end():
    assert pairs_needed(1.3, 1.0) == 9  # a normal distribution's 1.96 would say 7
    assert pairs_needed(1.0, 1e-3) is None
    with pytest.raises(ValueError, match="half_width 0: expected more than 0"):
        pairs_needed(1.0, 0.0)
