"""Accurate, candidate and failed frames of constructed runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnpal.active_learning.selection import classify, tally


def test_bounds_belong_to_the_class_below() -> None:
    found = classify([0.0, 1.0, 1.5, 2.0], 1.0, 2.0)
    assert found.accurate.tolist() == [0, 1]
    assert found.candidates.tolist() == [2, 3]
    assert found.failed.tolist() == []
    assert found.n_good == len(found) == 4


def test_what_follows_a_failed_frame_of_a_trajectory_has_failed() -> None:
    uq = [0.5, 1.5, 9.0, 0.5, 1.5]
    found = classify(uq, 1.0, 2.0)
    assert found.failed.tolist() == [2, 3, 4]
    assert found.n_good == 2
    assert found.counts() == {"accurate": 1, "candidate": 1, "failed": 3}
    apart = classify(uq, 1.0, 2.0, trajectory=False)
    assert apart.failed.tolist() == [2]
    assert apart.candidates.tolist() == [1, 4]
    assert apart.n_good == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_has_failed_though_there_is_no_upper_bound(value) -> None:
    found = classify([0.5, value, 5.0], 1.0, trajectory=False)
    assert found.failed.tolist() == [1]
    assert found.candidates.tolist() == [2]


def test_unsound_frames_have_failed() -> None:
    sound = np.array([True, False, True])
    assert classify([0.5, 0.5, 0.5], 1.0, sound=sound).failed.tolist() == [1, 2]
    assert classify([0.5, 0.5, 0.5], 1.0, sound=sound, trajectory=False).failed.tolist() == [1]


def test_run_that_fails_at_once_and_run_without_frames() -> None:
    assert classify([9.0, 0.1], 1.0, 2.0).n_good == 0
    empty = classify([], 1.0)
    assert len(empty) == empty.n_good == 0
    assert empty.counts() == {"accurate": 0, "candidate": 0, "failed": 0}


def test_runs_together() -> None:
    runs = [classify([0.5, 1.5, 9.0, 0.5], 1.0, 2.0), classify([0.5, 0.5, 0.5, 1.5], 1.0, 2.0)]
    counts = tally(runs)
    assert counts == {"accurate": 4, "candidate": 2, "failed": 2}
    assert tally([]) == {"accurate": 0, "candidate": 0, "failed": 0}


@pytest.mark.parametrize(
    ("uq", "lower", "upper", "sound", "message"),
    [
        ([0.5], -0.1, 1.0, None, "lower = -0.1"),
        ([0.5], math.nan, 1.0, None, "lower = nan"),
        ([0.5], math.inf, math.inf, None, "lower = inf"),
        ([0.5], 1.0, 1.0, None, "upper = 1.0, expected 0 <= lower < upper"),
        ([0.5], 1.0, math.nan, None, "upper = nan"),
        ([0.5, -0.5], 1.0, 2.0, None, r"uq\[1\] = -0.5, expected 0 or more"),
        ([[0.5]], 1.0, 2.0, None, r"shape \(1, 1\), expected \[n_frames\]"),
        ([0.5, 0.5], 1.0, 2.0, [True], r"sound is bool \(1,\), expected bool \(2,\)"),
        ([0.5, 0.5], 1.0, 2.0, [1, 0], "sound is int64"),
    ],
)
def test_bad_arguments(uq, lower, upper, sound, message) -> None:
    with pytest.raises(ValueError, match=message):
        classify(uq, lower, upper, sound=sound)
