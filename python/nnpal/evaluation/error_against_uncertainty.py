"""True errors against predicted uncertainties, with the line of exact calibration."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from nnpal.evaluation.calibration import Calibration
from nnpal.evaluation.metrics import MILLI
from nnpal.figures.figure import Figure
from nnpal.figures.parity import PARITY_SIZE
from nnpal.figures.reliability import EXACT
from nnpal.figures.style import BLUE, DOTS, log_axis

UNITS = {"force": "meV/Å", "energy": "meV/atom"}
SMALLEST_SHOWN = 1e-3
"""meV or meV/Å; smallest lower limit of a logarithmic axis."""
LOWEST_SHARE = 0.01
"""Fraction of all values, the smallest ones, that are drawn at the edge of logarithmic axes."""


def error_against_uncertainty(found: Calibration) -> Figure:
    """Return a figure of |error| against uncertainty on logarithmic axes, with bin RMS and, if units agree, y = x."""
    unit, of_error = "meV" if found.uncertainty == "uq_energy" else UNITS[found.error], UNITS[found.error]
    u, error = MILLI * found.uncertainties, MILLI * found.errors
    said = f"rank correlation {found.spearman:.2f} ± {found.spearman_error:.2f}"
    if found.ratio is not None and found.ratio_error is not None:
        said += f"\nerror/uncertainty {found.ratio:.2f} ± {found.ratio_error:.2f}"

    def draw(axes: Axes) -> None:
        like = found.ratio is not None
        if like:
            limits = [_equal(axes, np.concatenate((u, error)))] * 2
        else:
            limits = [_limits(axes, side, values) for side, values in (("x", u), ("y", error))]
        at, to = (np.maximum(values, low) for values, (low, _) in zip((u, error), limits, strict=True))
        axes.plot(at, to, markersize=3, alpha=0.3, color="0.5", label="values", **DOTS)
        axes.plot(MILLI * found.bins.uncertainty, MILLI * found.bins.error, "o-", color=BLUE, label="RMS of bins")
        if like:
            axes.plot(limits[0], limits[1], **EXACT)
        axes.set(xlabel=f"{found.uncertainty} ({unit})", ylabel=f"true {found.error} error ({of_error})", title=said)
        axes.legend(loc="upper left", markerscale=1.5)

    calibrated = "" if found.ratio is None else " The dashed line: an error as large as the uncertainty."
    return Figure(
        name=f"error_{found.error}_{found.uncertainty}",
        title=f"True {found.error} error against {found.uncertainty}",
        caption=f"|error| of the {found.error} ({of_error}) over {found.uncertainty} ({unit}), {found.n_values:,} "
        "values, and the root mean squares of both in bins of equal count. The smallest values stand at the edges."
        f"{calibrated}",
        alt=said.replace("\n", ", "),
        columns={"frame": found.frame, f"{found.uncertainty}_meV": u, f"{found.error}_error_meV": error},
        draw=draw,
        size=PARITY_SIZE,
    )


def _equal(axes: Axes, values: NDArray[np.float64]) -> tuple[float, float]:
    """Set the same limits on both axes, and return them."""
    limits = _limits(axes, "x", values)
    _limits(axes, "y", values)
    axes.set_aspect("equal")
    return limits


def _limits(axes: Axes, side: str, values: NDArray[np.float64]) -> tuple[float, float]:
    """Make an axis logarithmic, with its lower limit at the quantile :data:`LOWEST_SHARE`, and return its limits."""
    low = max(float(np.quantile(values, LOWEST_SHARE)), SMALLEST_SHOWN)
    log_axis(axes, side, np.array([low, max(float(values.max()), low)]))
    return axes.get_xlim() if side == "x" else axes.get_ylim()
