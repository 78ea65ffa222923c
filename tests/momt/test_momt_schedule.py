"""Wang-Landau learning on its own: when ln f falls, what decides, and that it finds a known density of states."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.hooks import HookError
from nnpal.momt.round_trips import RoundTrips
from nnpal.momt.schedule import Schedule, within_rim


def schedule(shape: tuple[int, ...] = (10,), **changes: object) -> Schedule:
    options: dict = {"ln_f": 0.4, "ln_f_end": 1e-4, "rule": "1/t", "flatness": 0.8, **changes}
    return Schedule(shape, **options)


def sweep(s: Schedule, bins: range | list[int], explored: bool = True) -> list[bool]:
    return [s.update([b], explored) for b in bins]


def test_flat_rule_halves_when_flat_and_not_before() -> None:
    s = schedule(rule="flat")
    for i in range(20):  # 200 updates, of which bin 9 gets 70 % of its share
        sweep(s, [b for b in range(10) if b != 9 or i % 10 < 7] + ([0] if i % 10 >= 7 else []))
    assert s.n_updates == 200
    assert s.ln_f == 0.4
    assert 0.6 < s.flatness < 0.8
    while s.ln_f == 0.4:
        sweep(s, range(10))
        assert s.n_updates < 2000
    assert s.ln_f == 0.2
    assert s.flatness >= 0.8
    assert s.flatness_visits.sum() < 10


def test_nothing_falls_before_the_walk_has_been_everywhere() -> None:
    s = schedule()
    sweep(s, list(range(10)) * 100, explored=False)
    assert s.ln_f == 0.4
    sweep(s, list(range(10)) * 20)
    assert s.ln_f < 0.4


def test_one_over_t() -> None:
    """ln f never rises, is halved at first, and then is n_visited / n_updates."""
    s = schedule(ln_f_end=1e-6)
    seen = []
    for _ in range(500):
        sweep(s, range(10))
        seen.append(s.ln_f)
    assert np.all(np.diff(seen) <= 0)
    assert s.falls_as_1_over_t
    assert s.ln_f == 10 / s.n_updates
    assert min(seen) >= min(10 / s.n_updates, 0.4), "never below 1/t"


def test_ln_f_does_not_fall_while_below_1_over_t() -> None:
    """Halving a small ln f early on would stop learning before it began."""
    s = schedule(ln_f=0.01)
    sweep(s, list(range(10)) * 50)
    assert s.n_visited / s.n_updates > 0.01
    assert s.ln_f == 0.01


def test_rare_bins_do_not_hold_learning_up() -> None:
    """One bin in eleven, seen once and never again; at one in five, the rule waits."""
    for n_often, falls in ((20, True), (4, False)):
        s = schedule((n_often + 1,))
        rare = n_often // 2  # between the others, so not the rim
        often = [b for b in range(n_often + 1) if b != rare]
        s.update([rare], True)
        sweep(s, often * (2000 // n_often))
        after_first = s.ln_f
        sweep(s, often * (2000 // n_often))
        assert (s.ln_f < after_first) is falls


def test_learning_ends() -> None:
    s = schedule(ln_f_end=0.05)
    steps = 0
    while not s.production:
        sweep(s, range(10))
        steps += 1
        assert steps < 1000
    assert s.ln_f < 0.05
    visits, ln_f = s.visits.copy(), s.ln_f
    assert sweep(s, range(10)) == [False] * 10
    np.testing.assert_array_equal(s.visits, visits)
    np.testing.assert_array_equal(s.production_visits[:3] > 0, True)
    assert s.ln_f == ln_f


def test_learning_ends_after_the_updates_asked_for() -> None:
    s = schedule(max_updates=33)
    assert [s.update([0], False) for _ in range(33)].index(True) == 32
    assert s.production


def test_points_outside_count_as_updates_alone() -> None:
    s = schedule()
    s.update([-1, 3], True)
    assert s.n_updates == 2
    assert s.visits.sum() == 1


def test_rim() -> None:
    visited = np.zeros((5, 6), dtype=bool)
    visited[1:4, 1:5] = True
    expected = np.zeros_like(visited)
    expected[2, 2:4] = True
    np.testing.assert_array_equal(within_rim(visited), expected)
    assert within_rim(np.ones((2, 3), dtype=bool)).all(), "the grid's own edge is no rim"
    np.testing.assert_array_equal(within_rim(np.array([True, True, False, True])), [True, False, False, False])


def test_state_to_the_bit() -> None:
    one = schedule((4, 5))
    rng = np.random.default_rng(1)
    walk = rng.integers(-1, 20, 3000).tolist()
    sweep(one, walk[:1500])
    two = schedule((4, 5))
    two.load_state_dict(one.state_dict())
    assert sweep(one, walk[1500:]) == sweep(two, walk[1500:])
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(two.state_dict()[name], value)
    assert two.n_visited == one.n_visited


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ln_f": 0.0}, "expected 0 < ln_f_end <= ln_f"),
        ({"ln_f": 1e-5}, "expected 0 < ln_f_end <= ln_f"),
        ({"rule": "2/t"}, "option schedule: expected 1/t or flat, found 2/t"),
        ({"flatness": 1.0}, "option flatness: expected a number between 0 and 1, found 1"),
    ],
)
def test_bad_options(changes: dict, message: str) -> None:
    with pytest.raises(HookError, match=message):
        schedule(**changes)


@pytest.mark.parametrize("rule", ["1/t", "flat"])
def test_finds_a_density_of_states(rule: str) -> None:
    """Two dice and more: a walk over sums of 6 dice, whose number of ways is known (0 to 30, 1 to 4332 ways)."""
    ways = np.array([1.0])
    for _ in range(6):
        ways = np.convolve(ways, np.ones(6))
    s = schedule((31,), ln_f=1.0, ln_f_end=2e-4, rule=rule)
    ln_g, ends = np.zeros(31), RoundTrips(8, 22)
    rng = np.random.default_rng(7)
    dice = rng.integers(0, 6, 6)
    draws = rng.uniform(size=400_000)
    which, faces = rng.integers(0, 6, 400_000), rng.integers(0, 6, 400_000)
    for u, i, face in zip(draws, which, faces, strict=True):
        old, new = int(dice.sum()), int(dice.sum() - dice[i] + face)
        if np.log(u) < ln_g[old] - ln_g[new]:
            dice[i], old = face, new
        ends.visit(old)
        if s.production:
            break
        ln_g[old] += s.ln_f
        s.update([old], ends.count > 0)
    difference = ln_g - np.log(ways)
    difference -= difference.mean()
    # ln g spans 8.4; Wang-Landau's error at ln f is about sqrt(ln f), 0.014 here and 0.03 after correlations
    assert np.abs(difference).max() < 0.25
    assert s.ln_f < 0.01


def test_round_trips() -> None:
    trips = RoundTrips(2.0, 16.0)
    for value in (5, 1, 10, 17, 20, 10, 17, 1, 0, 9, 16):
        trips.visit(value)
    assert trips.crossings == 3
    assert trips.count == 1
    other = RoundTrips(2.0, 16.0)
    other.load_state_dict(trips.state_dict())
    other.visit(1.0)
    assert other.count == 2
