"""Configurations in the plane of enthalpy and order parameter."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nnpal.figures.figure import Figure
from nnpal.figures.style import DOTS, RED, same_length, say_empty


def enthalpy_order(H: ArrayLike, order: ArrayLike, selected: ArrayLike, *, name: str = "enthalpy_order") -> Figure:
    """Return a figure of H against O for sampled configurations, with the selected ones marked.

    Arguments:
        H: enthalpy, eV, [n].
        order: order parameter O, [n].
        selected: whether a configuration, or an environment in it, was selected, bool [n].
        name: name of the files.

    Raises:
        ValueError: lengths differ, or ``selected`` is not bool.
    """
    h, o, marked = np.asarray(H, dtype=np.float64), np.asarray(order, dtype=np.float64), np.asarray(selected)
    same_length(name, H=h, order=o, selected=marked)
    if len(marked) and marked.dtype != bool:
        raise ValueError(f"{name}: selected is {marked.dtype}, expected bool for every configuration, not indices")
    marked = marked.astype(bool)

    def draw(axes: Axes) -> None:
        good = np.isfinite(h) & np.isfinite(o)
        if not good.any():
            say_empty(axes)
            return
        for own, label, color, size in ((~marked, "not selected", "0.8", 3), (marked, "selected", RED, 6)):
            own = own & good
            axes.plot(o[own], h[own], color=color, markersize=size, label=f"{label} ({own.sum():,})", **DOTS)
        axes.set(xlabel="order parameter O", ylabel="enthalpy H (eV)")
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, markerscale=2)

    return Figure(
        name=name,
        title="Enthalpy and order",
        caption="Sampled configurations by order parameter (low: liquid; near the number of atoms: crystal) and "
        "enthalpy; red: selected.",
        alt=f"{marked.sum():,} of {len(h):,} configurations selected",
        columns={"O": o, "H_eV": h, "selected": marked.astype(int)},
        draw=draw,
    )
