"""Uncertainty along runs, with the threshold from their first steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import BLUE, MILLI, RED, SIZE, SKY, column_name, finite, log_if_wide, same_length, say_empty

ROW_HEIGHT = 2.1
MOST_VECTORS = 5000
"""Longer traces are rasterized in the PDF too, to keep the file small."""


@dataclass(frozen=True)
class UQRun:
    """The uncertainty of one run.

    Attributes:
        label: name of the run, such as "iteration 2".
        steps: numbers of the steps, [n_steps].
        uq: uncertainty, eV (of forces eV/Å), [n_steps].
        mean, deviation, k: μ, σ (eV or eV/Å) and k of the threshold μ + kσ; None: no threshold.
        first_steps: last of the steps that define the threshold, which are shaded; None: no shading.
        chosen: steps of the frames that were selected for labeling.
        failed_step: first unusable step; None: the whole run is usable.
        bound: fixed threshold in place of μ + kσ, eV or eV/Å; None: μ + kσ.
    """

    label: str
    steps: ArrayLike
    uq: ArrayLike
    mean: float | None = None
    deviation: float | None = None
    k: float = 3.0
    first_steps: int | None = None
    chosen: Sequence[int] = ()
    failed_step: int | None = None
    bound: float | None = None

    @property
    def threshold(self) -> float:
        """The bound, or μ + kσ, eV or eV/Å; NaN if there is none."""
        if self.bound is not None:
            return self.bound
        if self.mean is None or self.deviation is None:
            return float("nan")
        return self.mean + self.k * self.deviation


def uq_trace(runs: Sequence[UQRun], *, name: str = "uq_trace", quantity: str = "UQ", unit: str = "meV") -> Figure:
    """Return a figure of the uncertainty along runs, one panel each: Figure S1 of the rare-events supplement.

    Arguments:
        runs: runs, one panel each.
        name: name of the files.
        quantity: name of the uncertainty, for the axis.
        unit: unit of the axis: meV, or meV/Å for forces.

    Raises:
        ValueError: the arrays of a run differ in length.
    """
    shown, limit = f"uq_{column_name(unit)}", f"threshold_{column_name(unit)}"
    rows: dict[str, list[float | int | str]] = {h: [] for h in ("run", "step", shown, limit, "chosen", "good")}
    for run in runs:
        steps, uq = np.asarray(run.steps), np.asarray(run.uq, dtype=np.float64)
        same_length(f"uq_trace: {run.label}", steps=steps, uq=uq)
        rows["run"] += [run.label] * len(steps)
        rows["step"] += steps.tolist()
        rows[shown] += (MILLI * uq).tolist()
        rows[limit] += [MILLI * run.threshold] * len(steps)
        rows["chosen"] += np.isin(steps, list(run.chosen)).astype(int).tolist()
        rows["good"] += (steps < _end(run)).astype(int).tolist()

    def draw(*panels: Axes) -> None:
        if not runs:
            say_empty(panels[0])
        for axes, run in zip(panels, runs, strict=False):
            _draw_run(axes, run, quantity, unit)
        panels[-1].set_xlabel("step")

    above = [
        f"{run.label}: {_count_above(run)} of {len(np.asarray(run.steps))} frames above the threshold" for run in runs
    ]
    failed = [f"{run.label} failed at step {run.failed_step}" for run in runs if run.failed_step is not None]
    return Figure(
        name=name,
        title="Uncertainty along the run" if len(runs) == 1 else "Uncertainty along the runs",
        caption=_caption(runs),
        alt="; ".join([*above, *failed]) or "No run yet",
        columns=rows,
        draw=draw,
        grid=(max(1, len(runs)), 1),
        size=SIZE if len(runs) < 2 else (SIZE[0], ROW_HEIGHT * len(runs) + 0.3),
    )


def _caption(runs: Sequence[UQRun]) -> str:
    ends = "circles: frames selected for labeling; shaded red: after the run failed, not used."
    if any(run.bound is not None for run in runs):
        return f"Largest calibrated error of an atom's force against steps. Dashed: the threshold error_above; {ends}"
    return (
        "Uncertainty of the ensemble against steps. Shaded blue: the steps that define μ and σ; dashed: the threshold "
        f"μ + kσ; {ends}"
    )


def _end(run: UQRun) -> float:
    return np.inf if run.failed_step is None else run.failed_step


def _count_above(run: UQRun) -> int:
    uq, steps = finite(run.uq), np.asarray(run.steps)
    return int(np.count_nonzero((uq > run.threshold) & (steps < _end(run))))


def _draw_run(axes: Axes, run: UQRun, quantity: str, unit: str) -> None:
    steps, uq = np.asarray(run.steps), MILLI * finite(run.uq)
    axes.set_title(run.label, loc="left", fontsize=9)
    axes.set_ylabel(f"{quantity} ({unit})")
    if not len(steps):
        say_empty(axes, "no frames")
        return
    good = steps < _end(run)
    log_if_wide(axes, [*uq[good], MILLI * run.threshold])
    if run.first_steps is not None:
        axes.axvspan(float(steps[0]), run.first_steps, color=SKY, alpha=0.25, linewidth=0)
    marker, many = "." if good.sum() < 2 else "", len(steps) > MOST_VECTORS
    axes.plot(steps[good], uq[good], color=BLUE, linewidth=0.8, marker=marker, rasterized=many)
    if np.isfinite(run.threshold):
        axes.axhline(MILLI * run.threshold, color=RED, linestyle="--", linewidth=1.0)
        what = f"μ + {run.k:g}σ" if run.bound is None else "error_above"
        axes.set_title(f"{what} = {MILLI * run.threshold:.3g} {unit}", loc="right", fontsize=8, color=RED)
    chosen = np.isin(steps, list(run.chosen)) & good
    axes.plot(steps[chosen], uq[chosen], "o", markersize=4, markerfacecolor="none", color="black", zorder=3)
    if run.failed_step is not None:
        last = max(float(steps[-1]), run.failed_step + 0.05 * (float(steps[-1]) - float(steps[0])))
        axes.axvspan(run.failed_step, last, color=RED, alpha=0.15, linewidth=0)
        axes.annotate(
            "failed", (run.failed_step, 1.0), xycoords=("data", "axes fraction"), xytext=(-3, -2),
            textcoords="offset points", ha="right", va="top", color=RED, fontsize=8,
        )  # fmt: skip
