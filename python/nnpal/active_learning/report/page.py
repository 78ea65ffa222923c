"""One HTML page that holds everything it shows: no network is needed to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnpal.active_learning.report.facts import Fact
from nnpal.active_learning.report.html import page_html
from nnpal.active_learning.report.table import Table
from nnpal.figures.figure import FigureFiles
from nnpal.runtime.files import aside


@dataclass(frozen=True)
class Section:
    """Part of a page.

    Attributes:
        title: heading.
        blocks: paragraphs, tables and figures in the order in which they are read.
    """

    title: str
    blocks: Sequence[str | Table | FigureFiles] = ()


@dataclass(frozen=True)
class Failure:
    """Something that failed and was contained.

    Attributes:
        title: what, such as "exploration 3 of iteration 2".
        kind: such as "error", "killed", "walltime", "timeout".
        folder: where its files are, relative to the run's.
        text: the last lines that it wrote.
        command: runs it again by hand; empty: none does.
    """

    title: str
    kind: str
    folder: str
    text: str
    command: str


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: of the page.
        subtitle: one line: what was run.
        facts: the headlines.
        sections: in order.
        failures: what failed; the page says so if nothing did.
        configuration: text of the configuration file.
        versions: program or package -> version, or any other fact about how this was made.
    """

    title: str
    subtitle: str = ""
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    failures: Sequence[Failure] = ()
    configuration: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def write_page(path: Path, page: Page) -> Path:
    """Write a page; images are held in it, CSV and PDF files are linked relative to its folder.

    The same page over the same images gives the same bytes.

    Raises:
        OSError: an image of a figure is missing, or the page cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page_html(page, path.parent)
    with aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
