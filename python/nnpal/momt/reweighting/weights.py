"""Weights for reweighting to another temperature and pressure, and checks that the samples cover it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.grid import Axis
from nnpal.momt.reweighting.blocks import time_blocks
from nnpal.momt.reweighting.samples import Samples

# Smallest effective numbers, by Kish's measure, of time blocks (of 20) and rows for a meaningful error
MIN_BLOCKS, MIN_ROWS = 4.0, 20.0
# A distribution is cut off if one of the outermost of 50 bins has this fraction of the fullest bin's weight. At an edge
# of the grid, 0.1 % of a normal distribution is then outside; its mean is off by 0.004 and its variance by 1 %. A
# tenth, allowed where the samples end, with few rows, corresponds to 1.6 %, 0.04 and 9 %.
EDGE_BINS, GRID_SHARE, SAMPLED_SHARE = 50, 0.01, 0.1


def log_weights(samples: Samples, temp: float, press: float | None = None) -> NDArray[np.float64]:
    """Return ln w of each row for T and P, normalized so that Σ w = 1, [n].

    ln w = (H + δH)/kT0 - (U + P V)/kT + const.

    Arguments:
        samples: production rows of a run.
        temp: temperature T, K (reduced in ``units lj``).
        press: pressure P, in the unit of the run; P0 by default.
    """
    log_w = samples.reduced_as_sampled() - samples.reduced(temp, press)
    return log_w - np.logaddexp.reduce(log_w)


def effective_size(log_w: NDArray[np.float64]) -> float:
    """Return Kish's effective number of rows, 1/Σ w² of normalized weights.

    Arguments:
        log_w: ln w of each row, normalized, [n].
    """
    return float(np.exp(2 * np.logaddexp.reduce(log_w) - np.logaddexp.reduce(2 * log_w)))


@dataclass(frozen=True)
class Gap:
    """The reason why samples do not cover a temperature, and a remedy."""

    reason: str
    remedy: str


_LONGER = "continue the production run"


def coverage_gap(samples: Samples, temp: float, press: float | None = None) -> Gap | None:
    """Return why the samples do not cover T and P, or None if they do.

    A cut-off distribution is checked first: few rows dominate its average too, but a longer run would not help.
    """
    log_w = log_weights(samples, temp, press)
    w = np.exp(log_w - log_w.max())
    by_grid = (_cut_off_by_grid(axis, getattr(samples, axis.name), w) for axis in samples.axes)
    gap = next((gap for gap in by_grid if gap), None) or _cut_off_where_samples_end(samples, w)
    return gap or carrying_gap(samples, log_w)


def carrying_gap(samples: Samples, log_w: NDArray[np.float64]) -> Gap | None:
    """Return a gap if few rows, or rows from few time blocks, dominate an average with these weights."""
    rows = effective_size(log_w)
    if rows < MIN_ROWS:
        return Gap(f"{rows:.1f} rows dominate the average, expected {MIN_ROWS:g}", _LONGER)
    blocks = time_blocks(samples.walker)
    carried = effective_size(np.array([np.logaddexp.reduce(log_w[block]) for block in blocks]))
    if carried < MIN_BLOCKS:
        return Gap(f"{carried:.1f} of {len(blocks)} time blocks dominate the average, expected {MIN_BLOCKS:g}", _LONGER)
    return None


def _cut_off_by_grid(axis: Axis, values: NDArray[np.float64], w: NDArray[np.float64]) -> Gap | None:
    """Return a gap if the distribution extends beyond the grid."""
    weights = np.histogram(values, bins=EDGE_BINS, range=(axis.low, axis.high), weights=w)[0]
    allowed = GRID_SHARE * weights.max()
    is_end_of_all = axis.name in ("O", "V") and axis.low <= 0  # O and V are never below 0
    for side, weight, edge in (
        ("below", 0.0 if is_end_of_all else weights[0], axis.low),
        ("above", weights[-1], axis.high),
    ):
        if weight > allowed:
            return Gap(
                f"its distribution extends {side} the grid of {axis.name}, which ends at {edge:.10g}",
                f"use a wider grid of {axis.name}",
            )
    return None


def _cut_off_where_samples_end(samples: Samples, w: NDArray[np.float64]) -> Gap | None:
    """Return a gap if the distribution extends beyond the H of all rows of the run."""
    weights, edges = np.histogram(samples.H, bins=EDGE_BINS, range=samples.ends, weights=w)
    # The row with the largest weight on each side is ignored: one may be there by chance, and the last one always is
    weights[0] -= w[edges[1] >= samples.H].max(initial=0.0)
    weights[-1] -= w[edges[-2] <= samples.H].max(initial=0.0)
    for side, weight, end in (("below", weights[0], edges[0]), ("above", weights[-1], edges[-1])):
        if weight > SAMPLED_SHARE * weights.max():
            return Gap(
                f"its distribution extends {side} the sampled H, which ends at {end:.10g}",
                _LONGER if samples.axes else f"{_LONGER}, or with a wider grid of H",
            )
    return None


def covered_range(samples: Samples, press: float | None = None) -> tuple[float, float] | None:
    """Return the lowest and highest temperature that the samples cover, to 1 % of T0, or None if there is none.

    Arguments:
        samples: production rows of a run.
        press: pressure P, in the unit of the run; P0 by default.
    """
    temps = samples.temp * np.arange(0.2, 4.0, 0.01)
    covered = [t for t in temps if coverage_gap(samples, float(t), press) is None]
    return (float(covered[0]), float(covered[-1])) if covered else None


def require_coverage(samples: Samples, temp: float, press: float | None = None) -> NDArray[np.float64]:
    """Return ln w, after checking that the samples cover T.

    Raises:
        ValueError: T is not above 0, or not covered; the message gives the covered range.
    """
    gap = coverage_gap(samples, temp, press)
    if gap:
        covered = covered_range(samples, press)
        reach = f"they reach {covered[0]:.4g} to {covered[1]:.4g}" if covered else "they reach no temperature yet"
        raise ValueError(
            f"the samples do not reach temperature {temp:g}: {gap.reason}; {reach}. To reach it, {gap.remedy}"
        )
    return log_weights(samples, temp, press)
