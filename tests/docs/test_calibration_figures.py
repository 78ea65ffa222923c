"""What benchmarks/calibration_figures.py says of error bars that are right, too small, or in no order."""

from __future__ import annotations

import numpy as np
import pytest

N = 6000


@pytest.fixture
def figures(benchmark):
    return benchmark("calibration_figures")


@pytest.fixture
def exact(rng):
    """Errors drawn from sigmas of a wide distribution, and the sigmas."""
    sigma = 0.05 * np.exp(0.7 * rng.standard_normal(N))
    return rng.standard_normal((N, 3)) * sigma[:, None] / np.sqrt(3), sigma


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def kept(figures, error, sigma, kinds=None):
    own = figures.forces(figures.Errors(error, sigma, sigma))
    return {line.what: line.met for line in figures.promises(own, own, kinds or {"one": own})}


def test_an_exact_sigma_keeps_every_promise(figures, exact):
    assert all(kept(figures, *exact).values())


def test_its_figures_are_the_nominal_ones(figures, exact):
    found = figures.judged(*exact)
    assert found["coverage"] == pytest.approx([68, 90], abs=1)
    assert found["vector_coverage"] == pytest.approx([68, 90], abs=1.5)
    assert found["curve"] == pytest.approx(figures.CURVE, abs=0.01)
    assert found["rank_of_exact"] == pytest.approx(1, abs=0.02)
    assert found["force_rms"] == pytest.approx(1e3 * np.sqrt(np.square(exact[0]).sum(1).mean()))
    bars, true = np.transpose(found["tenths"])
    assert (np.diff(bars) > 0).all()
    assert true / bars == pytest.approx(found["tenth_ratios"])


def test_a_small_sigma_breaks_all_but_the_order(figures, exact):
    error, sigma = exact
    met = kept(figures, error, sigma / 2)
    assert {what for what, ok in met.items() if ok} == {what for what in met if "rank" in what}


def test_a_constant_sigma_has_no_order(figures, exact, rng):
    error, sigma = exact
    met = kept(figures, error, rng.permutation(sigma))
    assert not met["inside, rank correlation over that of an exact sigma"]
    assert not met["inside, ratio in each tenth"]


def test_one_bad_kind_is_enough(figures, exact):
    error, sigma = exact
    good, bad = (figures.forces(figures.Errors(error, sigma * factor, sigma)) for factor in (1.0, 0.6))
    lines = {line.what: line for line in figures.promises(good, good, {"good": good, "bad": bad})}
    assert lines["outside, coverage 90"].met
    assert not lines["outside, ratio of each kind"].met
    assert not lines["outside, coverage 90 of each kind"].met


def test_energies_without_an_error_bar_are_counted_and_not_judged(figures, rng):
    bars = np.concatenate([np.full(4000, 0.1), np.full(100, np.inf)])
    error = np.concatenate([0.1 * rng.standard_normal(4000), np.full(100, 50.0)])
    found = figures.energies(error, bars, np.full(4100, 10))
    assert (found["n"], found["given"]) == (4100, 4000)
    assert found["ratio"] == pytest.approx(1, abs=0.05)
    assert found["coverage"] == pytest.approx([68, 90], abs=2)
    assert found["given_rms"] == pytest.approx(10, rel=0.05)
    assert found["rms"] > 500
    assert "ratio" not in figures.energies(error[-100:], bars[-100:], np.full(100, 10))
