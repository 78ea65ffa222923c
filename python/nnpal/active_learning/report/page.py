"""A self-contained HTML page, which needs no network."""

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
        blocks: paragraphs, tables and figures, in order.
    """

    title: str
    blocks: Sequence[str | Table | FigureFiles] = ()


@dataclass(frozen=True)
class Failure:
    """A failure that did not end the run.

    Attributes:
        title: what failed, such as "exploration 3 of iteration 2".
        kind: kind of failure, such as "error", "killed", "walltime", "timeout".
        folder: folder of its files, relative to the run folder.
        text: last lines of its output.
        command: command that repeats it by hand; empty: none.
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
        title: title of the page.
        subtitle: what was run, one line.
        facts: headlines.
        sections: sections, in order.
        failures: failures; if there are none, the page says so.
        configuration: text of the configuration file.
        versions: program or package -> version, and similar facts about the run.
    """

    title: str
    subtitle: str = ""
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    failures: Sequence[Failure] = ()
    configuration: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def write_page(path: Path, page: Page) -> Path:
    """Write a page with embedded images; links to CSV, PDF and PNG files are relative to its folder.

    The same page with the same images gives the same bytes.

    Raises:
        OSError: an image of a figure is missing, or the page cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page_html(page, path.parent)
    with aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
