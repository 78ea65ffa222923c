"""Parity plots: predicted against reference energies, forces or stresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from nnpal.figures.figure import Figure, Value
from nnpal.figures.style import COLUMN, CYCLE, DOTS, MILLI, same_length, say_empty, three_digits

UNITS = {"energy": "eV/atom", "force": "eV/Å"}
PARITY_SIZE = (COLUMN, 3.3)
"""Width and height, inches."""
MOST_SHOWN = 20_000
"""Largest number of points drawn, evenly spaced among all values; errors are computed from all."""
MOST_NAMED = 3
"""Largest number of groups with separate errors; of more groups only the total errors are given."""
Columns: TypeAlias = Mapping[str, Sequence[Value] | np.ndarray]


def parity(
    reference: ArrayLike,
    predicted: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    quantity: str = "energy",
    name: str | None = None,
    relative: bool = False,
) -> Figure:
    """Return a parity plot with MAE and RMSE: Figure S6 (right).

    Arguments:
        reference, predicted: energies, eV/atom, or force components, eV/Å, [n].
        groups: group of each value, [n], with one color per group.
        quantity: "energy" or "force".
        name: file name without suffix, by default "parity_QUANTITY".
        relative: plot both relative to the lowest finite reference value.

    Raises:
        ValueError: an unknown quantity, or different lengths.
    """
    if quantity not in UNITS:
        raise ValueError(f"parity: quantity = {quantity!r}, expected {' or '.join(UNITS)}")
    unit, name = UNITS[quantity], name or f"parity_{quantity}"
    true, ours = (np.asarray(values, dtype=np.float64).ravel() for values in (reference, predicted))
    labels = np.asarray([""] * len(true) if groups is None else groups, dtype=str)
    same_length(name, reference=true, predicted=ours, groups=labels)
    good = np.isfinite(true) & np.isfinite(ours)
    if relative and good.any():
        lowest = true[good].min()
        true, ours = true - lowest, ours - lowest
    some = _evenly(len(true))
    return parity_figure(
        true,
        ours,
        labels,
        what=f"relative {quantity}" if relative else quantity,
        unit=unit,
        name=name,
        title=f"Model against oracle: {quantity}",
        sides=("oracle", "model"),
        columns={
            "group": labels[some].tolist(),
            f"oracle_{unit.replace('/', '_')}": true[some],
            f"model_{unit.replace('/', '_')}": ours[some],
        },
    )


def parity_figure(
    reference: NDArray[np.float64],
    predicted: NDArray[np.float64],
    groups: NDArray[np.str_],
    *,
    what: str,
    unit: str,
    columns: Columns,
    name: str,
    title: str,
    sides: tuple[str, str] = ("reference", "model"),
) -> Figure:
    """Return a parity plot on equal axes, with MAE, RMSE and number of values of each group.

    Values that are not finite are left out.

    Arguments:
        reference, predicted: values in ``unit``, [n]; errors are written in thousandths of it.
        groups: group of each value, [n].
        what: compared quantity, such as "force component".
        unit: unit of the values, such as "eV/Å" or "GPa".
        columns: columns of the CSV file.
        name: file name without suffix.
        title: short title.
        sides: names of the reference and of the model.

    Raises:
        ValueError: different lengths.
    """
    same_length(name, reference=reference, predicted=predicted, groups=groups)
    good = np.isfinite(reference) & np.isfinite(predicted)
    error = MILLI * (predicted - reference)
    names = list(dict.fromkeys(groups[good].tolist()))
    named = {group: error_text(error[good & (groups == group)], unit) for group in names}
    of_all = error_text(error[good], unit)
    some = _evenly(len(reference))
    shown = some[good[some]]

    def draw(axes: Axes) -> None:
        axes.set(xlabel=f"{sides[0]} {what} ({unit})", ylabel=f"{sides[1]} {what} ({unit})")
        if not len(shown):
            say_empty(axes)
            return
        draw_parity(axes, reference[shown], predicted[shown], groups[shown])
        if 1 < len(names) <= MOST_NAMED:
            labels = [f"{group}, {_lines(said)}" for group, said in named.items()]
            _legend(axes, labels, _emptier_corner(reference[shown], predicted[shown]))
            return
        if len(names) > 1:
            _legend_above(axes, names)
        axes.text(0.97, 0.03, _lines(of_all), transform=axes.transAxes, ha="right", va="bottom", linespacing=1.3)

    thinned = f" {len(some):,} are drawn; the errors are those of all." if len(some) < len(good) else ""
    told = named if 1 < len(names) <= MOST_NAMED else {"": of_all}
    alt = "; ".join(f"{group}: {said}" if group else said for group, said in told.items())
    return Figure(
        name=name,
        title=title,
        caption=f"The {sides[1]}'s {what} over the {sides[0]}'s ({unit}), {len(good):,} values.{thinned}",
        alt=alt if good.any() else "No value yet",
        columns=columns,
        draw=draw,
        size=PARITY_SIZE,
    )


def error_text(error: NDArray[np.float64], unit: str) -> str:
    """Return a text with MAE, RMSE in thousandths of ``unit`` and count: ``MAE 3.1, RMSE 4.2 meV/Å, N = 60``."""
    if not len(error):
        return ""
    small = "MPa" if unit == "GPa" else f"m{unit}"
    mae, rmse = np.abs(error).mean(), np.sqrt(np.square(error).mean())
    return f"MAE {three_digits(mae)}, RMSE {three_digits(rmse)} {small}, N = {len(error):,}"


def draw_parity(
    axes: Axes,
    reference: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    *,
    colors: Mapping[str, str] | None = None,
    markersize: float = 4.0,
) -> None:
    """Draw predicted against reference values, [n], both finite, on equal axes, and the line y = x.

    Arguments:
        groups: group of each value, [n]; several groups have different colors.
        colors: color of each group, in drawing order; None: the common color cycle.
        markersize: size of the markers, points.
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
    axes.locator_params(nbins=5)
    axes.set_yticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.set_xticks(axes.get_yticks())


