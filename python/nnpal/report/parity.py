"""Predicted over the oracle's energies or forces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.report.figure import Figure
from nnpal.report.style import CYCLE, DOTS, MILLI, same_length, say_empty

UNITS = {"energy": "eV/atom", "force": "eV/Å"}
MOST_SHOWN = 20_000
"""Of more values evenly spaced ones are shown; the errors are those of all."""


def parity(
    reference: ArrayLike,
    predicted: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    quantity: str = "energy",
    name: str | None = None,
    relative: bool = False,
) -> Figure:
    """Return predicted over reference values, with MAE and RMSE: Figure S6 (right).

    Arguments:
        reference, predicted: eV/atom, or components in eV/Å, [n].
        groups: of each value, a colour each.
        quantity: "energy" or "force".
        name: of the files, "parity_QUANTITY" unless given.
        relative: count both from the lowest finite reference.

    Raises:
        ValueError: an unknown quantity, or lengths that differ.
    """
    if quantity not in UNITS:
        raise ValueError(f"parity: quantity = {quantity!r}, expected {' or '.join(UNITS)}")
    unit, name = UNITS[quantity], name or f"parity_{quantity}"
    true, ours = (np.asarray(values, dtype=np.float64).ravel() for values in (reference, predicted))
    labels = np.asarray([""] * len(true) if groups is None else groups, dtype=str)
    same_length(name, reference=true, predicted=ours, groups=labels)
    good = np.isfinite(true) & np.isfinite(ours)
    error = MILLI * (ours - true)[good]
    errors = (
        f"MAE {np.abs(error).mean():.3g}, RMSE {np.sqrt(np.square(error).mean()):.3g} m{unit}" if good.any() else ""
    )
    if relative and good.any():
        lowest = true[good].min()
        true, ours = true - lowest, ours - lowest
    shown = np.arange(len(true))
    if len(true) > MOST_SHOWN:
        shown = np.linspace(0, len(true) - 1, MOST_SHOWN).round().astype(np.int64)
    true, ours, labels, good_shown = true[shown], ours[shown], labels[shown], good[shown]

    def draw(axes: Axes) -> None:
        if not good_shown.any():
            say_empty(axes)
            return
        names = list(dict.fromkeys(labels.tolist()))
        for k, group in enumerate(names):
            own = good_shown & (labels == group)
            colour = CYCLE[k % len(CYCLE)]
            axes.plot(true[own], ours[own], markersize=4, alpha=0.6, label=group, color=colour, **DOTS)
        low, high = (float(f([true[good_shown], ours[good_shown]])) for f in (np.min, np.max))
        margin = 0.04 * (high - low) or 0.5
        low, high = low - margin, high + margin
        axes.plot([low, high], [low, high], color="0.4", linewidth=0.6, zorder=0)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.set(xlabel=f"oracle's {quantity} ({unit})", ylabel=f"model's {quantity} ({unit})")
        axes.set_title(errors, fontsize=8)
        if len(names) > 1:
            axes.legend(markerscale=2, loc="upper left")

    thinned = (
        f" {len(shown):,} of {len(good):,} are shown; the errors are those of all." if len(shown) < len(good) else ""
    )
    return Figure(
        name=name,
        title=f"Model against oracle: {quantity}",
        caption=f"The model's {quantity} over the oracle's ({unit}{', from the lowest' if relative else ''}), "
        f"{len(good):,} values.{thinned}",
        alt=errors or "No value yet",
        columns={
            "group": labels.tolist(),
            f"oracle_{unit.replace('/', '_')}": true,
            f"model_{unit.replace('/', '_')}": ours,
        },
        draw=draw,
        size=(4.3, 4.0),
    )
