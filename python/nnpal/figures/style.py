"""Common style of all figures: colors, sizes, axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ase import units
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.rcsetup import cycler
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

MILLI = 1e3
"""From eV to meV."""
KCAL_MOL = units.mol / units.kcal
"""From eV to kcal/mol."""

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
"""Okabe and Ito's palette, which is safe for color-blind readers."""
CYCLE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
LEARNING, PRODUCTION = ORANGE, BLUE
"""Phases of a MOMT run: the bias is learned, or fixed."""

COLUMN, PAGE = 3.4, 7.0
"""Widths of one column and of two columns of a journal, inches."""
SIZE = (COLUMN, 2.55)
"""Inches: one column wide, so that text is legible on a phone."""
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "figure.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "image.cmap": "cividis",
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "errorbar.capsize": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
}
"""Fonts of 8 and 9 points at the printed size; text in a PDF stays text."""
LETTERS = {"/Å": "_angstrom", "Å": "angstrom", "³": "3", "/": "_", "ε": "epsilon", "σ": "sigma", "τ": "tau"}
DOTS: dict[str, Any] = {"linestyle": "", "marker": ".", "markeredgewidth": 0, "rasterized": True}
ENERGY = {"metal": "eV", "real": "kcal/mol", "lj": "ε"}
LENGTH = {"metal": "Å", "real": "Å", "lj": "σ"}
TIME = {"metal": (1.0, "ps"), "real": (1e-3, "ps"), "lj": (1.0, "τ")}
"""Axis units for LAMMPS's unit styles; for times with the factor to the unit shown."""
WIDE = 30.0
"""Values are drawn on a logarithmic axis if the ratio of the largest to the smallest exceeds this."""


def finite(values: ArrayLike) -> np.ndarray:
    """Return values as floats, with NaN, which leaves a gap, for those that are not finite."""
    found = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def drawable(values: ArrayLike) -> np.ndarray:
    """Return the finite values."""
    found = np.asarray(values, dtype=np.float64).ravel()
    return found[np.isfinite(found)]


def say_empty(axes: Axes, text: str = "no data yet") -> None:
    """Write on an empty panel that there are no data."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4")
    axes.set(xticks=[], yticks=[])


def iteration_axis(axes: Axes, iterations: Sequence[int], label: str = "iteration") -> None:
    """Label the horizontal axis with integer iterations, with a margin of half an iteration."""
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set_xlabel(label)
    if len(iterations):
        axes.set_xlim(min(iterations) - 0.5, max(iterations) + 0.5)


def log_if_wide(axes: Axes, values: ArrayLike) -> bool:
    """Make the vertical axis logarithmic if values are positive and span more than :data:`WIDE`; return whether."""
    found = drawable(values)
    if len(found) < 2 or found.min() <= 0.0 or found.max() <= WIDE * found.min():
        return False
    log_axis(axes, "y", found)
    return True


def log_axis(axes: Axes, side: str, values: ArrayLike) -> None:
    """Make an axis, "x" or "y", logarithmic, at least one decade long, with plain numbers.

    Values that are not positive are ignored.
    """
    found = drawable(values)
    found = found[found > 0.0]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.1, 10.0)
    low, high = low / 1.4, high * 1.4
    if high < 10.0 * low:
        middle = (low * high) ** 0.5
        low, high = middle / 10**0.5, middle * 10**0.5
    axis = axes.xaxis if side == "x" else axes.yaxis
    axes.set(**{f"{side}scale": "log", f"{side}lim": (low, high)})
    number_decades(axis, subs=(1.0, 2.0, 5.0) if high < 100.0 * low else (1.0,))


def legend_above(axes: Axes, ncols: int = 3) -> None:
    """Draw the legend above a panel."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=ncols, borderaxespad=0.2, columnspacing=1.0,
        handletextpad=0.4,
    )  # fmt: skip


def number_decades(axis: Axis, subs: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Label a logarithmic axis with plain numbers at these multiples of each decade, by default 1, 2 and 5."""
    axis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def shades(n: int) -> list[str]:
    """Return n distinct colors for lines, such as members: those of the palette, or more from a color map."""
    if n <= len(CYCLE):
        return list(CYCLE[:n])
    return [to_hex(colormaps["cividis"](share)) for share in np.linspace(0.0, 0.9, n)]


def fading(color: str, n: int) -> list[tuple[float, float, float]]:
    """Return n shades of a color, from pale (oldest) to full (newest)."""
    full = np.array(to_rgb(color))
    shares = np.linspace(0.3, 1.0, n) if n > 1 else np.ones(n)
    return [tuple((1.0 - share * (1.0 - full)).tolist()) for share in shares]


def three_digits(value: float) -> str:
    """Format a number with three significant digits, without powers of ten above 1: 0.0123, 12.3, 1,230."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def column_name(unit: str) -> str:
    """Return the form of a unit in the header of a CSV file."""
    for sign, letters in LETTERS.items():
        unit = unit.replace(sign, letters)
    return unit


def same_length(who: str, **columns: Iterable[Any] | ArrayLike) -> None:
    """Refuse columns of different length.

    Raises:
        ValueError: lengths differ; the message names each column and its length.
    """
    lengths = {name: len(values) for name, values in columns.items()}  # type: ignore[arg-type]
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ValueError(f"{who}: lengths differ ({found}); expected one value of each for every row")
