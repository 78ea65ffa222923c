"""Rotation of the ends of a molecule during a pull, until the bond ruptures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.figure import Figure
from nnpal.figures.style import CYCLE, SIZE, finite, say_empty

LOOKS = {"oracle": "black"}


@dataclass(frozen=True)
class RotationCurve:
    """Rotation during one pull, until the bond ruptures.

    Attributes:
        who: force field of the pull, "oracle" or a model.
        pull: number or name of the pull.
        distance: λ, Å, [n].
        twist, tilt: twist and tilt of both ends, degrees, [n, 2].
    """

    who: str
    pull: str
    distance: ArrayLike
    twist: ArrayLike
    tilt: ArrayLike


def end_rotation(curves: Sequence[RotationCurve], *, name: str = "end_rotation") -> Figure:
    """Return a figure of twist and tilt against λ until rupture, colored by force field: Figures S9 and S10.

    Arguments:
        curves: rotation during each pull.
        name: name of the files.
    """
    angles_of = [f"{key}_end{end}_degrees" for key in ("twist", "tilt") for end in (1, 2)]
    rows: dict[str, list[float | str]] = {header: [] for header in ("who", "pull", "distance_angstrom", *angles_of)}
    for curve in curves:
        n = len(np.asarray(curve.distance))
        rows["who"] += [curve.who] * n
        rows["pull"] += [curve.pull] * n
        rows["distance_angstrom"] += np.asarray(curve.distance, dtype=float).tolist()
        for key, values in (("twist", curve.twist), ("tilt", curve.tilt)):
            for end in (0, 1):
                rows[f"{key}_end{end + 1}_degrees"] += np.asarray(values, dtype=float).reshape(n, 2)[:, end].tolist()
    names = list(dict.fromkeys(curve.who for curve in curves))
    colors = {who: LOOKS.get(who, CYCLE[k % len(CYCLE)]) for k, who in enumerate(n for n in names if n not in LOOKS)}

    def draw(*places: Axes) -> None:
        for axes, key in zip(places, ("twist", "tilt"), strict=True):
            if not curves:
                say_empty(axes)
                continue
            named: set[str] = set()
            for curve in curves:
                angles = finite(getattr(curve, key)).reshape(-1, 2)
                color = colors.get(curve.who, LOOKS.get(curve.who, "black"))
                for end in (0, 1):
                    label = None if curve.who in named else curve.who
                    named.add(curve.who)
                    axes.plot(
                        finite(curve.distance), angles[:, end], color=color, linewidth=0.8, alpha=0.7, label=label
                    )
            axes.set(xlabel="target distance λ (Å)", ylabel=f"{key} of the ends (degrees)")
        if curves:
            places[0].legend()

    return Figure(
        name=name,
        title="Rotation of the ends before the break",
        caption="Rotation of what is bonded to the two pulled atoms since the start of the pull, relative to the rest "
        "of the molecule, until the bond ruptures: twist about the line between them, and tilt away from it. A line "
        "for each end and pull.",
        alt="; ".join(
            f"{who}: largest twist {twist:.0f}, tilt {tilt:.0f} degrees" for who, _, twist, tilt in _largest(curves)
        )
        or "No pulls yet",
        columns=rows,
        draw=draw,
        grid=(1, 2),
        size=(2 * SIZE[0], SIZE[1]),
    )


def rotation_table(curves: Sequence[RotationCurve]) -> Table:
    """Return a table of the largest rotations of the ends before the bond ruptures, by force field."""
    rows = []
    for who, n, twist, tilt in _largest(curves):
        means = [
            float(np.mean([_largest_of(curve, key) for curve in curves if curve.who == who]))
            for key in ("twist", "tilt")
        ]
        rows.append([who, n, *(Cell(value, decimals=1) for value in (twist, means[0], tilt, means[1]))])
    return Table(
        caption="Largest rotation of an end before the break, degrees: over all pulls, and the mean of each pull's "
        "largest.",
        header=["", "pulls", "twist, largest", "twist, mean of largest", "tilt, largest", "tilt, mean of largest"],
        rows=rows,
    )


def _largest(curves: Sequence[RotationCurve]) -> list[tuple[str, int, float, float]]:
    """Return each force field with its number of pulls and largest |twist| and |tilt|, degrees."""
    found = []
    for who in dict.fromkeys(curve.who for curve in curves):
        own = [curve for curve in curves if curve.who == who]
        twist, tilt = (max(_largest_of(curve, key) for curve in own) for key in ("twist", "tilt"))
        found.append((who, len(own), twist, tilt))
    return found


def _largest_of(curve: RotationCurve, key: str) -> float:
    return float(np.abs(np.asarray(getattr(curve, key), dtype=float)).max())
