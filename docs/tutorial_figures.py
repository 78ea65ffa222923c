"""Draw the figures of two tutorials from the tables on their pages.

python docs/tutorial_figures.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.figure
import numpy as np

from nnpal.figures.figure import styled
from nnpal.figures.style import BLUE, COLUMN

DOCS = Path(__file__).parent
FIGURES = DOCS / "figures"
CHEMICAL_ACCURACY = 1.0
"""kcal/mol."""


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells, by row, of the first table of a page whose headings match a regular expression."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|") and re.search(heading, line))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def number(text: str) -> float:
    """Return the first number of a cell; a typographic minus sign is accepted."""
    found = re.search(r"[-+]?[\d,]*\.?\d+", text.replace("−", "-"))
    if found is None:
        raise ValueError(f"table: {text!r} holds no number")
    return float(found[0].replace(",", ""))


def errors_of_the_demo() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each iteration, the number of training labels, the error and half of its 95 % interval, kcal/mol."""
    rows = [row for row in table("start.md", r"95 % interval") if row[0].isdigit()]
    ends = [[number(part) for part in row[5].split(" to ")] for row in rows]
    learned, errors = (np.array([number(row[column]) for row in rows]) for column in (1, 4))
    return learned, errors, np.array([0.5 * (high - low) for low, high in ends])


def draw_rare_events() -> matplotlib.figure.Figure:
    """Draw the error of the activation energy over the number of labels, for the demo."""
    learned, errors, half = errors_of_the_demo()
    with styled():
        canvas = matplotlib.figure.Figure(figsize=(COLUMN, 2.6), layout="constrained")
        axes = canvas.subplots()
        axes.axhspan(-CHEMICAL_ACCURACY, CHEMICAL_ACCURACY, color="0.85", zorder=0, label="±1 kcal/mol")
        axes.errorbar(learned, errors, half, fmt="o-", label="nnpal demo, 95 % interval")
        axes.set(xlabel="configurations learned", ylabel="error of E$_a$ (kcal/mol)")
        axes.legend()
    return canvas


def draw_fine_tuning() -> matplotlib.figure.Figure:
    """Draw the force errors of the models of the tutorial."""
    rows = table("tutorial_fine_tuning.md", r"GFN2-xTB.*meV/Å")
    names = [row[0].replace("`", "").replace("the model by ", "") for row in rows]
    with styled():
        canvas = matplotlib.figure.Figure(figsize=(1.3 * COLUMN, 2.3), layout="constrained")
        axes = canvas.subplots()
        bars = axes.barh(names, [number(row[3]) for row in rows], color=["0.6", *[BLUE] * (len(rows) - 1)])
        axes.bar_label(bars, fmt="%.3g", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set(xlabel="force MAE (meV/Å)")
    return canvas


if __name__ == "__main__":
    draw_rare_events().savefig(FIGURES / "tutorial_rare_events.png", dpi=180)
    draw_fine_tuning().savefig(FIGURES / "tutorial_fine_tuning.png", dpi=180)
