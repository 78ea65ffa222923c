"""Walls of MOMT are the same whatever the bins are: an exactly solvable system, warnings about the time step, files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import momt_oscillators as oscillators
from momt_biases import write_function
from momt_oscillators import KT0, T0
from nnpal.hooks import HookError
from nnpal.momt import read_bias, read_trace
from nnpal.momt.bias_file import Walls
from nnpal.momt.grid import Axis
from nnpal.momt.reweighting import covered_range, from_traces, thermodynamics
from nnpal.momt.settings import choose_walls
from nnpal.momt.step_size import LEAST, WINDOW, StepSize
from nnpal.momt.trace import Trace

# False alarms in one of 15,000 normal deviates
SIGMAS = 4.0
N_BINS = (16, 50)  # 50: of 1 kT0


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Trace]:
    """Return traces of the oscillators by the number of bins."""
    folder = tmp_path_factory.mktemp("oscillators")
    for n_bins in N_BINS:
        oscillators.run(folder / f"{n_bins}.trace", n_bins, learn=60_000, steps=300_000)
    return {n_bins: read_trace(folder / f"{n_bins}.trace") for n_bins in N_BINS}


@pytest.mark.parametrize("n_bins", N_BINS)
@pytest.mark.parametrize("temp", [250.0, T0, 325.0])
def test_averages_are_right_with_any_bins(traces: dict[int, Trace], n_bins: int, temp: float) -> None:
    found = thermodynamics(from_traces(traces[n_bins]), temp)
    exact = {"enthalpy": oscillators.mean_enthalpy(temp), "heat_capacity": oscillators.N_DEGREES * oscillators.BOLTZ}
    for name, value in exact.items():
        estimate = getattr(found, name)
        assert estimate.error < 0.015 * value, "the test must be able to tell"
        assert abs(estimate.value - value) < SIGMAS * estimate.error, name


def test_range_of_temperatures_does_not_depend_on_the_bins(traces: dict[int, Trace]) -> None:
    (low_16, high_16), (low_50, high_50) = (covered_range(from_traces(traces[n])) for n in N_BINS)
    # To two of the steps of 1 % of T0 in which ranges are given
    assert low_50 == pytest.approx(low_16, abs=0.021 * T0)
    assert high_50 == pytest.approx(high_16, abs=0.021 * T0)
    assert low_16 < 250
    assert high_16 > 325


def test_walls_are_as_soft_with_any_bins(traces: dict[int, Trace]) -> None:
    """How far beyond the grid the walk goes, on average of the rows there."""
    depths = []
    for trace in traces.values():
        rows = (trace.phase == 1) & (trace.bin < 0)
        assert rows.sum() > 200
        beyond = np.maximum(oscillators.LOW - trace.H[rows], trace.H[rows] - oscillators.HIGH)
        depths.append(beyond.mean() / KT0)
    assert depths[1] == pytest.approx(depths[0], rel=0.25)  # rows come in visits of some 10: a tenth each
    assert 0.7 < depths[0] < 3


def test_rows_outside_are_left_out_and_counted(traces: dict[int, Trace]) -> None:
    trace = traces[50]
    samples = from_traces(trace)
    produced = trace.phase == 1
    assert samples.n_outside == np.count_nonzero(produced & (trace.bin < 0)) > 0
    np.testing.assert_array_equal(samples.step, trace.step[produced & (trace.bin >= 0)])
    assert oscillators.LOW <= samples.H.min() < samples.H.max() <= oscillators.HIGH
    assert samples.axes == trace.axes == (Axis("H", oscillators.LOW, oscillators.HIGH, 50),)
    with pytest.raises(
        ValueError, match=r"temperature 450: its distribution extends above the grid of H, .*use a wider grid of H"
    ):
        thermodynamics(samples, 450)


def test_walls_do_not_know_the_bins() -> None:
    for n_bins in (1, 40, 4000):
        h, o = choose_walls((Axis("H", -10.0, 30.0, n_bins), Axis("O", 0.0, 50.0, n_bins)), ("yes",), 0.1)
        assert h == Walls(low=True, high=True, energy=0.2, length=0.4, slope_is_limited=True)
        assert o == Walls(low=True, high=True, energy=0.2, length=1.0, slope_is_limited=False)


@pytest.mark.parametrize(
    ("strength", "length", "message"),
    [
        (float("nan"), 4, r"option wall_strength: expected a finite number above 0, 1e\+06 at most \(kT\), found nan"),
        (float("inf"), 4, "option wall_strength: .* found inf"),
        (0, 4, "option wall_strength: .* found 0"),
        (2, float("nan"), "option wall_length: .* found nan"),
        (2, -1, "option wall_length: .* found -1"),
        (
            3,
            3,
            "wall_strength 3 and wall_length 3: .* would reverse all forces; expected wall_strength below wall_length",
        ),
    ],
)
def test_walls_out_of_reason(strength: float, length: float, message: str) -> None:
    with pytest.raises(HookError, match=message):
        choose_walls((Axis("H", 0.0, 1.0, 4),), ("yes",), 0.1, strength, length)


def test_walls_of_the_first_format_keep_their_shape(tmp_path: Path) -> None:
    """Version 1 knew no length: a wall was as long as a bin."""
    axis = Axis("H", -10.0, 30.0, 20)
    path = write_function(tmp_path / "old.h5", (axis,), lambda h: 0 * h, temp=900, press=0, n_cells=None)
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 1
        attributes = file["axis/H"].attrs
        del attributes["wall_length"]
        attributes["wall_high"], attributes["wall_energy"] = True, 0.3
    old = read_bias(path)
    assert old.walls == (Walls(low=False, high=True, energy=0.3, length=2.0, slope_is_limited=False),)
    assert old.evaluate(H=34.0) == pytest.approx(0.5 * 0.3 * 2**2)


def moves(step_size: StepSize, sigma: float, n: int = WINDOW, *, jump: float = 0.0) -> list[str]:
    """Walk with normal moves, and now and then a jump; return what is said."""
    h, said = 0.0, []
    for step, move in enumerate(np.random.default_rng(1).normal(0, sigma, n)):
        h += move + (jump if step % 20 == 0 else 0.0)
        said += step_size.visit(step, (h, 0.0), 0.002)
    return said + step_size.complaints(0.002)


def one_axis(n_bins: int, *, has_walls: bool = True) -> StepSize:
    axes = (Axis("H", -10.0, 30.0, n_bins),)
    return StepSize(axes, choose_walls(axes, ("yes",) if has_walls else ("no",), 0.1), 0.1)


def test_time_step_too_long_for_the_wall() -> None:
    """kT0 = 0.1: e = 0.2, l = 0.4, so ω dt = √2 σ/0.4, and 10 steps a period are σ = 0.178."""
    assert moves(one_axis(40), 0.15) == []
    assert moves(one_axis(40), 0.15, jump=50.0) == [], "Monte Carlo moves are no time step's"
    (said,) = moves(one_axis(40), 0.25)
    assert "H moves by 0.25" in said or "H moves by 0.24" in said or "H moves by 0.26" in said
    assert "vibration against them takes 7." in said
    assert "expected at least 10. Use a timestep of at most 0.0014, a larger wall_length, or a smaller" in said
    assert moves(one_axis(40, has_walls=False), 0.25) == []


def test_bins_too_narrow_for_the_time_step() -> None:
    (said,) = moves(one_axis(400), 0.15)
    assert "farther than a bin of 0.1. Use at most 2" in said
    assert moves(one_axis(200), 0.15) == []


def test_each_warning_comes_once_and_not_from_a_few_moves() -> None:
    step_size = one_axis(400)
    assert moves(step_size, 0.25, LEAST) == []
    assert len(moves(step_size, 0.25)) == 2
    assert moves(step_size, 0.25) == []
