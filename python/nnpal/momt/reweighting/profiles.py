"""Free energy along the order parameter, density of states, and coexistence temperature of two phases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from nnpal.momt.reweighting.blocks import N_BLOCKS, Estimate, jackknife, time_blocks
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.reweighting.weights import log_weights, require_coverage

LEAST_ROWS = 20
"""Smallest number of rows on either side of the order parameter that divides two phases."""


@dataclass(frozen=True)
class Profile:
    """A function on bins with standard errors; NaN in bins without samples.

    Attributes:
        centers: centers of the bins, [n].
        value, error: value and standard error in each bin, [n].
    """

    centers: NDArray[np.float64]
    value: NDArray[np.float64]
    error: NDArray[np.float64]


def _checked(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError("edges of the bins: expected at least 2 finite numbers that grow")
    return edges


def _profile(
    x: NDArray[np.float64],
    log_w: NDArray[np.float64],
    edges: NDArray[np.float64],
    walker: NDArray[np.int64],
    n_blocks: int,
) -> Profile:
    """Return -ln of the weighted histogram, with minimum 0."""
    with np.errstate(invalid="ignore"):
        estimate = jackknife(minus_log_histogram(x, log_w, edges), time_blocks(walker, n_blocks))
    known = np.isfinite(estimate.value)
    value = np.where(known, estimate.value - estimate.value[known].min(), np.nan)
    # The blocks give no error for a bin that only one of them visited
    return Profile(0.5 * (edges[1:] + edges[:-1]), value, np.where(np.isfinite(estimate.error), estimate.error, np.nan))


def minus_log_histogram(
    x: NDArray[np.float64], log_w: NDArray[np.float64], edges: NDArray[np.float64]
) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a function of row indices, [m], for -ln of the weight in each bin, infinite in empty bins."""
    bins = np.digitize(x, edges) - 1
    inside = (bins >= 0) & (bins < len(edges) - 1)

    def minus_log(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        chosen = rows[inside[rows]]
        with np.errstate(divide="ignore"):
            shift = log_w[chosen].max()
            sums = np.bincount(bins[chosen], weights=np.exp(log_w[chosen] - shift), minlength=len(edges) - 1)
            return -np.log(sums / np.exp(log_w[rows] - shift).sum())

    return minus_log


def free_energy(
    samples: Samples,
    temp: float,
    edges: NDArray[np.float64] | None = None,
    press: float | None = None,
    n_blocks: int = N_BLOCKS,
) -> Profile:
    """Return F(O; T)/kT, with minimum 0 and standard errors: -ln of the weighted histogram of O.

    Source: Y. Yoshimoto, doi:10.1063/1.2363987.

    Arguments:
        samples: production rows with O.
        temp, press: T and P (P0 by default).
        edges: edges of the bins of O; by default 50 bins over the sampled range.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: T is not covered, O was not measured, or the edges do not increase.

    Example:
        >>> from nnpal import free_energy, from_traces, read_trace
        >>> profile = free_energy(from_traces(read_trace("momt.trace")), temp=900.0)
        >>> profile.centers.shape, profile.value.shape, profile.error.shape
        ((50,), (50,), (50,))
    """
    _require_order(samples)
    log_w = require_coverage(samples, temp, press)
    bins = order_edges(samples) if edges is None else _checked(edges)
    return _profile(samples.O, log_w, bins, samples.walker, n_blocks)


def order_edges(samples: Samples) -> NDArray[np.float64]:
    """Return the edges of 50 bins over the sampled range of O, [51]."""
    return np.linspace(samples.O.min(), samples.O.max() * (1 + 1e-9), 51)


def ln_omega(samples: Samples, edges: NDArray[np.float64], n_blocks: int = N_BLOCKS) -> Profile:
    """Return ln Ω(H) at P0 up to a constant (with maximum 0), with standard errors.

    Arguments:
        samples: production rows.
        edges: edges of the bins of H.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: the edges do not increase.
    """
    profile = _profile(samples.H, samples.reduced_as_sampled(), _checked(edges), samples.walker, n_blocks)
    return Profile(profile.centers, -profile.value, profile.error)


def dividing_order(samples: Samples, temp: float, press: float | None = None) -> float:
    """Return the O that divides two phases: the maximum of F(O; T) between its two deepest minima.

    A minimum counts if there are LEAST_ROWS rows on its side: with a few rows next to an empty bin, F is meaningless.

    Arguments:
        samples: production rows of a run, with O.
        temp: temperature T, K (reduced in ``units lj``).
        press: pressure P, in the unit of the run; P0 by default.

    Raises:
        ValueError: there are fewer than two minima.
    """
    _require_order(samples)
    edges = order_edges(samples)
    log_w = log_weights(samples, temp, press)
    with np.errstate(divide="ignore"):
        shift = log_w.max()
        f = -np.log(np.histogram(samples.O, bins=edges, weights=np.exp(log_w - shift))[0])
    seen = np.isfinite(f)
    f = np.where(seen, f, f[seen].max() + 1)  # empty bins count as the highest barrier
    deepest = int(np.argmin(f))
    depths = np.array(
        [f[min(deepest, j) : max(deepest, j) + 1].max() - f[j] if seen[j] else -np.inf for j in range(len(f))]
    )
    for other in np.argsort(-depths, kind="stable"):
        if depths[other] <= 0:
            break
        low, high = sorted((deepest, int(other)))
        barrier = f[low : high + 1]
        top = low + int(np.median(np.flatnonzero(barrier == barrier.max())))
        at = float(0.5 * (edges[top] + edges[top + 1]))
        above = int(np.greater(samples.O, at).sum())
        if min(above, len(samples) - above) >= LEAST_ROWS:
            return at
    raise ValueError(
        f"F(O) has one valley with {LEAST_ROWS} rows or more; sample both phases, or give the order parameter that "
        "divides them"
    )


def coexistence(
    samples: Samples, divide: float | None = None, press: float | None = None, n_blocks: int = N_BLOCKS
) -> Estimate:
    """Return the temperature at which the phases on either side of an order parameter are equally likely.

    Arguments:
        samples: production rows with O.
        divide: O that divides the phases, by default from F at T0; it hardly matters, as a barrier has no weight.
        press: pressure P; P0 by default.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: one phase was not sampled, or the temperature is not covered by the samples.
    """
    at = dividing_order(samples, samples.temp, press) if divide is None else divide
    require_two_phases(samples, at)
    root = balance(samples, at, press)
    blocks = time_blocks(samples.walker, n_blocks)
    require_coverage(samples, root(np.concatenate(blocks)), press)
    return jackknife(root, blocks)


def balance(samples: Samples, at: float, press: float | None = None) -> Callable[[NDArray[np.int64]], float]:
    """Return a function of row indices, [m], for the T at which O above and below `at` is equally likely."""
    ordered = np.greater(samples.O, at)
    as_sampled, at_beta_1 = samples.reduced_as_sampled(), samples.reduced(1.0 / samples.boltz, press)

    def log_odds(temp: float, rows: NDArray[np.int64]) -> float:
        log_w = as_sampled[rows] - at_beta_1[rows] / (samples.boltz * temp)
        side = ordered[rows]
        return float(np.logaddexp.reduce(log_w[side]) - np.logaddexp.reduce(log_w[~side]))

    def root(rows: NDArray[np.int64]) -> float:
        low = high = samples.temp
        for _ in range(60):
            low, high = low / 1.02, high * 1.02
            if log_odds(low, rows) * log_odds(high, rows) <= 0:
                return float(brentq(log_odds, low, high, args=(rows,), xtol=1e-10 * samples.temp))
        raise ValueError(
            f"no temperature within a factor of 3 of {samples.temp:g} makes the two sides of O = {at:g} equal; "
            "give another divide"
        )

    return root


def require_two_phases(samples: Samples, at: float) -> NDArray[np.bool_]:
    """Return which rows are above O = `at`, [n].

    Raises:
        ValueError: O was not measured, `at` is not finite, or all rows are on one side of it.
    """
    _require_order(samples)
    if not np.isfinite(at):
        raise ValueError(f"divide {at:g}: expected a finite order parameter between the phases")
    ordered: NDArray[np.bool_] = np.greater(samples.O, at)
    if ordered.all() or not ordered.any():
        raise ValueError(f"no samples on one side of O = {at:g}; sample both phases, or give another divide")
    return ordered


def _require_order(samples: Samples) -> None:
    if np.isnan(samples.O).any():
        raise ValueError("the order parameter was not measured; run MOMT with lattice or reciprocal")
