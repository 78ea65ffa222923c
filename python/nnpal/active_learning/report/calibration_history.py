"""Reliability of error bars on newly labeled configurations, by iteration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.calibration import reliability_curve
from nnpal.calibration.reliability import N_TENTHS, rms
from nnpal.figures.figure import Figure
from nnpal.figures.reliability import EXACT, NOMINAL, newest, percent, reliability_figure
from nnpal.figures.style import (
    CYCLE,
    MILLI,
    finite,
    iteration_axis,
    log_axis,
    same_length,
    say_empty,
)

MARKERS = "osD^v"
BEFORE = "by the model that chose them, before it was trained on them"
Judged = tuple[np.ndarray, np.ndarray]
"""Errors of vectors, [n, d], and the expected error of each, positive and finite, [n], in the same unit."""


def reliability_curves(parts: Mapping[str, Judged], *, name: str = "reliability") -> Figure:
    """Return a figure of the observed against the nominal coverage of force components by error bars.

    Arguments:
        parts: label, such as "iteration 2" -> errors (eV/Å); the last is drawn in color, the others in gray.
        name: name of the files.
    """
    curves = {label: reliability_curve(error, sigma, NOMINAL) for label, (error, sigma) in parts.items()}
    said = "Fraction of the force components of newly labeled configurations within the interval of each nominal "
    return reliability_figure(curves, f"{said}coverage, {BEFORE}.", name=name)


def error_by_tenth(parts: Mapping[str, Judged], *, name: str = "error_by_tenth") -> Figure:
    """Return a figure of the true against the expected RMS error, in each tenth of the atoms by expected error.

    Arguments:
        parts: as for :func:`reliability_curves`.
        name: name of the files.
    """
    points = {label: _tenths(error, sigma) for label, (error, sigma) in parts.items()}
    expected, true = (_joined(pair[side] for pair in points.values()) for side in (0, 1))

    def draw(axes: Axes) -> None:
        if not (true > 0).any():
            say_empty(axes)
            return
        for side, values in zip("xy", (expected, true), strict=True):
            log_axis(axes, side, MILLI * values)
        limits = axes.get_xlim(), axes.get_ylim()
        for k, (label, (x, y)) in enumerate(points.items()):
            axes.plot(MILLI * x, MILLI * y, marker="o", markersize=4, **newest(k, len(points), label))
        axes.axline((1.0, 1.0), (10.0, 10.0), **EXACT)
        axes.set(xlim=limits[0], ylim=limits[1])
        axes.set(xlabel="expected force error (meV/Å)", ylabel="true force error (meV/Å)")
        axes.legend(loc="best")

    told = ""
    if points:
        label, (x, y) = list(points.items())[-1]
        ratios = y / x
        told = f"{label}: true over expected error {ratios.min():.2f} to {ratios.max():.2f} over the tenths"
    return Figure(
        name=name,
        title="Force error by tenths of the expected one",
        caption="Root mean square of the true force error of newly labeled configurations' atoms over that of the "
        f"expected one (error_force), {BEFORE}; a point for each tenth of the atoms, from the smallest expected error "
        "on.",
        alt=told or "No value yet",
        columns={
            "group": [label for label, (x, _) in points.items() for _ in x],
            "tenth": [k + 1 for x, _ in points.values() for k in range(len(x))],
            "expected_meV_angstrom": MILLI * expected,
            "true_meV_angstrom": MILLI * true,
        },
        draw=draw,
    )


def coverage_history(
    iterations: Sequence[int], coverage: Mapping[float, ArrayLike], *, name: str = "coverage_history"
) -> Figure:
    """Return a figure of the coverage of force components by iteration, with lines at the nominal coverage.

    Arguments:
        iterations: numbers of the iterations, [n].
        coverage: nominal coverage, such as 0.68 -> observed coverage, NaN if unknown, [n].
        name: name of the files.

    Raises:
        ValueError: lengths differ.
    """
    shown = {level: 100.0 * np.asarray(values, dtype=np.float64) for level, values in sorted(coverage.items())}
    same_length(name, iterations=iterations, **{f"{level:.0%}": values for level, values in shown.items()})
    known = [k for k in range(len(iterations)) if any(np.isfinite(values[k]) for values in shown.values())]

    def draw(axes: Axes) -> None:
        if not known:
            say_empty(axes)
            return
        for k, (level, values) in enumerate(shown.items()):
            color, marker = CYCLE[k % len(CYCLE)], MARKERS[k % len(MARKERS)]
            axes.axhline(100 * level, color=color, linestyle="--", linewidth=0.8)
            axes.plot(
                iterations, finite(values), color=color, marker=marker, markersize=4, label=f"nominal {percent(level)}"
            )
        iteration_axis(axes, iterations)
        axes.set(ylabel="observed coverage (%)", ylim=(0, 102))
        axes.legend(loc="lower right")

    last = known[-1] if known else 0
    parts = [f"{values[last]:.0f} % within nominal {percent(level)}" for level, values in shown.items() if known]
    return Figure(
        name=name,
        title="Coverage of error bars",
        caption="Fraction of the force components of newly labeled configurations of each iteration in the intervals "
        f"of the nominal coverage (dashed), {BEFORE}.",
        alt=f"Iteration {iterations[last]}: {', '.join(parts)}" if parts else "No value yet",
        columns={
            "iteration": list(iterations),
            **{f"coverage_of_{100 * level:.0f}_per_cent": values for level, values in shown.items()},
        },
        draw=draw,
    )


def _tenths(error: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return RMS expected and true errors in each tenth; in fewer parts if there are fewer than 10 values."""
    size = np.linalg.norm(error, axis=1)
    parts = np.array_split(np.argsort(sigma, kind="stable"), min(N_TENTHS, len(sigma)))
    return np.array([rms(sigma[part]) for part in parts]), np.array([rms(size[part]) for part in parts])


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.empty(0)])
