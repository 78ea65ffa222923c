"""Numbers along an axis do not run into each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nnpal.figures.figure import drawn
from nnpal.figures.style import COLUMN, STYLE, log_axis
from nnpal.momt.figures import histogram
from nnpal.momt.reweighting.samples import Samples


def assert_labels_apart(axes: Axes) -> None:
    """Compare the extents of the numbers along x, as they are drawn."""
    canvas = FigureCanvasAgg(axes.figure)  # type: ignore[arg-type]
    canvas.draw()
    low, high = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high and label.get_text()]
    boxes = [label.get_window_extent(canvas.get_renderer()) for label in labels]
    assert len(boxes) > 1
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0


@pytest.mark.parametrize("span", [(25.0, 2000.0), (50.0, 7000.0), (0.5, 40.0)])
def test_logarithmic_axes(span: tuple[float, float]) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        axes = Figure(figsize=(0.75 * COLUMN, 2.5), layout="constrained").subplots()
        log_axis(axes, "x", np.array(span))
        assert_labels_apart(axes)


def test_histogram() -> None:
    """Enthalpies in steps of 2.5 eV, and few samples in each bin, whose numbers are plain."""
    rng = np.random.default_rng(1)
    n = 150
    H, O = rng.uniform(-356.0, -344.0, n), rng.uniform(58.0, 88.0, n)  # noqa: E741
    figure = drawn(
        histogram(Samples(H, H + 2000.0, O, 0.0 * H, np.zeros(n, int), 1000.0, 1.0, 8.617343e-5, 1.6e6, 108))
    )
    axes, bar = figure.axes
    assert_labels_apart(axes)
    low, high = bar.get_ylim()
    shown = [label.get_text() for label in bar.get_yticklabels() if low <= label.get_position()[1] <= high]
    assert shown == ["1", "2"]
