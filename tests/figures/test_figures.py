"""What all figures share: style, files, parity."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text

from nnpal.figures.figure import Figure, drawn, save, styled, write_rows
from nnpal.figures.parity import PARITY_SIZE, draw_parity, parity_figure
from nnpal.figures.style import COLUMN, CYCLE, GREEN, PAGE, RED, SIZE, STYLE, column_name, shades, three_digits

REFERENCE = np.array([1.0, 2.0, 4.0])
PREDICTED = np.array([1.5, 2.0, 3.0])
GROUPS = np.array(["training", "training", "validation"])


def of(reference: np.ndarray, predicted: np.ndarray, groups: np.ndarray, unit: str = "eV/Å") -> Axes:
    figure = parity_figure(
        reference, predicted, groups, what="force", unit=unit, columns={"x": reference}, name="p", title="P"
    )
    return drawn(figure).axes[0]


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_parity_has_equal_axes_a_diagonal_and_a_color_and_errors_for_each_group() -> None:
    axes = of(REFERENCE, PREDICTED, GROUPS)
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xlim()[0] < 1.0
    assert axes.get_xlim()[1] > 4.0
    assert axes.get_aspect() == 1.0
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("reference force (eV/Å)", "model force (eV/Å)")
    training, validation, diagonal = axes.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), [[1.0, 1.5], [2.0, 2.0]])
    np.testing.assert_array_equal(validation.get_xydata(), [[4.0, 3.0]])
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert [to_hex(line.get_color()).upper() for line in (training, validation)] == list(CYCLE[:2])
    assert legend(axes) == [
        "training, N = 2\nMAE 250, RMSE 354 meV/Å",
        "validation, N = 1\nMAE 1,000, RMSE 1,000 meV/Å",
    ]


@pytest.mark.parametrize(("error", "corner"), [(2.0, "lower right"), (-2.0, "upper left")])
def test_the_errors_of_groups_stand_where_fewer_values_are(error: float, corner: str) -> None:
    predicted = REFERENCE + error
    box = of(REFERENCE, predicted, GROUPS).get_legend()
    assert box.codes[corner] == box._loc


def test_parity_of_one_group_and_of_many_has_the_errors_of_all() -> None:
    axes = of(REFERENCE, PREDICTED, np.full(3, "untagged"), unit="GPa")
    assert axes.get_legend() is None
    assert [text.get_text() for text in axes.texts] == ["N = 3\nMAE 500, RMSE 645 MPa"]
    axes = of(np.arange(5.0), np.arange(5.0) + 0.001, np.array(list("abcde")), unit="eV/atom")
    assert legend(axes) == list("abcde")
    assert [text.get_text() for text in axes.texts] == ["N = 5\nMAE 1, RMSE 1 meV/atom"]


def test_parity_leaves_out_what_is_not_finite_and_says_where_nothing_is() -> None:
    axes = of(REFERENCE, np.array([1.5, np.nan, np.inf]), GROUPS)
    assert [len(line.get_xydata()) for line in axes.get_lines()] == [1, 2]
    assert axes.get_legend() is None
    assert [text.get_text() for text in axes.texts] == ["N = 1\nMAE 500, RMSE 500 meV/Å"]
    axes = of(REFERENCE, np.full(3, np.nan), GROUPS)
    assert [text.get_text() for text in axes.texts] == ["no data yet"]


def test_colors_that_are_given_set_the_order_too() -> None:
    axes = Canvas().subplots()
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
    figure = parity_figure(
        REFERENCE, PREDICTED, GROUPS, what="x", unit="eV", columns={"x": REFERENCE}, name="x", title="X"
    )
    for name in ("a", "b"):
        paths = save(drawn(figure), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
        assert [path.name for path in paths] == [f"{name}.png", f"{name}.pdf"]
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png"]


def test_figures_fit_the_columns_of_a_journal_with_fonts_of_8_to_9_points() -> None:
    assert (SIZE[0], PARITY_SIZE[0], COLUMN, PAGE) == (3.4, 3.4, 3.4, 7.0)
    canvas = drawn(Figure("a", "", "", "", {}, lambda axes: axes.plot([1, 2], label="b") and axes.legend()))
    assert canvas.get_size_inches().tolist() == list(SIZE)
    texts = [text for text in canvas.findobj(Text) if text.get_text()]
    assert {text.get_fontsize() for text in texts} <= {8.0, 9.0}
    assert STYLE["pdf.fonttype"] == 42  # letters in a PDF are letters, not outlines


def test_lines_that_are_told_apart_have_colors_of_their_own() -> None:
    assert shades(3) == list(CYCLE[:3])
    assert len(set(shades(12))) == 12


def test_numbers_of_three_digits_and_units_in_headers() -> None:
    assert [three_digits(value) for value in (0.01234, 12.34, 999.4, 999.6, 12345.6)] == [
        "0.0123", "12.3", "999", "1,000", "12,346"
    ]  # fmt: skip
    assert [column_name(unit) for unit in ("meV/Å", "meV/atom", "kcal/mol", "Å³", "ε", "τ")] == [
        "meV_angstrom", "meV_atom", "kcal_mol", "angstrom3", "epsilon", "tau"
    ]  # fmt: skip


def test_numbers_keep_all_digits(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", ["frame", "energy_eV"], [[0, 0.1 + 0.2], ["x", -1e-20]])
    assert path.read_bytes() == b"frame,energy_eV\r\n0,0.30000000000000004\r\nx,-1e-20\r\n"
