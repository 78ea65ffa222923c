"""Number of configurations that a distillation keeps from each set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure
from nnpal.figures.style import BLUE, ORANGE, same_length, say_empty


def distillation_history(
    sets: Sequence[int | str],
    offered: Sequence[int],
    kept: Sequence[int],
    *,
    name: str = "distillation_history",
    label: str = "set",
    what: str = "configurations",
) -> Figure:
    """Return a figure of the configurations kept from each set and from all sets so far.

    Arguments:
        sets: number or name of each set, [n].
        offered: number of configurations in each set, [n].
        kept: number of new configurations kept from each set, [n].
        name: name of the files.
        label: label of the horizontal axis.
        what: plural noun for what is kept.

    Raises:
        ValueError: lengths differ.
    """
    seen, ours = np.asarray(offered, dtype=np.int64), np.asarray(kept, dtype=np.int64)
    same_length(name, sets=sets, offered=seen, kept=ours)
    together = np.cumsum(ours)
    all_seen = int(seen.sum())

    def draw(axes: Axes) -> None:
        if not len(ours):
            say_empty(axes)
            return
        places = np.arange(len(ours))
        axes.bar(places, ours, 0.8, color=ORANGE, label="selected from the set")
        axes.plot(places, together, "o-", color=BLUE, markersize=4, label="selected so far")
        for place, value in enumerate(ours):
            axes.annotate(
                f"{value:,}",
                (place, value),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color="0.3",
                bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5},
            )
        step = -(-len(ours) // 12)
        axes.set_xticks(places[::step], [str(s) for s in sets[::step]])
        axes.set(xlabel=label, ylabel=f"{what} kept", ylim=(0, 1.12 * max(1, together[-1])))
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)

    kept_share = f"{100.0 * together[-1] / all_seen:.1f} %" if all_seen else ""
    said = f"{together[-1]:,} {what} selected of {all_seen:,} available ({kept_share})" if all_seen else "No set yet"
    return Figure(
        name=name,
        title="Selected by the distillation",
        caption=f"{what.capitalize()} selected from each set (bars) and from all sets so far (line). {said}.",
        alt=said,
        columns={label: list(sets), "offered": seen, "kept": ours, "kept_so_far": together},
        draw=draw,
    )
