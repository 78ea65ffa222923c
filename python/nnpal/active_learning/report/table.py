"""A table of a report, and the formatting of its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Tone = Literal["plain", "good", "warning", "bad"]
DASH = "–"


@dataclass(frozen=True)
class Cell:
    """A value of a table or a headline.

    Attributes:
        value: text or number; None and NaN are shown as a dash.
        note: small text under the value.
        tone: good, warning or bad, shown by a color and, for readers who cannot see it, a sign.
        decimals: decimals of a float; None: four significant digits.
    """

    value: Any
    note: str = ""
    tone: Tone = "plain"
    decimals: int | None = None

    @property
    def text(self) -> str:
        """The formatted value."""
        return text_of(self.value, self.decimals)


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column names each row.

    Attributes:
        caption: description, with units.
        header: title of each column.
        rows: values or :class:`Cell`, one per column.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"table {self.caption!r}: row {number} has {len(row)} cells, expected {len(self.header)}, "
                    "one a column"
                )


def text_of(value: Any, decimals: int | None = None) -> str:
    """Return a value as text: 20,000; −0.1235; yes; a dash for None and NaN."""
    if value is None:
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return DASH
        shown = f"{value:.4g}" if decimals is None else f"{value:,.{decimals}f}"
        return shown.replace("-", "−").replace("inf", "∞")
    return str(value)


def is_number(value: Any) -> bool:
    """Return whether a value is right-aligned in its column."""
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))
