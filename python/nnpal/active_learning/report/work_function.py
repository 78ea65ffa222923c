"""Work of pulls under the model, compared with the oracle's, as means over pulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import BLUE, KCAL_MOL, RED, fading, finite, same_length, say_empty

MOST_NAMED = 6


@dataclass(frozen=True)
class WorkCurve:
    """The work of a pull, or the mean over pulls at one rate.

    Attributes:
        label: name of the curve, such as "iteration 3".
        distance: λ, d or elongation, Å, [n].
        work: work, eV, [n].
        failed: whether the pull ended early, at its last point.
        band: standard deviation over pulls, eV, [n]; empty for one pull.
        pulls: number of pulls.
    """

    label: str
    distance: ArrayLike
    work: ArrayLike
    failed: bool = False
    band: ArrayLike = ()
    pulls: int = 1


def work_function(
    curves: Sequence[WorkCurve],
    oracle: WorkCurve | None = None,
    *,
    name: str = "work_function",
    distance: str = "target distance λ (Å)",
    who: str = "the best model of each iteration",
    title: str = "Work function",
) -> Figure:
    """Return a figure of the work of the model's pulls, older ones paler, and the oracle's: Figures S2a to S5a, S7.

    Bands are drawn for the newest curve and for the oracle's.

    Arguments:
        curves: work under the model in each iteration, the oldest first.
        oracle: work of the same pulls under the oracle; None: not drawn.
        name: name of the files.
        distance: label of the horizontal axis.
        who: model that does the pulls, for the caption.
        title: title of the figure.

    Raises:
        ValueError: the arrays of a curve differ in length.
    """
    rows: dict[str, list[float | str]] = {"run": [], "distance_angstrom": [], "work_kcal_mol": []}
    bands: list[float] = []
    for curve in (*curves, *([oracle] if oracle else [])):
        along, work = np.asarray(curve.distance, dtype=float), KCAL_MOL * np.asarray(curve.work, dtype=float)
        same_length(f"work_function: {curve.label}", distance=along, work=work)
        rows["run"] += [curve.label] * len(along)
        rows["distance_angstrom"] += along.tolist()
        rows["work_kcal_mol"] += work.tolist()
        bands += (KCAL_MOL * _band(curve)).tolist()
    has_bands = bool(np.isfinite(bands).any())
    if has_bands:
        rows["sd_over_pulls_kcal_mol"] = list(bands)

    def draw(axes: Axes) -> None:
        if not rows["run"]:
            say_empty(axes)
        named = {round(k) for k in np.linspace(0, len(curves) - 1, min(MOST_NAMED, len(curves)))}
        for k, (curve, color) in enumerate(zip(curves, fading(BLUE, len(curves)), strict=True)):
            along, work = finite(curve.distance), KCAL_MOL * finite(curve.work)
            axes.plot(along, work, color=color, label=curve.label if k in named else None)
            if k == len(curves) - 1:
                _draw_band(axes, curve, BLUE)
            if curve.failed and len(along):
                axes.plot(along[-1:], work[-1:], "x", color=RED)
        if oracle:
            along, work = finite(oracle.distance), KCAL_MOL * finite(oracle.work)
            axes.plot(along, work, color="black", linestyle="--", label=oracle.label)
            _draw_band(axes, oracle, "black")
        axes.set(xlabel=distance, ylabel="work (kcal/mol)")
        if rows["run"]:
            axes.legend()

    says = [
        f"{curve.label} ends at {_last(curve):.1f} kcal/mol" for curve in (*curves[-1:], *([oracle] if oracle else []))
    ]
    broken = any(curve.failed for curve in curves)
    return Figure(
        name=name,
        title=title,
        caption=f"Work done by the spring under {who} (blue, older ones paler) and under the oracle (black, dashed)."
        + (f" Means over pulls ({_pulls(curves, oracle)}); bands: their standard deviation." if has_bands else "")
        + (" Crosses: where a run failed." if broken else ""),
        alt="; ".join(says) or "No pull yet",
        columns=rows,
        draw=draw,
    )


def _last(curve: WorkCurve) -> float:
    work = np.asarray(curve.work, dtype=float)
    return KCAL_MOL * float(work[-1]) if len(work) else float("nan")


def _band(curve: WorkCurve) -> np.ndarray:
    """Return the standard deviation at each point, eV, NaN for one pull."""
    work, band = np.asarray(curve.work, dtype=float), np.asarray(curve.band, dtype=float)
    if not len(band):
        return np.full(len(work), np.nan)
    same_length(f"work_function: {curve.label}", work=work, band=band)
    return band


def _draw_band(axes: Axes, curve: WorkCurve, color: str) -> None:
    band, work = KCAL_MOL * finite(_band(curve)), KCAL_MOL * finite(curve.work)
    if np.isfinite(band).any():
        axes.fill_between(finite(curve.distance), work - band, work + band, color=color, alpha=0.18, linewidth=0)


def _pulls(curves: Sequence[WorkCurve], oracle: WorkCurve | None) -> str:
    """Return the numbers of pulls in the newest curve and in the oracle's, as text."""
    said = [f"{curves[-1].pulls} of the last curve"] if curves else []
    return ", ".join([*said, *([f"{oracle.pulls} of the oracle"] if oracle else [])])
