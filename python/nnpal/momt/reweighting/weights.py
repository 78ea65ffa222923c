"""From the sampled ensemble to another temperature and pressure, and whether the samples reach there."""

from __future__ import annotations

import numpy as np

from nnpal.momt.reweighting.blocks import time_blocks
from nnpal.momt.reweighting.samples import Samples

# Blocks of time (of 20) and rows that must carry an average, by Kish's measure, for its error to mean anything
MIN_BLOCKS, MIN_ROWS = 4.0, 20.0
# A distribution cut off where H was no longer sampled: in 50 bins of the sampled H, an outermost one with a tenth of
# the fullest one's weight
EDGE_BINS, EDGE_SHARE = 50, 0.1


def log_weights(samples: Samples, temp: float, press: float | None = None) -> np.ndarray:
    """Return ln w of each row for T and P, normalised so that Σ w = 1, [n].

    ln w = (H + δH)/kT0 - (U + P V)/kT + const.
    """
    log_w = samples.reduced_as_sampled() - samples.reduced(temp, press)
    return log_w - np.logaddexp.reduce(log_w)


def effective_size(log_w: np.ndarray) -> float:
    """Return Kish's effective number of rows, 1/Σ w² of normalised weights."""
    return float(np.exp(2 * np.logaddexp.reduce(log_w) - np.logaddexp.reduce(2 * log_w)))


def coverage_gap(samples: Samples, temp: float, press: float | None = None) -> str:
    """Return why the samples do not reach T and P, or an empty string."""
    log_w = log_weights(samples, temp, press)
    rows = effective_size(log_w)
    if rows < MIN_ROWS:
        return f"{rows:.1f} rows carry the average, expected {MIN_ROWS:g}"
    blocks = time_blocks(samples.walker)
    carried = effective_size(np.array([np.logaddexp.reduce(log_w[block]) for block in blocks]))
    if carried < MIN_BLOCKS:
        return f"{carried:.1f} of {len(blocks)} blocks of time carry the average, expected {MIN_BLOCKS:g}"
    weights, edges = np.histogram(samples.H, bins=EDGE_BINS, weights=np.exp(log_w - log_w.max()))
    for name, weight, edge in (("below", weights[0], edges[0]), ("above", weights[-1], edges[-1])):
        if weight > EDGE_SHARE * weights.max():
            return f"its distribution goes on {name} the sampled H, which ends at {edge:.6g}"
    return ""


def covered_range(samples: Samples, press: float | None = None) -> tuple[float, float] | None:
    """Return the lowest and highest temperature that the samples reach, to 1 % of T0; None if there is none."""
    temps = samples.temp * np.arange(0.2, 4.0, 0.01)
    covered = [t for t in temps if not coverage_gap(samples, float(t), press)]
    return (float(covered[0]), float(covered[-1])) if covered else None


def require_coverage(samples: Samples, temp: float, press: float | None = None) -> np.ndarray:
    """Return ln w, or say which temperatures the samples reach.

    Raises:
        ValueError: T is not above 0, or the samples do not reach it.
    """
    if not temp > 0:
        raise ValueError(f"temperature {temp:g}: expected a number above 0")
    gap = coverage_gap(samples, temp, press)
    if gap:
        covered = covered_range(samples, press)
        reach = f"they reach {covered[0]:.4g} to {covered[1]:.4g}" if covered else "they reach no temperature yet"
        raise ValueError(
            f"the samples do not reach temperature {temp:g}: {gap}; {reach}. Run on in production, or with a wider "
            "grid of H"
        )
    return log_weights(samples, temp, press)
