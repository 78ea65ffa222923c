"""Places of figures in the two columns of a report: no row is half empty."""

from __future__ import annotations

import pytest

from nnpal.active_learning.report.html import Picture, placed

SHAPES = {"usual": (400, 300), "tall": (300, 600), "wide": (900, 300)}


@pytest.mark.parametrize(
    ("shapes", "places"),
    [
        ("usual", "alone"),
        ("usual usual", "- -"),
        ("usual usual usual", "- - alone"),
        ("usual wide usual usual", "alone wide - -"),
        ("tall usual usual", "tall - -"),
        ("tall", "alone"),
        ("tall tall", "tall tall"),
        ("tall usual", "alone alone"),
    ],
)
def test_every_row_is_filled(shapes: str, places: str) -> None:
    pictures = [Picture("t", "c", "a", "", *SHAPES[shape], ()) for shape in shapes.split()]
    assert [picture.place or "-" for picture in placed(pictures)] == places.split()
