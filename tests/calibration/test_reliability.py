"""Coverage, tenths and ranks of errors that were drawn from a known sigma."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nnpal.calibration import coverage, reliability, reliability_curve

N = 40_000


@pytest.fixture(scope="module")
def exact() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    sigma = np.exp(rng.standard_normal(N))
    return sigma[:, None] / np.sqrt(3) * rng.standard_normal((N, 3)), sigma


def test_errors_of_exactly_this_sigma_are_reliable(exact):
    error, sigma = exact
    found = reliability(error, sigma)
    assert found.n_values == N
    assert found.ratio == pytest.approx(1.0, abs=0.03)
    assert found.coverage == pytest.approx((0.68, 0.90), abs=0.006)  # 120,000 components: 0.0014
    assert found.tenths == pytest.approx(np.ones(10), abs=0.05)  # 12,000 components each: 0.7 %
    assert found.rank == pytest.approx(found.exact_rank, abs=0.01)
    assert found.exact_rank < 0.95  # a perfect sigma does not rank perfectly


def test_a_sigma_that_is_too_small_covers_less(exact):
    error, sigma = exact
    found = reliability(error, sigma / 3)
    assert found.ratio == pytest.approx(3.0, rel=0.03)
    assert found.coverage[0] == pytest.approx(2 * norm.cdf(norm.ppf(0.84) / 3) - 1, abs=0.006)
    assert found.rank == pytest.approx(reliability(error, sigma).rank)


def test_a_sigma_without_order_ranks_nothing(exact):
    error, sigma = exact
    found = reliability(error, np.random.default_rng(2).permutation(sigma))
    assert abs(found.rank) < 0.02
    assert found.exact_rank > 0.5
    assert max(found.tenths) > 2 * min(found.tenths)


def test_energies_are_vectors_of_one_component(exact):
    rng = np.random.default_rng(3)
    error = rng.standard_normal((N, 1))
    assert coverage(error, np.ones(N), 0.68) == pytest.approx(0.68, abs=0.01)


def test_the_curve_is_the_diagonal(exact):
    error, sigma = exact
    levels = np.linspace(0.05, 0.95, 10)
    assert reliability_curve(error, sigma, levels) == pytest.approx(levels, abs=0.01)


def test_few_values_have_fewer_parts():
    found = reliability(np.ones((4, 3)), np.array([1.0, 2.0, 3.0, 4.0]))
    assert len(found.tenths) == 4
    assert found.to_json()["rank"] is None  # all errors are the same


@pytest.mark.parametrize(
    ("error", "sigma", "message"),
    [
        (np.ones((2, 3)), np.ones(3), r"error has shape \(2, 3\), sigma \(3,\)"),
        (np.ones(2), np.ones(2), "expected"),
        (np.ones((0, 3)), np.ones(0), "expected"),
        (np.ones((2, 3)), np.array([1.0, 0.0]), "sigma is not above 0"),
        (np.ones((2, 3)), np.array([1.0, np.inf]), "sigma is not above 0"),
    ],
)
def test_what_cannot_be_judged_is_refused(error, sigma, message):
    with pytest.raises(ValueError, match=message):
        reliability(error, sigma)
