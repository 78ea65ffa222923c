"""Work of steered pulls under the model over that under the oracle."""

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
    """The work of one pull.

    Attributes:
        label: such as "iteration 3".
        distance: λ, d or elongation, Å, [n].
        work: eV, [n].
        failed: the pull broke off at its last point.
    """

    label: str
    distance: ArrayLike
    work: ArrayLike
    failed: bool = False


def work_function(
    curves: Sequence[WorkCurve],
    oracle: WorkCurve | None = None,
    *,
    name: str = "work_function",
    distance: str = "target distance λ (Å)",
) -> Figure:
    """Return the work of the model's pulls, the oldest palest, over the oracle's: Figures S2a to S5a.

    Arguments:
        curves: of the best model of iterations, the oldest first.
        oracle: the same pull under the oracle.
        name: of the files.
        distance: what the distance is, for the axis.

    Raises:
        ValueError: a curve whose arrays differ in length.
    """
    rows: dict[str, list[float | str]] = {"run": [], "distance_angstrom": [], "work_kcal_mol": []}
    for curve in (*curves, *([oracle] if oracle else [])):
        along, work = np.asarray(curve.distance, dtype=float), KCAL_MOL * np.asarray(curve.work, dtype=float)
        same_length(f"work_function: {curve.label}", distance=along, work=work)
        rows["run"] += [curve.label] * len(along)
        rows["distance_angstrom"] += along.tolist()
        rows["work_kcal_mol"] += work.tolist()

    def draw(axes: Axes) -> None:
        if not rows["run"]:
            say_empty(axes)
        named = {round(k) for k in np.linspace(0, len(curves) - 1, min(MOST_NAMED, len(curves)))}
        for k, (curve, color) in enumerate(zip(curves, fading(BLUE, len(curves)), strict=True)):
            along, work = finite(curve.distance), KCAL_MOL * finite(curve.work)
            axes.plot(along, work, color=color, label=curve.label if k in named else None)
            if curve.failed and len(along):
                axes.plot(along[-1:], work[-1:], "x", color=RED)
        if oracle:
            along, work = finite(oracle.distance), KCAL_MOL * finite(oracle.work)
            axes.plot(along, work, color="black", linestyle="--", label=oracle.label)
        axes.set(xlabel=distance, ylabel="work (kcal/mol)")
        if rows["run"]:
            axes.legend()

    says = [
        f"{curve.label} ends at {_last(curve):.1f} kcal/mol" for curve in (*curves[-1:], *([oracle] if oracle else []))
    ]
    broken = any(curve.failed for curve in curves)
    return Figure(
        name=name,
        title="Work function",
        caption="Work done by the spring under the best model of each iteration (blue, older ones paler) and under the "
        "oracle (black, dashed)." + (" Crosses: where a run failed." if broken else ""),
        alt="; ".join(says) or "No pull yet",
        columns=rows,
        draw=draw,
    )


def _last(curve: WorkCurve) -> float:
    work = np.asarray(curve.work, dtype=float)
    return KCAL_MOL * float(work[-1]) if len(work) else float("nan")
