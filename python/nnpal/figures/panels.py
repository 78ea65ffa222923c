"""Combine several figures as panels (a), (b), ... of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from nnpal.figures.figure import Figure, Value
from nnpal.figures.style import SIZE

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def panels(
    name: str,
    title: str,
    figures: Sequence[Figure],
    *,
    columns: int = 2,
    caption: str = "",
    headings: Sequence[str] = (),
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return one figure with a lettered panel for each of several single-panel figures.

    The CSV file has the columns of all panels side by side, with the panel's letter in each header; shorter columns
    end in empty cells.

    Arguments:
        name: file name without suffix.
        title: short title.
        figures: single-panel figures, in the order of the letters.
        columns: largest number of panels in a row.
        caption: caption that precedes those of the panels.
        headings: heading next to each letter; empty: none.
        size: width and height, inches; None: the size of a single figure for each panel.

    Raises:
        ValueError: no figures, more figures than letters, or a figure with several panels.
    """
    if not 0 < len(figures) <= len(LETTERS):
        raise ValueError(f"figure {name}: {len(figures)} panels, expected 1 to {len(LETTERS)}")
    for one in figures:
        if one.grid != (1, 1):
            raise ValueError(f"figure {name}: {one.name} has {one.grid[0]} x {one.grid[1]} panels, expected one")
    used = min(columns, len(figures))
    rows = -(-len(figures) // used)
    longest = max(_length(one) for one in figures)
    merged: dict[str, Sequence[Value]] = {}
    for letter, one in zip(LETTERS, figures, strict=False):
        for header, values in one.columns.items():
            cells = values.tolist() if isinstance(values, np.ndarray) else list(values)
            merged[f"{letter}: {header}"] = [*cells, *[""] * (longest - len(cells))]

    def draw(*places: Axes) -> None:
        said = headings or [""] * len(figures)
        for letter, heading, axes, one in zip(LETTERS, said, places, figures, strict=False):
            one.draw(axes)
            axes.annotate(
                f"({letter}) {heading}".rstrip(), (0.0, 1.0), xycoords="axes fraction", xytext=(-34, 5),
                textcoords="offset points", ha="left", va="bottom", fontweight="bold",
            )  # fmt: skip
        for axes in places[len(figures) :]:
            axes.set_axis_off()

    captions = [f"({letter}) {one.caption}" for letter, one in zip(LETTERS, figures, strict=False)]
    return Figure(
        name=name,
        title=title,
        caption=" ".join([*([caption] if caption else []), *captions]),
        alt="; ".join(f"{letter}: {one.alt}" for letter, one in zip(LETTERS, figures, strict=False)),
        columns=merged,
        draw=draw,
        grid=(rows, used),
        size=(used * SIZE[0], rows * SIZE[1]) if size is None else size,
    )


def _length(figure: Figure) -> int:
    return max((len(values) for values in figure.columns.values()), default=0)
