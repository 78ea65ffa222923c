"""The HTML of a report's page, from the templates in ``templates/``. All input text is escaped."""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nnpal.active_learning.report.table import Cell, Table, is_number
from nnpal.figures.figure import FigureFiles

if TYPE_CHECKING:
    from nnpal.active_learning.report.page import Page, Section

TEMPLATES = Path(__file__).with_name("templates")
SIGNS = {"plain": "", "good": "✓", "warning": "!", "bad": "✗"}
TALL, WIDE = 1.3, 1.7
"""A figure with height > TALL * width has two others next to it; one with width > WIDE * height fills a row."""
NARROW, SHORT = 4, 36
"""Number of columns, and sum of their longest words and gaps in characters, that fit on a phone."""
FACT_COLUMNS = (4, 3, 5)
"""Numbers of headline facts in a row on a wide screen, the preferred one first."""


@dataclass(frozen=True)
class Heading:
    """A heading, and its anchor for the table of contents."""

    title: str
    id: str


@dataclass(frozen=True)
class Picture:
    """A figure in the page: the text ``source`` has its image; its links are relative to the page's folder."""

    title: str
    caption: str
    alt: str
    source: str
    width: int
    height: int
    links: tuple[tuple[str, str], ...]
    place: str = ""
    """Placement in two columns, see :func:`placed`."""

    @property
    def shape(self) -> str:
        """``tall``, ``wide`` or empty."""
        return "tall" if self.height > TALL * self.width else "wide" if self.width > WIDE * self.height else ""


@dataclass(frozen=True)
class Column:
    """Head of a column; numbers are right-aligned."""

    title: str
    is_numeric: bool


@dataclass(frozen=True)
class Grid:
    """A table in the page."""

    id: str
    caption: str
    columns: list[Column]
    rows: list[list[Cell]]

    @property
    def is_wide(self) -> bool:
        """Whether the table is too wide for a phone, where each row then becomes a list."""
        texts = [
            [column.title, *(text for row in self.rows for text in (row[k].text, row[k].note))]
            for k, column in enumerate(self.columns)
        ]
        longest = [max(len(word) for text in column for word in ("", *text.split())) for column in texts]
        return len(longest) > NARROW or sum(longest) + 2 * len(longest) > SHORT


@dataclass(frozen=True)
class Part:
    """A section in the page; groups are ("figures", pictures), ("table", grid) or ("text", text)."""

    heading: Heading
    groups: list[tuple[str, Any]]


def page_html(page: Page, folder: Path) -> str:
    """Return the HTML of the page, with links relative to ``folder``."""
    headings = _headings([*(section.title for section in page.sections), "Failures", "Configuration", "Versions"])
    failures, configuration, versions = headings[-3:]
    parts = [
        Part(heading, list(_groups(section, heading.id, folder)))
        for section, heading in zip(page.sections, headings, strict=False)
    ]
    contents = [part.heading for part in parts] + [failures]
    contents += [configuration] if page.configuration else []
    contents += [versions] if page.versions else []
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            css=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
            contents=contents,
            sections=parts,
            failures=failures,
            configuration=configuration,
            versions=versions,
        )
    )


@cache
def environment() -> Environment:
    """Return the environment of the templates: text is escaped, and undefined names are errors.

    Raises, on rendering:
        jinja2.UndefinedError: a template uses an undefined name.
    """
    # select_autoescape checks for the suffix .html and would not escape .html.j2
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.globals["signs"] = SIGNS
    found.filters["columns"] = fact_columns
    return found


def fact_columns(n: int) -> int:
    """Return the number of columns with the fewest empty places in the last row of ``n`` headline facts."""
    return min(FACT_COLUMNS, key=lambda columns: -n % columns)


def _headings(titles: Iterable[str]) -> list[Heading]:
    """Return a heading with a unique anchor for each title."""
    found: dict[str, Heading] = {}
    for title in titles:
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        number = 2
        id_ = stem
        while id_ in found:
            id_, number = f"{stem}-{number}", number + 1
        found[id_] = Heading(title, id_)
    return list(found.values())


def _groups(section: Section, id_: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield the blocks of a section; consecutive figures form one group."""
    n_tables = 0
    for is_figure, blocks in groupby(section.blocks, lambda block: isinstance(block, FigureFiles)):
        if is_figure:
            yield "figures", placed([_picture(block, folder) for block in blocks if isinstance(block, FigureFiles)])
            continue
        for block in blocks:
            if isinstance(block, Table):
                n_tables += 1
                yield "table", _grid(block, f"{id_}-table-{n_tables}")
            else:
                yield "text", block


def placed(pictures: list[Picture]) -> list[Picture]:
    """Return pictures with their placement in two columns, so that no row is half empty.

    A ``wide`` picture fills a row. A ``tall`` one has two others next to it. One that would be the only one in its row
    is ``alone``: its caption is next to it.
    """
    places = [picture.shape for picture in pictures]
    for wide, some in groupby(range(len(places)), lambda k: places[k] == "wide"):
        if wide:
            continue
        group = list(some)
        usual, tall = ([k for k in group if places[k] == shape] for shape in ("", "tall"))
        if len(usual) % 2:
            places[usual.pop()] = "alone"
        if len(tall) % 2 and not usual:
            places[tall.pop()] = "alone"
    return [replace(picture, place=place) for picture, place in zip(pictures, places, strict=True)]


def _grid(table: Table, id_: str) -> Grid:
    rows = [[value if isinstance(value, Cell) else Cell(value) for value in row] for row in table.rows]
    columns = [
        Column(title, all(is_number(row[place].value) for row in rows)) for place, title in enumerate(table.header)
    ]
    return Grid(id_, table.caption, columns, rows)


def _picture(files: FigureFiles, folder: Path) -> Picture:
    image = files.png.read_bytes()
    width, height = png_size(image)
    return Picture(
        title=files.title,
        caption=files.caption,
        alt=files.alt,
        source=f"data:image/png;base64,{base64.b64encode(image).decode()}",
        width=width,
        height=height,
        links=tuple(
            (kind, quote(os.path.relpath(path, folder)))
            for kind, path in (("CSV", files.csv), ("PDF", files.pdf), ("PNG", files.png))
        ),
    )


def png_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, pixels.

    Raises:
        ValueError: the image is not a PNG file.
    """
    if image[:8] != b"\x89PNG\r\n\x1a\n" or len(image) < 24:
        raise ValueError("png_size: not a PNG file; expected one that begins with its signature")
    width, height = struct.unpack(">II", image[16:24])
    return width, height
