"""Free energy by Jarzynski's equality, with the mean work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import BLUE, CYCLE, KCAL_MOL, finite, say_empty

COLORS = {"oracle": "black", "ensemble": BLUE}


@dataclass(frozen=True)
class FreeEnergyCurve:
    """Free energy from pulls under one force field.

    Attributes:
        label: name of the force field.
        distance: λ, Å, [n].
        free_energy, error: ΔF and its jackknife error, eV, [n].
        mean_work: mean work over the pulls, eV, [n].
        pulls: number of pulls.
    """

    label: str
    distance: ArrayLike
    free_energy: ArrayLike
    error: ArrayLike
    mean_work: ArrayLike
    pulls: int


def free_energy(curves: Sequence[FreeEnergyCurve], *, name: str = "free_energy") -> Figure:
    """Return a figure of ΔF(λ) with its error as a band, and the mean work as a dashed line.

    Arguments:
        curves: free energy under each force field.
        name: name of the files.
    """
    rows: dict[str, list[float | str]] = {
        h: [] for h in ("run", "distance_angstrom", "free_energy_kcal_mol", "error_kcal_mol", "mean_work_kcal_mol")
    }
    for curve in curves:
        rows["run"] += [curve.label] * len(np.asarray(curve.distance))
        rows["distance_angstrom"] += np.asarray(curve.distance, dtype=float).tolist()
        for key, values in (
            ("free_energy", curve.free_energy), ("error", curve.error), ("mean_work", curve.mean_work)
        ):  # fmt: skip
            rows[f"{key}_kcal_mol"] += (KCAL_MOL * np.asarray(values, dtype=float)).tolist()

    def draw(axes: Axes) -> None:
        if not curves:
            say_empty(axes)
            return
        for k, curve in enumerate(curves):
            color = COLORS.get(curve.label, CYCLE[(k + 1) % len(CYCLE)])
            along, value, error, work = (
                finite(v) for v in (curve.distance, curve.free_energy, curve.error, curve.mean_work)
            )
            axes.plot(along, KCAL_MOL * value, color=color, label=f"ΔF, {curve.label}")
            axes.fill_between(
                along, KCAL_MOL * (value - error), KCAL_MOL * (value + error), color=color, alpha=0.18, linewidth=0
            )
            axes.plot(along, KCAL_MOL * work, color=color, linestyle="--", label=f"mean work, {curve.label}")
        axes.set(xlabel="target distance λ (Å)", ylabel="energy (kcal/mol)")
        axes.legend()

    ends = [f"{c.label}: ΔF at the end {KCAL_MOL * float(np.asarray(c.free_energy)[-1]):.1f} kcal/mol" for c in curves]
    return Figure(
        name=name,
        title="Free energy by Jarzynski's equality",
        caption="ΔF(λ) = −kT ln ⟨exp(−W/kT)⟩ over pulls ("
        + ", ".join(f"{curve.pulls} of the {curve.label}" for curve in curves)
        + "), band: its jackknife error; dashed: the mean work, which includes dissipated heat.",
        alt="; ".join(ends) or "No pulls yet",
        columns=rows,
        draw=draw,
    )