def _evenly(n: int) -> NDArray[np.int64]:
    """Return the indices of all of n values, or of :data:`MOST_SHOWN` evenly spaced ones."""
    return np.linspace(0, n - 1, min(n, MOST_SHOWN)).round().astype(np.int64)


def _lines(errors: str) -> str:
    """Return the text of errors in two lines, the number of values first."""
    said, _, n = errors.rpartition(", ")
    return f"{n}\n{said}"


def _emptier_corner(reference: np.ndarray, predicted: np.ndarray) -> Literal["upper left", "lower right"]:
    """Return matplotlib's name of the off-diagonal corner with fewer values; the upper left if both are equal.

    Values belong to a corner if prediction and reference differ by more than a quarter of the axis length.
    """
    low, high = (f([reference, predicted]) for f in (np.min, np.max))
    apart, quarter = predicted - reference, 0.25 * (high - low)
    return "upper left" if (apart > quarter).sum() <= (apart < -quarter).sum() else "lower right"


def _legend(axes: Axes, labels: Sequence[str], corner: Literal["upper left", "lower right"]) -> None:
    """Draw the legend, with groups and their errors, in a corner with few values."""
    handles = axes.get_legend_handles_labels()[0]
    axes.legend(
        handles, labels, loc=corner, borderaxespad=0.1, handlelength=0.8, handletextpad=0.4, markerscale=2,
        frameon=True, framealpha=0.7, edgecolor="none",
    )  # fmt: skip


def _legend_above(axes: Axes, names: Sequence[str]) -> None:
    handles = axes.get_legend_handles_labels()[0]
    longest = max(map(len, names))
    axes.legend(
        handles, names, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=max(1, min(3, 42 // (longest + 3))),
        markerscale=2, borderaxespad=0.2, handlelength=0.8, handletextpad=0.4, columnspacing=1.0,
    )  # fmt: skip
