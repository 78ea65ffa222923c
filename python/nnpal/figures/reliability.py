"""Observed against nominal coverage of error bars, with the line of exact calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.parity import PARITY_SIZE
from nnpal.figures.style import BLUE, RED, say_empty

NOMINAL = np.linspace(0.05, 0.95, 19)
"""Nominal coverages of the points shown."""
EXACT: dict[str, Any] = {"color": RED, "linestyle": "--", "linewidth": 0.8, "label": "exact calibration", "zorder": 1}


def reliability_figure(curves: Mapping[str, np.ndarray], caption: str, *, name: str = "reliability") -> Figure:
    """Return a figure of observed against nominal coverage, in percent.

    Arguments:
        curves: {label: observed coverage at each of :data:`NOMINAL`, 0 to 1}; the last curve is drawn in full color,
            the others in gray.
        caption: caption, which states the errors shown.
        name: file name without suffix.
    """

    def draw(axes: Axes) -> None:
        if not curves:
            say_empty(axes)
            return
        axes.plot([0, 100], [0, 100], **EXACT)
        for k, (label, curve) in enumerate(curves.items()):
            axes.plot(100 * NOMINAL, 100 * curve, marker=".", **newest(k, len(curves), label))
        ticks = range(0, 101, 20)
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal", xticks=ticks, yticks=ticks)
        axes.set(xlabel="nominal coverage (%)", ylabel="observed coverage (%)")
        axes.legend(loc="upper left")

    told = ""
    if curves:
        label, curve = list(curves.items())[-1]
        worst = int(np.abs(curve - NOMINAL).argmax())
        told = f"{label}: farthest off at nominal {percent(NOMINAL[worst])}, where {percent(curve[worst])} are observed"
    return Figure(
        name=name,
        title="Reliability of error bars",
        caption=f"{caption} Above the dashed line error bars are too large, below it too small.",
        alt=told or "No value yet",
        columns={
            "group": [label for label in curves for _ in NOMINAL],
            "nominal_per_cent": np.tile(100 * NOMINAL, len(curves)),
            "observed_per_cent": 100 * np.concatenate([*curves.values(), np.empty(0)]),
        },
        draw=draw,
        size=PARITY_SIZE,
    )


def newest(k: int, n: int, label: str) -> dict[str, Any]:
    """Return the style of group k of n: full color for the last, gray for the others, with one label for these."""
    if k == n - 1:
        return {"color": BLUE, "label": label, "zorder": 3}
    return {"color": "0.6", "linewidth": 0.8, "label": "before" if k == 0 else None}


def percent(share: float) -> str:
    """Return a fraction as percent without decimals."""
    return f"{100 * share:.0f} %"
