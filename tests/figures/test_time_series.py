"""Time series of samplings: what is drawn, and the numbers beside it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nnpal.figures.figure import write_figure
from nnpal.figures.time_series import MOST_SHOWN, TimeSeries, energy_series, enthalpy_order_series


def walk(label: str, n: int, learned: int = 0, order: float = 1.0) -> TimeSeries:
    time = 0.1 * np.arange(n)
    energy = -400.0 + np.sin(time)
    return TimeSeries(label, time, energy, energy + 0.5, np.full(n, order), np.arange(n) < learned)


def test_all_trajectories_stand_in_one_figure_with_their_learning(tmp_path: Path) -> None:
    runs = [walk("npt crystal", 30), walk("momt", 50, learned=20)]
    figure = energy_series(runs)
    assert "pale: while the bias is learned" in figure.caption
    assert "pale" not in energy_series(runs[:1]).caption
    files = write_figure(tmp_path, figure)
    with files.csv.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["npt crystal"] * 30 + ["momt"] * 50
    assert [int(row["learning"]) for row in rows] == [0] * 30 + [1] * 20 + [0] * 30
    assert float(rows[-1]["H_eV"]) - float(rows[-1]["U_eV"]) == pytest.approx(0.5)
    for path in files.paths:
        assert path.stat().st_size > 500


def test_long_series_are_thinned_from_end_to_end() -> None:
    (columns,) = [enthalpy_order_series([walk("long", 3 * MOST_SHOWN)]).columns]
    assert len(columns["time_ps"]) == MOST_SHOWN
    assert columns["time_ps"][[0, -1]] == pytest.approx([0.0, 0.1 * (3 * MOST_SHOWN - 1)])


def test_an_order_that_is_not_measured_and_no_series_at_all_are_drawn(tmp_path: Path) -> None:
    for k, runs in enumerate(([walk("npt", 5, order=np.nan)], [])):
        assert write_figure(tmp_path, enthalpy_order_series(runs, name=f"of_{k}")).png.is_file()


def test_columns_of_one_length() -> None:
    with pytest.raises(ValueError, match=r"time series short: lengths differ \(time 2, energy 1"):
        TimeSeries("short", *(np.zeros(n) for n in (2, 1, 2, 2, 2)))
