"""Amount of labeled data by iteration and origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.style import CYCLE, iteration_axis, same_length, say_empty

HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
MOST_NUMBERED = 12


def labels_history(
    iterations: Sequence[int], counts: Mapping[str, Sequence[int]], *, name: str = "labels_history"
) -> Figure:
    """Return a figure of the number of labeled configurations by iteration, stacked by origin.

    Arguments:
        iterations: numbers of the iterations, [n].
        counts: origin, such as "initial", "chosen", "augmentation" -> number of labels up to each iteration, [n].
        name: name of the files.

    Raises:
        ValueError: lengths differ.
    """
    numbers = {origin: np.asarray(values, dtype=np.int64) for origin, values in counts.items()}
    same_length(name, iterations=iterations, **numbers)
    totals = np.sum(list(numbers.values()), axis=0) if numbers else np.zeros(len(iterations), dtype=np.int64)

    def draw(axes: Axes) -> None:
        if not totals.sum():
            say_empty(axes)
            return
        floor = np.zeros(len(totals))
        for k, (origin, values) in enumerate(numbers.items()):
            bars = axes.bar(iterations, values, 0.8, floor, label=origin, edgecolor="white", linewidth=0.5)
            for bar in bars:
                bar.set(facecolor=CYCLE[k % len(CYCLE)], hatch=HATCHES[k % len(HATCHES)])
            floor += values
        if len(totals) <= MOST_NUMBERED:
            for iteration, total in zip(iterations, totals, strict=True):
                axes.text(iteration, total, f"{total:,}", ha="center", va="bottom", fontsize=7, color="0.3")
        iteration_axis(axes, iterations)
        axes.set(ylabel="labeled configurations", ylim=(0, 1.08 * totals.max()))
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)

    return Figure(
        name=name,
        title="Labels",
        caption="Configurations with a label from the oracle at each iteration, by origin.",
        alt=f"{totals[-1]:,} labels in the end" if len(totals) else "No label yet",
        columns={"iteration": list(iterations), **numbers, "total": totals},
        draw=draw,
    )
