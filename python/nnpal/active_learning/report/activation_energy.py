"""Activation energies of model and oracle, by iteration and by loading rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import (
    BLUE,
    GREEN,
    KCAL_MOL,
    drawable,
    finite,
    iteration_axis,
    log_axis,
    log_if_wide,
    same_length,
    say_empty,
)

CHEMICAL_ACCURACY = 1.0
"""kcal/mol."""
STATISTICAL, MEMBERS = "statistical_error_kcal_mol", "members_error_kcal_mol"
INTERVAL = "interval_kcal_mol"
ErrorBars = Sequence[tuple[float | None, float | None]]
"""Statistical error bar and error bar from the members for each activation energy, eV; None if unknown."""


def activation_energy(
    iterations: Sequence[int],
    values: ArrayLike,
    oracle: float | None = None,
    *,
    who: str = "best model",
    name: str = "activation_energy",
    error_bars: ErrorBars = (),
    intervals: ArrayLike = (),
) -> Figure:
    """Return a figure of E_a by iteration, with the oracle's E_a ± 1 kcal/mol: Figures S6 (left), S8b.

    Arguments:
        iterations: numbers of the iterations, [n].
        values: E_a, eV, NaN where a pull failed, [n]. With pairs of pulls: the oracle's E_a plus the mean difference
            over the pairs.
        oracle: E_a of the oracle, eV.
        who: label of the model.
        name: name of the files.
        error_bars: statistical error bars and error bars from the members, eV, None if unknown, [n]; empty: none.
        intervals: half-widths of the 95 % intervals of the difference from the oracle, eV, NaN if unknown, [n]; empty:
            none. They are drawn in place of the statistical error bars.
    """
    ours = KCAL_MOL * np.asarray(values, dtype=np.float64)
    same_length(name, iterations=iterations, values=ours)
    theirs = float("nan") if oracle is None else KCAL_MOL * oracle
    bars = _columns_of_bars(error_bars, len(ours), intervals)

    def draw(axes: Axes) -> None:
        if not len(drawable(ours)) and not np.isfinite(theirs):
            say_empty(axes)
            return
        if np.isfinite(theirs):
            axes.axhspan(theirs - CHEMICAL_ACCURACY, theirs + CHEMICAL_ACCURACY, color=GREEN, alpha=0.2, linewidth=0)
            axes.axhline(theirs, color="black", linestyle="--", linewidth=1.0, label="oracle")
        axes.plot(iterations, finite(ours), "o-", markersize=4, color=BLUE, label=who)
        _draw_bars(axes, iterations, ours, bars)
        _mark_missing(axes, iterations, ours)
        iteration_axis(axes, iterations)
        axes.set_ylabel("activation energy (kcal/mol)")
        axes.legend()

    return Figure(
        name=name,
        title=f"Activation energy, {who}",
        caption=f"Activation energy of the {who}'s pull at each iteration; dashed: the oracle's; green: "
        f"±{CHEMICAL_ACCURACY:g} kcal/mol of it." + _bars_caption(bars) + _missing_caption(ours),
        alt=_alt(ours, theirs),
        columns={
            "iteration": list(iterations),
            "activation_energy_kcal_mol": ours,
            "oracle_kcal_mol": [theirs] * len(ours),
            **bars,
        },
        draw=draw,
    )


def activation_energy_error(
    iterations: Sequence[int],
    values: ArrayLike,
    oracle: float,
    *,
    who: str = "best model",
    name: str = "activation_energy_error",
    intervals: ArrayLike = (),
) -> Figure:
    """Return a figure of |E_a − E_a of the oracle| by iteration, with a line at 1 kcal/mol: Figures S2b to S5b, S8a.

    Arguments: as :func:`activation_energy`.
    """
    error = np.abs(KCAL_MOL * (np.asarray(values, dtype=np.float64) - oracle))
    same_length(name, iterations=iterations, values=error)
    bars = _columns_of_bars((), len(error), intervals)

    def draw(axes: Axes) -> None:
        if not len(drawable(error)):
            say_empty(axes)
            return
        if not log_if_wide(axes, [*error, CHEMICAL_ACCURACY]):
            ends = error + np.nan_to_num(bars.get(INTERVAL, np.zeros(len(error))))
            axes.set_ylim(0.0, 1.15 * max(min(drawable(ends).max(), 3 * drawable(error).max()), CHEMICAL_ACCURACY))
        axes.axhline(CHEMICAL_ACCURACY, color=GREEN, linestyle="--", label=f"{CHEMICAL_ACCURACY:g} kcal/mol")
        axes.plot(iterations, finite(error), "o-", markersize=4, color=BLUE)
        _draw_bars(axes, iterations, error, bars)
        _mark_missing(axes, iterations, error)
        iteration_axis(axes, iterations)
        axes.set_ylabel("|error of E$_a$| (kcal/mol)")
        axes.legend()

    known = drawable(error)
    return Figure(
        name=name,
        title="Error of the activation energy",
        caption=f"|E_a(NNP) − E_a(oracle)| of the {who} at each iteration; dashed: "
        f"{CHEMICAL_ACCURACY:g} kcal/mol." + _bars_caption(bars) + _missing_caption(error),
        alt=f"Last error {known[-1]:.2g} kcal/mol, smallest {known.min():.2g}" if len(known) else "No value yet",
        columns={"iteration": list(iterations), **bars, "error_kcal_mol": error},
        draw=draw,
    )


def loading_rates(
    rates: Sequence[float],
    values: ArrayLike,
    oracle: ArrayLike,
    *,
    who: str = "best model",
    name: str = "loading_rates",
    error_bars: ErrorBars = (),
    intervals: ArrayLike = (),
) -> Figure:
    """Return a figure of E_a of model and oracle against the loading rate: Figure S7.

    Arguments:
        rates: loading rates, Å/ps, [n].
        values, oracle: E_a of the model and of the oracle, eV, NaN if unknown, [n].
        who: label of the model.
        name: name of the files.
        error_bars, intervals: as for :func:`activation_energy`.
    """
    order = np.argsort(np.asarray(rates, dtype=float), kind="stable")
    sorted_rates = np.asarray(rates, dtype=float)[order]
    ours, theirs = (KCAL_MOL * np.asarray(v, dtype=np.float64) for v in (values, oracle))
    same_length(name, rates=rates, values=ours, oracle=theirs)
    ours, theirs = ours[order], theirs[order]
    bars = {key: values[order] for key, values in _columns_of_bars(error_bars, len(ours), intervals).items()}

    def draw(axes: Axes) -> None:
        if not len(drawable([*ours, *theirs])):
            say_empty(axes)
            return
        if sorted_rates[0] > 0.0:  # negative rates, which push together, have no logarithm
            log_axis(axes, "x", sorted_rates)
        edges = finite(theirs)
        axes.fill_between(
            sorted_rates, edges - CHEMICAL_ACCURACY, edges + CHEMICAL_ACCURACY, color=GREEN, alpha=0.2, linewidth=0
        )
        axes.plot(sorted_rates, edges, "s--", color="black", markersize=4, label="oracle")
        axes.plot(sorted_rates, finite(ours), "o-", color=BLUE, markersize=4, label=who)
        _draw_bars(axes, sorted_rates, ours, bars)
        axes.set(xlabel="loading rate (Å/ps)", ylabel="activation energy (kcal/mol)")
        axes.legend()

    errors = drawable(np.abs(ours - theirs))
    return Figure(
        name=name,
        title="Activation energy by loading rate",
        caption=f"Activation energy of the {who}'s pulls against the rate; green: ±{CHEMICAL_ACCURACY:g} kcal/mol "
        "of the oracle's." + _bars_caption(bars),
        alt=f"Errors at {len(errors)} rates, the largest {errors.max():.2g} kcal/mol"
        if len(errors)
        else "No value yet",
        columns={
            "rate_angstrom_ps": sorted_rates,
            "activation_energy_kcal_mol": ours,
            "oracle_kcal_mol": theirs,
            **bars,
        },
        draw=draw,
    )


def _columns_of_bars(error_bars: ErrorBars, n: int, intervals: ArrayLike = ()) -> dict[str, np.ndarray]:
    """Return columns of error bars, kcal/mol, [n], NaN if unknown; leave out kinds of which none is known."""
    found = {}
    for i, key in enumerate((STATISTICAL, MEMBERS)):
        values = KCAL_MOL * np.array([bar[i] for bar in error_bars], dtype=np.float64)  # None becomes NaN
        if np.isfinite(values).any():
            same_length(key, values=values, expected=np.zeros(n))
            found[key] = values
    half_widths = KCAL_MOL * np.asarray(intervals, dtype=np.float64)
    if np.isfinite(half_widths).any():
        same_length(INTERVAL, values=half_widths, expected=np.zeros(n))
        found[INTERVAL] = half_widths
    return found


def _draw_bars(axes: Axes, at: ArrayLike, ours: np.ndarray, bars: Mapping[str, np.ndarray]) -> None:
    """Draw intervals or, without them, statistical error bars with caps; draw those from the members wide and pale."""
    looks: dict[str, dict[str, Any]] = {
        MEMBERS: {"elinewidth": 4.0, "alpha": 0.35},
        INTERVAL if INTERVAL in bars else STATISTICAL: {"elinewidth": 1.0, "capsize": 3.0},
    }
    for key, look in looks.items():
        if key in bars:
            errors = np.where(np.isfinite(ours), np.nan_to_num(bars[key]), 0.0)
            axes.errorbar(np.asarray(at), finite(ours), errors, fmt="none", ecolor=BLUE, **look)


def _bars_caption(bars: Mapping[str, np.ndarray]) -> str:
    says = {MEMBERS: " Wide bars: the standard deviation over the ensemble's members."}
    if INTERVAL in bars:
        says[INTERVAL] = (
            " Points and thin bars: the difference from the oracle, a mean over pairs of pulls, and its 95 % interval."
        )
    else:
        says[STATISTICAL] = " Thin bars: the standard error of the mean over pulls."
    return "".join(text for key, text in says.items() if key in bars)


def _mark_missing(axes: Axes, iterations: Sequence[int], values: np.ndarray) -> None:
    """Draw a cross at the bottom for each iteration without a value."""
    where = np.asarray(iterations, dtype=float)[~np.isfinite(values)]
    axes.plot(
        where, np.full(len(where), 0.03), "x", color="0.4", markersize=5, transform=axes.get_xaxis_transform(), zorder=3
    )


def _missing_caption(values: np.ndarray) -> str:
    return "" if np.isfinite(values).all() else " Crosses: no value, because the pull failed."


def _alt(ours: np.ndarray, theirs: float) -> str:
    known = drawable(ours)
    said = f"Last of {len(known)} values {known[-1]:.2f} kcal/mol" if len(known) else "No value yet"
    return said + (f", oracle {theirs:.2f}" if np.isfinite(theirs) else "")
