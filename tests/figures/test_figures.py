"""What all figures share: style, files, parity."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from nnpal.figures.figure import save, styled, write_rows
from nnpal.figures.parity import draw_parity, parity_canvas
from nnpal.figures.style import CYCLE, GREEN, RED, STYLE

REFERENCE = np.array([1.0, 2.0, 4.0])
PREDICTED = np.array([1.5, 2.0, 3.0])
GROUPS = np.array(["training", "training", "validation"])


def test_parity_has_equal_axes_a_diagonal_and_a_color_for_each_group() -> None:
    [axes] = parity_canvas(REFERENCE, PREDICTED, GROUPS, "force (eV/Å)").axes
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xlim()[0] < 1.0
    assert axes.get_xlim()[1] > 4.0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("reference force (eV/Å)", "model force (eV/Å)")
    training, validation, diagonal = axes.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), [[1.0, 1.5], [2.0, 2.0]])
    np.testing.assert_array_equal(validation.get_xydata(), [[4.0, 3.0]])
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert [to_hex(line.get_color()).upper() for line in (training, validation)] == list(CYCLE[:2])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]


def test_parity_leaves_out_what_is_not_finite_and_says_where_nothing_is() -> None:
    [axes] = parity_canvas(REFERENCE, np.array([1.5, np.nan, np.inf]), GROUPS, "energy (eV/atom)").axes
    assert [len(line.get_xydata()) for line in axes.get_lines()] == [1, 2]
    assert axes.get_legend() is None
    [axes] = parity_canvas(REFERENCE, np.full(3, np.nan), GROUPS, "energy (eV/atom)").axes
    assert [text.get_text() for text in axes.texts] == ["no data yet"]


def test_colors_that_are_given_set_the_order_too() -> None:
    axes = Figure().subplots()
    draw_parity(axes, REFERENCE, PREDICTED, GROUPS, colors={"validation": RED, "absent": CYCLE[0], "training": GREEN})
    assert [(line.get_label(), line.get_color()) for line in axes.get_lines()[:2]] == [
        ("validation", RED), ("training", GREEN)
    ]  # fmt: skip
    assert axes.get_legend() is None


def test_the_style_holds_within_and_files_of_the_same_numbers_are_the_same(tmp_path: Path) -> None:
    before = matplotlib.rcParams["font.size"]
    with styled({"font.size": 7}):
        assert matplotlib.rcParams["font.size"] == 7
        assert matplotlib.rcParams["axes.linewidth"] == STYLE["axes.linewidth"]
    assert matplotlib.rcParams["font.size"] == before
    for name in ("a", "b"):
        paths = save(
            parity_canvas(REFERENCE, PREDICTED, GROUPS, "x"), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"
        )
        assert [path.name for path in paths] == [f"{name}.png", f"{name}.pdf"]
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png"]


def test_numbers_keep_all_digits(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", ["frame", "energy_eV"], [[0, 0.1 + 0.2], ["x", -1e-20]])
    assert path.read_bytes() == b"frame,energy_eV\r\n0,0.30000000000000004\r\nx,-1e-20\r\n"
