"""Mean absolute errors by iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import (
    CYCLE,
    MILLI,
    drawable,
    finite,
    iteration_axis,
    legend_above,
    log_if_wide,
    same_length,
    say_empty,
)

MARKERS = "osD^vP"
UNITS = {"energy": "meV/atom", "relative energy": "meV/atom", "force": "meV/Å"}
MEANINGS = {"relative energy": ", after subtracting the mean difference of each set,"}


def mae_history(
    iterations: Sequence[int], series: Mapping[str, ArrayLike], *, quantity: str = "energy", name: str = "mae_history"
) -> Figure:
    """Return a figure of the MAE on several datasets by iteration: Figures S2c and d to S5c and d.

    Arguments:
        iterations: numbers of the iterations, [n].
        series: dataset, such as "train", "validation", "unseen" -> MAE, eV/atom (eV/Å for forces), NaN if unknown, [n].
        quantity: "energy", "relative energy" (after subtracting the mean difference of each dataset) or "force".
        name: name of the files.

    Raises:
        ValueError: the quantity is unknown, or lengths differ.
    """
    if quantity not in UNITS:
        raise ValueError(f"mae_history: quantity = {quantity!r}, expected {' or '.join(UNITS)}")
    shown = {label: MILLI * np.asarray(values, dtype=np.float64) for label, values in series.items()}
    same_length(name, iterations=iterations, **shown)
    everything = np.concatenate([*shown.values(), np.empty(0)])

    def draw(axes: Axes) -> None:
        if not len(drawable(everything)):
            say_empty(axes)
            return
        if not log_if_wide(axes, everything):
            axes.set_ylim(0.0, 1.1 * drawable(everything).max() or 1.0)
        for k, (label, values) in enumerate(shown.items()):
            color, marker = CYCLE[k % len(CYCLE)], MARKERS[k % len(MARKERS)]
            axes.plot(iterations, finite(values), color=color, marker=marker, markersize=4, label=label)
        iteration_axis(axes, iterations)
        axes.set_ylabel(f"{quantity} MAE ({UNITS[quantity]})")
        legend_above(axes)

    lasts = [f"{label} {known[-1]:.3g}" for label, values in shown.items() if len(known := drawable(values))]
    return Figure(
        name=name,
        title=f"Error of the {quantity}",
        caption=f"Mean absolute error of the {quantity}{MEANINGS.get(quantity, '')} at each iteration on "
        f"{', '.join(shown) or 'no set'}.",
        alt=f"Last MAE in {UNITS[quantity]}: {', '.join(lasts)}" if lasts else "No value yet",
        columns={
            "iteration": list(iterations),
            **{f"{label}_{UNITS[quantity].replace('/', '_')}": values for label, values in shown.items()},
        },
        draw=draw,
    )
