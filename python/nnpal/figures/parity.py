"""Predicted over reference energies or forces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure, styled
from nnpal.figures.style import CYCLE, DOTS, MILLI, same_length, say_empty

UNITS = {"energy": "eV/atom", "force": "eV/Å"}
PARITY_SIZE = (4.3, 4.0)
"""Inches."""
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
        groups: of each value, a color each.
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
        draw_parity(axes, true[good_shown], ours[good_shown], labels[good_shown])
        axes.set(xlabel=f"oracle's {quantity} ({unit})", ylabel=f"model's {quantity} ({unit})")
        axes.set_title(errors, fontsize=8)

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
        size=PARITY_SIZE,
    )


def draw_parity(
    axes: Axes,
    reference: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    *,
    colors: Mapping[str, str] | None = None,
    markersize: float = 4.0,
) -> None:
    """Draw predicted over reference values, [n], both finite, on equal axes, and the line where they are the same.

    Arguments:
        groups: of each value, [n]; those of several are told apart by colors and a legend.
        colors: of the groups, those drawn first coming first; None: all figures' colors in turn, and a legend.
        markersize: points.
    """
    names = list(dict.fromkeys(groups.tolist())) if colors is None else [name for name in colors if name in groups]
    for k, group in enumerate(names):
        own = groups == group
        color = CYCLE[k % len(CYCLE)] if colors is None else colors[group]
        axes.plot(reference[own], predicted[own], markersize=markersize, alpha=0.6, label=group, color=color, **DOTS)
    low, high = (float(f([reference, predicted])) for f in (np.min, np.max))
    margin = 0.04 * (high - low) or 0.5
    low, high = low - margin, high + margin
    axes.plot([low, high], [low, high], color="0.4", linewidth=0.6, zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    if len(names) > 1 and colors is None:
        axes.legend(markerscale=2, loc="upper left")


def parity_canvas(
    reference: np.ndarray, predicted: np.ndarray, groups: np.ndarray, what: str
) -> matplotlib.figure.Figure:
    """Return a drawn figure of all values, [n], such as forces' components; those not finite are left out.

    Arguments:
        what: is compared, with its unit.
    """
    with styled():
        canvas = matplotlib.figure.Figure(figsize=PARITY_SIZE, layout="constrained")
        axes = canvas.subplots()
        good = np.isfinite(reference) & np.isfinite(predicted)
        if good.any():
            draw_parity(axes, reference[good], predicted[good], groups[good])
        else:
            say_empty(axes)
        axes.set(xlabel=f"reference {what}", ylabel=f"model {what}")
    return canvas
