"""Accurate, candidate and failed frames over iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.style import GREEN, ORANGE, RED, iteration_axis, same_length, say_empty

COLORS = {"accurate": GREEN, "candidate": ORANGE, "failed": RED}
HATCHES = {"accurate": "", "candidate": "///", "failed": "xxx"}
MOST_NUMBERED = 12
"""Largest number of bars with room for their counts."""


def classes_history(
    iterations: Sequence[int], counts: Sequence[Mapping[str, int]], *, name: str = "classes_history"
) -> Figure:
    """Return a figure of the share of each class of frames by iteration, %, with the number of frames above each bar.

    Arguments:
        iterations: numbers of the iterations, [n].
        counts: class ("accurate", "candidate", "failed") -> number of frames, as
            :meth:`nnpal.active_learning.selection.Classes.counts`, [n].
        name: name of the files.

    Raises:
        ValueError: a class is unknown, or lengths differ.
    """
    same_length(name, iterations=iterations, counts=counts)
    for iteration, found in zip(iterations, counts, strict=True):
        if unknown := set(found) - set(COLORS):
            raise ValueError(f"{name}: iteration {iteration}: class {sorted(unknown)}, expected {', '.join(COLORS)}")
    numbers = {c: np.array([found.get(c, 0) for found in counts], dtype=np.int64) for c in COLORS}
    totals = np.sum(list(numbers.values()), axis=0) if len(counts) else np.zeros(0, dtype=np.int64)
    shares = {
        c: np.divide(100.0 * n, totals, out=np.full(len(n), np.nan), where=totals > 0) for c, n in numbers.items()
    }

    def draw(axes: Axes) -> None:
        if not totals.sum():
            say_empty(axes)
            return
        floor = np.zeros(len(totals))
        for c, share in shares.items():
            height = np.nan_to_num(share)
            axes.bar(
                iterations,
                height,
                0.8,
                floor,
                color=COLORS[c],
                hatch=HATCHES[c],
                label=c,
                edgecolor="white",
                linewidth=0.5,
            )
            floor += height
        if len(totals) <= MOST_NUMBERED:
            for iteration, total in zip(iterations, totals, strict=True):
                axes.text(iteration, 101, f"{total:,}", ha="center", va="bottom", fontsize=7, color="0.3")
        iteration_axis(axes, iterations)
        axes.set(ylabel="share of frames (%)", ylim=(0, 108), yticks=range(0, 101, 20))
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)

    known = np.flatnonzero(totals > 0)
    said = (
        f"Iteration {iterations[known[-1]]}: " + ", ".join(f"{c} {shares[c][known[-1]]:.1f} %" for c in COLORS)
        if len(known)
        else "No frames yet"
    )
    return Figure(
        name=name,
        title="Accurate, candidate, failed",
        caption="Frames of each iteration's exploration by class: accurate (uncertainty at or below the threshold), "
        "candidate (above it), failed (unusable)."
        + (" The number above a bar: frames." if len(totals) <= MOST_NUMBERED else ""),
        alt=said,
        columns={"iteration": list(iterations), **numbers, **{f"{c}_per_cent": share for c, share in shares.items()}},
        draw=draw,
    )
