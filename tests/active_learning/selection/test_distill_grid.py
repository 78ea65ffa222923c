"""Table S3's counting on constructed sets, and what holds of any."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.active_learning.selection.grid import DELTAS, grid_chain, occupied_cells


def test_first_of_each_occupied_cell() -> None:
    order = [0.1, 2.5, 0.9, 0.2, -0.1, 2.9]
    enthalpy = [-10.1, -10.1, -10.9, -11.2, -10.1, -12.5]
    # cells (0, -11), (2, -11), (0, -11), (0, -12), (-1, -11), (2, -13)
    selected, others = occupied_cells(order, enthalpy, 1.0, 1.0)
    assert (selected.tolist(), others.tolist()) == ([0, 1, 3, 4, 5], [2])
    selected, others = occupied_cells(order, None, 1.0, None)
    assert (selected.tolist(), others.tolist()) == ([0, 1, 4], [2, 3, 5])
    assert occupied_cells(order, enthalpy, 1.0, None)[0].tolist() == [0, 1, 4]


def test_cells_hold_their_lower_edge() -> None:
    selected, _ = occupied_cells([0.0, -0.0, 0.5, 1.0, 1.5, 2.0], None, 1.0, None)
    assert selected.tolist() == [0, 3, 5]


def test_chain_counts_as_the_table_does() -> None:
    # 0.01, 0.03, ...: one in each cell of 0.02, two or three in each of 0.05; two levels of enthalpy
    centers = 0.01 + 0.02 * np.arange(300)
    order = np.concatenate((centers, centers, centers))
    enthalpy = np.concatenate((np.full(300, 0.5), np.full(300, 0.6), np.full(300, 1.5)))
    levels = grid_chain(order, enthalpy, delta_H=1.0)
    # 6 in O divided by ΔO, twice; the last cell of 0.7 is not full
    expected = [600, 240, 120, 60, 30, 18, 4]
    assert [len(level.selected) for level in levels] == expected
    assert [len(level.deselected) for level in levels] == [300, 360, 120, 60, 30, 12, 14]
    assert [level.total for level in levels] == [900, *expected[:-1]]
    assert [level.delta_O for level in levels] == list(DELTAS)
    # of the cell from 3.5 on the level of 0.7 had kept 3.61; 3.01 went for 2.81, which is in the first cell of 3.0
    assert levels[-1].selected.tolist() == [0, 180, 600, 780]


def test_default_levels_are_those_of_the_table() -> None:
    assert DELTAS == (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 3.0)


@pytest.mark.parametrize("delta_H", [None, 0.3, 2.17])
@pytest.mark.parametrize("seed", range(5))
def test_what_holds_of_any_series(seed, delta_H) -> None:
    rng = np.random.default_rng(seed)
    order, enthalpy = rng.uniform(-5, 30, 700), rng.normal(-140, 8, 700)
    levels = grid_chain(order, enthalpy, delta_H=delta_H)
    before = np.arange(700)
    for level in levels:
        assert np.array_equal(np.union1d(level.selected, level.deselected), before)
        assert level.total == len(before)
        cells = np.floor(order / level.delta_O), np.floor(enthalpy / (delta_H or np.inf))
        keys = list(zip(*cells, strict=True))
        # one in each cell that was occupied, and none later than another of its cell
        chosen = {keys[i]: i for i in level.selected.tolist()}
        assert len(chosen) == len(level.selected)
        assert {keys[i] for i in before.tolist()} == set(chosen)
        assert all(chosen[keys[i]] < i for i in level.deselected.tolist())
        before = level.selected
    # nothing is lost: the last selected and all that was deselected
    parts = np.concatenate([levels[-1].selected, *(level.deselected for level in levels)])
    assert np.array_equal(np.sort(parts), np.arange(700))


def test_empty_series() -> None:
    assert [level.total for level in grid_chain([], [], delta_H=1.0)] == [0] * 7


@pytest.mark.parametrize(
    ("order", "enthalpy", "delta_O", "delta_H", "message"),
    [
        ([1.0], [1.0], 0.0, 1.0, "delta_O = 0.0, expected a finite number above 0"),
        ([1.0], [1.0], 1.0, -1.0, "delta_H = -1.0"),
        ([1.0], [1.0], np.nan, 1.0, "delta_O = nan"),
        ([1.0, np.nan], [1.0, 1.0], 1.0, 1.0, r"order\[1\] = nan"),
        ([1.0, 1.0], [np.inf, 1.0], 1.0, 1.0, r"enthalpy\[0\] = inf"),
        ([[1.0]], [1.0], 1.0, 1.0, r"order has shape \(1, 1\)"),
        ([1.0, 2.0], [1.0], 1.0, 1.0, "order has 2 values, enthalpy 1"),
        ([1.0], None, 1.0, 1.0, "delta_H = 1.0 without enthalpy"),
    ],
)
def test_bad_arguments(order, enthalpy, delta_O, delta_H, message) -> None:
    with pytest.raises(ValueError, match=message):
        occupied_cells(order, enthalpy, delta_O, delta_H)
    with pytest.raises(ValueError, match=message):
        grid_chain(order, enthalpy, delta_H=delta_H, deltas=[delta_O])


@pytest.mark.parametrize("deltas", [(), (0.1, 0.1), (3.0, 0.7)])
def test_levels_must_ascend(deltas) -> None:
    with pytest.raises(ValueError, match="the finest grid first"):
        grid_chain([1.0], [1.0], delta_H=1.0, deltas=deltas)
