"""Figures as panels of one: letters, numbers of all, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nnpal.figures.figure import Figure, write_figure
from nnpal.figures.panels import panels


def line(name: str, values: list[float]) -> Figure:
    return Figure(name, name, f"The {name}.", name, {"y": np.array(values)}, lambda axes: axes.plot(values))


def test_panels_have_letters_and_the_numbers_of_all(tmp_path: Path) -> None:
    merged = panels("row", "A row", [line("one", [1.0, 2.0]), line("two", [3.0]), line("three", [])])
    assert (merged.grid, merged.caption) == ((2, 2), "(a) The one. (b) The two. (c) The three.")
    files = write_figure(tmp_path, merged)
    with files.csv.open(newline="") as file:
        assert list(csv.reader(file)) == [["a: y", "b: y", "c: y"], ["1", "3", ""], ["2", "", ""]]
    assert files.png.stat().st_size > 1000


def test_only_single_panels_are_joined() -> None:
    with pytest.raises(ValueError, match="row: 0 panels, expected 1 to 26"):
        panels("row", "", [])
    with pytest.raises(ValueError, match="row: row has 1 x 2 panels, expected one"):
        panels("row", "", [panels("row", "", [line("one", []), line("two", [])])])
