"""True error of newly labeled configurations against their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import BLUE, DOTS, MILLI, RED, column_name, log_axis, same_length, say_empty

UNITS = {"energy": "meV/atom", "force": "meV/Å"}
PLOTTED = {
    "energy": "the deviation of the energy per atom over the members",
    "force": "the largest deviation of an atom's force over the members",
}
SMALLEST_SHARE = 1e-4
"""Fraction of the largest value; smaller values are drawn at the edge of the axis."""


def uq_against_error(
    uq: ArrayLike,
    error: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    quantity: str = "energy",
    name: str = "uq_against_error",
) -> Figure:
    """Return a figure of |error| against uncertainty, of the model before it was trained on the configurations.

    Arguments:
        uq: uncertainty, eV/atom (eV/Å for forces), [n].
        error: error of the ensemble mean against the label, of any sign, same units, [n]. For forces, error and
            uncertainty are the largest of any atom in each configuration.
        groups: group of each value, such as its iteration; the last is drawn in full color, the others in gray.
        quantity: "energy" or "force".
        name: file name without suffix.

    Raises:
        ValueError: an unknown quantity, or different lengths.
    """
    if quantity not in UNITS:
        raise ValueError(f"{name}: quantity = {quantity!r}, expected {' or '.join(UNITS)}")
    unit = UNITS[quantity]
    told, true = MILLI * np.asarray(uq, dtype=np.float64), MILLI * np.abs(np.asarray(error, dtype=np.float64))
    labels = np.asarray([""] * len(told) if groups is None else groups, dtype=str)
    same_length(name, uq=told, error=true, groups=labels)
    good = np.isfinite(told) & np.isfinite(true)
    rank = rank_correlation(told[good], true[good])
    told_rank = "not known" if np.isnan(rank) else f"{rank:.2f}"
    names = list(dict.fromkeys(labels.tolist()))

    def draw(axes: Axes) -> None:
        if not good.any():
            say_empty(axes)
            return
        shown = [np.maximum(values, max(SMALLEST_SHARE * values[good].max(), 1e-9)) for values in (told, true)]
        for side, values in zip("xy", shown, strict=True):
            log_axis(axes, side, values[good])
        limits = axes.get_xlim(), axes.get_ylim()
        for k, group in enumerate(names):
            own = good & (labels == group)
            color, alpha = (BLUE, 0.8) if k == len(names) - 1 else ("0.6", 0.5)
            label = group if k == len(names) - 1 else "before" if k == 0 else None
            axes.plot(shown[0][own], shown[1][own], color=color, alpha=alpha, markersize=5, label=label, **DOTS)
        axes.axline((1.0, 1.0), (10.0, 10.0), color=RED, linestyle="--", linewidth=0.8, label="error = uncertainty")
        axes.set(xlim=limits[0], ylim=limits[1])
        axes.set(xlabel=f"uncertainty ({unit})", ylabel=f"true {quantity} error ({unit})")
        axes.set_title(f"rank correlation {told_rank}, n = {good.sum()}", fontsize=9)
        axes.legend(loc="best")

    left_out = len(good) - int(good.sum())
    return Figure(
        name=name,
        title=f"Uncertainty against true {quantity} error",
        caption=f"True {quantity} error of newly labeled configurations over {PLOTTED[quantity]}, "
        "before they were used for training. The rank correlation (Spearman's) is 1 if a larger uncertainty always "
        "means a larger error." + (f" {left_out} without finite values are omitted." if left_out else ""),
        alt=f"Rank correlation {told_rank} over {good.sum()} values",
        columns={"group": labels.tolist(), f"uq_{column_name(unit)}": told, f"error_{column_name(unit)}": true},
        draw=draw,
    )


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Return Spearman's rank correlation; NaN for fewer than three values, or if one side is constant."""
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if len(first) < 3 or np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return float("nan")
    from scipy.stats import spearmanr  # slow to import

    return float(spearmanr(first, second).statistic)
