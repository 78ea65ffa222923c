"""A figure of a report and the numbers that it shows, written as PNG, PDF and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np

from nnpal.files import aside
from nnpal.report.style import SIZE, STYLE

DPI = 150
Value = float | int | str
"""What stands in a cell of a CSV file."""


@dataclass(frozen=True)
class Figure:
    """A figure that has not been drawn yet.

    Attributes:
        name: of its files, without suffix.
        title: a few words.
        caption: what is seen, with units.
        alt: the same for those who cannot see it: the figure's message.
        columns: header, unit included -> the numbers shown; all of one length.
        draw: called with the Axes of the grid, row by row.
        grid: rows and columns of panels.
        size: width and height, inches.
    """

    name: str
    title: str
    caption: str
    alt: str
    columns: Mapping[str, Sequence[Value] | np.ndarray]
    draw: Callable[..., None]
    grid: tuple[int, int] = (1, 1)
    size: tuple[float, float] = SIZE

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ValueError(
                f"figure: name {self.name!r}, expected letters, digits, '_', '-' and '.' for a file's name"
            )
        lengths = {header: len(values) for header, values in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"figure {self.name}: columns of lengths {lengths}, expected one length")


@dataclass(frozen=True)
class FigureFiles:
    """A figure on disk.

    Attributes:
        name, title, caption, alt: of the figure.
        png, pdf, csv: paths.
    """

    name: str
    title: str
    caption: str
    alt: str
    png: Path
    pdf: Path
    csv: Path

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        return self.png, self.pdf, self.csv


def write_figure(folder: Path, figure: Figure) -> FigureFiles:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.pdf`` into ``folder``.

    The same numbers give the same bytes, under one version of matplotlib: no file holds a date.
    """
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf, table = (folder / f"{figure.name}.{suffix}" for suffix in ("png", "pdf", "csv"))
    _write_columns(table, figure.columns)
    with matplotlib.rc_context(STYLE):
        canvas = matplotlib.figure.Figure(figsize=figure.size, layout="constrained")
        figure.draw(*canvas.subplots(*figure.grid, squeeze=False).ravel())
        with aside(pdf) as temporary:
            canvas.savefig(temporary, format="pdf", dpi=DPI, metadata={"CreationDate": None})
        with aside(png) as temporary:
            canvas.savefig(temporary, format="png", dpi=DPI)
    return FigureFiles(figure.name, figure.title, figure.caption, figure.alt, png, pdf, table)


def _write_columns(path: Path, columns: Mapping[str, Sequence[Value] | np.ndarray]) -> None:
    with aside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))


def _cell(value: Any) -> Any:
    """Return a number with ten digits, so that 1000 x 0.001234 is not 1.2339999999999998."""
    return f"{value:.10g}" if isinstance(value, float | np.floating) else value
