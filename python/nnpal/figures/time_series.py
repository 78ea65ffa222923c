"""Energy, enthalpy and order parameter over time: Figures S1 and S3 of the data-distillation supplement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.style import COLUMN, CYCLE, same_length, say_empty

MOST_SHOWN = 4000
"""Largest number of points shown per series, evenly spaced."""
PALE = 0.5
"""Opacity of a series during the learning phase."""


@dataclass(frozen=True)
class TimeSeries:
    """Time series of one trajectory.

    Attributes:
        label: name in legend and table.
        time: since the first frame, ps, [n].
        energy, enthalpy: U and U + P0 V, without bias, eV, [n].
        order: order parameter O, [n]; NaN if not measured.
        learning: whether a bias was still being learned, bool [n]; all False without a bias.
    """

    label: str
    time: np.ndarray
    energy: np.ndarray
    enthalpy: np.ndarray
    order: np.ndarray
    learning: np.ndarray

    def __post_init__(self) -> None:
        same_length(
            f"time series {self.label}",
            time=self.time,
            energy=self.energy,
            enthalpy=self.enthalpy,
            order=self.order,
            learning=self.learning,
        )

    def thinned(self) -> TimeSeries:
        """Return at most :data:`MOST_SHOWN` points, evenly spaced."""
        shown = np.unique(np.linspace(0, len(self.time) - 1, min(len(self.time), MOST_SHOWN)).round().astype(np.int64))
        columns = (self.time, self.energy, self.enthalpy, self.order, self.learning)
        return TimeSeries(self.label, *(column[shown] for column in columns))


def energy_series(series: Sequence[TimeSeries], *, name: str = "energy_series") -> Figure:
    """Return a figure of U over time for several trajectories in one panel: Figure S1.

    Arguments:
        series: one per trajectory, all with the same number of atoms.
        name: file name without suffix.
    """
    shown = [one.thinned() for one in series]

    def draw(axes: Axes) -> None:
        _draw(axes, shown, "energy", "energy U (eV)")
        axes.set_xlabel("time (ps)")
        _legend(axes)

    return Figure(
        name=name,
        title="Energy along the sampling",
        caption=f"Potential energy of the configurations against time{_said(series)}.",
        alt=_averages(series),
        columns=_columns(shown),
        draw=draw,
    )


def enthalpy_order_series(series: Sequence[TimeSeries], *, name: str = "time_series") -> Figure:
    """Return a figure of H and O over time, one panel each: Figure S3.

    Arguments:
        series, name: see :func:`energy_series`.
    """
    shown = [one.thinned() for one in series]

    def draw(top: Axes, bottom: Axes) -> None:
        _draw(top, shown, "enthalpy", "enthalpy H (eV)")
        _draw(bottom, shown, "order", "order parameter O")
        bottom.set_xlabel("time (ps)")
        _legend(top)

    return Figure(
        name=name,
        title="Enthalpy and order along the sampling",
        caption=f"Enthalpy (without kinetic energy) and order parameter against time{_said(series)}.",
        alt=_averages(series),
        columns=_columns(shown),
        draw=draw,
        grid=(2, 1),
        size=(COLUMN, 3.6),
    )


def _draw(axes: Axes, series: Sequence[TimeSeries], what: str, label: str) -> None:
    axes.set_ylabel(label)
    if not any(np.isfinite(getattr(one, what)).any() for one in series):
        say_empty(axes, "not measured" if series else "no data yet")
        return
    for k, one in enumerate(series):
        color, named = CYCLE[k % len(CYCLE)], False
        for part, is_learned in _parts(one):
            alpha = PALE if is_learned else 0.9
            axes.plot(
                one.time[part],
                getattr(one, what)[part],
                color=color,
                linewidth=0.7,
                alpha=alpha,
                label=None if named else one.label,
            )
            named = True


def _parts(one: TimeSeries) -> Iterator[tuple[slice, bool]]:
    """Yield the segments of learning and of sampling, each including the first point of the next."""
    n = len(one.time)
    bounds = [0, *(np.flatnonzero(np.diff(one.learning.astype(int))) + 1).tolist(), n]
    for first, last in pairwise(bounds):
        if last > first:
            yield slice(first, min(last + 1, n)), bool(one.learning[first])


def _legend(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        legend = axes.figure.legend(handles, labels, loc="outside upper center", ncols=2)
        for line in legend.get_lines():
            line.set(linewidth=2.0, alpha=1.0)


def _said(series: Sequence[TimeSeries]) -> str:
    said = ""
    if any(one.learning.any() for one in series):
        said += "; pale: while the bias is learned"
    if any(len(one.time) > MOST_SHOWN for one in series):
        said += f"; for longer series {MOST_SHOWN:,} evenly spaced configurations are shown"
    return said


def _averages(series: Sequence[TimeSeries]) -> str:
    return "; ".join(
        f"{one.label}: mean energy {one.energy.mean():.2f} eV over {one.time[-1]:g} ps"
        for one in series
        if len(one.time)
    )


def _columns(series: Sequence[TimeSeries]) -> dict[str, np.ndarray]:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in series]) if series else np.zeros(0)

    return {
        "run": np.repeat([one.label for one in series], [len(one.time) for one in series]),
        "time_ps": joined("time"),
        "U_eV": joined("energy"),
        "H_eV": joined("enthalpy"),
        "O": joined("order"),
        "learning": joined("learning").astype(int),
    }
