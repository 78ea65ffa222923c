"""Figures and the data that they show, written as PNG, PDF and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np

from nnpal.figures.style import SIZE, STYLE
from nnpal.runtime.files import aside, write_whole

DPI = 200
Value = float | int | str
"""Content of a cell of a CSV file."""


@dataclass(frozen=True)
class Figure:
    """A figure that has not been drawn yet.

    Attributes:
        name: file name without suffix.
        title: short title.
        caption: what the figure shows, with units.
        alt: alternative text for readers who cannot see the figure.
        columns: {header with unit: values shown}; all have the same length.
        draw: function that is called with the Axes of the grid, row by row.
        grid: numbers of rows and columns of panels.
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
        name, title, caption, alt: see :class:`Figure`.
        png, pdf, csv: paths of the files.
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

    The same data give the same bytes with the same version of matplotlib: no file contains a date.
    """
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf, table = (folder / f"{figure.name}.{suffix}" for suffix in ("png", "pdf", "csv"))
    rows = ([_cell(value) for value in row] for row in zip(*figure.columns.values(), strict=True))
    write_rows(table, list(figure.columns), rows)
    with styled():
        save(drawn(figure), pdf, png)
    return FigureFiles(figure.name, figure.title, figure.caption, figure.alt, png, pdf, table)


def drawn(figure: Figure) -> matplotlib.figure.Figure:
    """Draw a figure in the common style."""
    with styled():
        canvas = matplotlib.figure.Figure(figsize=figure.size, layout="constrained")
        figure.draw(*canvas.subplots(*figure.grid, squeeze=False).ravel())
    return canvas


def styled(changes: Mapping[Any, Any] | None = None) -> AbstractContextManager[None]:
    """Return a context with the common style, and changes such as ``{"font.size": 8}``."""
    return matplotlib.rc_context({**STYLE, **(changes or {})})


def save(canvas: matplotlib.figure.Figure, *paths: Path, dpi: float = DPI) -> list[Path]:
    """Write a figure atomically in the formats of the suffixes, without a date; return the paths.

    It is drawn in memory, because on a full disk matplotlib leaves a PDF open and raises other errors.
    """
    for path in paths:
        metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
        drawn = io.BytesIO()
        canvas.savefig(drawn, format=path.suffix.removeprefix("."), dpi=dpi, metadata=metadata)
        write_whole(path, drawn.getbuffer())
    return list(paths)


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write the data of a figure as CSV, atomically, and return the path."""
    with aside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _cell(value: Any) -> Any:
    """Round a number to twelve digits, so that 1000 x 0.001234 is not 1.2339999999999998."""
    return f"{value:.12g}" if isinstance(value, float | np.floating) else value
