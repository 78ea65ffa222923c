"""The HTML of a report's page. All text given is escaped."""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nnpal.report.css import CSS
from nnpal.report.facts import Fact
from nnpal.report.figure import FigureFiles
from nnpal.report.table import Cell, Table, is_number

if TYPE_CHECKING:
    from nnpal.report.page import Failure, Page, Section

SIGNS = {"plain": "", "good": "✓", "warning": "!", "bad": "✗"}
TALL = 1.3
"""A figure that is more than so many times as high as wide has two others beside it."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""For browsers: load nothing from anywhere."""


def page_html(page: Page, folder: Path) -> str:
    """Return the page as it stands in ``folder``."""
    ids = _ids([*(section.title for section in page.sections), "Failures", "Configuration", "Versions"])
    parts = [_section(section, id_, folder) for section, id_ in zip(page.sections, ids, strict=False)]
    failures, configuration, versions = ids[-3:]
    links = [*zip(ids, (section.title for section in page.sections), strict=False), (failures, "Failures")]
    parts.append(_failures(page.failures, failures))
    if page.configuration:
        links.append((configuration, "Configuration"))
        parts.append(_part("Configuration", configuration, _code(page.configuration, "Configuration")))
    if page.versions:
        links.append((versions, "Versions"))
        parts.append(_part("Versions", versions, _definitions(page.versions)))
    contents = "".join(f'<li><a href="#{id_}">{escape(title)}</a></li>' for id_, title in links)
    subtitle = f"<p>{escape(page.subtitle)}</p>" if page.subtitle else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(page.title)}</title>
<style>{CSS}</style>
</head>
<body>
<header><h1>{escape(page.title)}</h1>{subtitle}</header>
<main>
{_facts(page.facts)}
<nav aria-label="Contents"><ul>{contents}</ul></nav>
{"".join(parts)}</main>
</body>
</html>
"""


def _ids(titles: Iterable[str]) -> list[str]:
    """Return an anchor for every title, none twice."""
    found: list[str] = []
    for title in titles:
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        number = 2
        id_ = stem
        while id_ in found:
            id_, number = f"{stem}-{number}", number + 1
        found.append(id_)
    return found


def _part(title: str, id_: str, inside: str) -> str:
    heading = f'<h2 id="{id_}-title">{escape(title)}</h2>'
    return f'<section id="{id_}" aria-labelledby="{id_}-title">{heading}\n{inside}</section>\n'


def _section(section: Section, id_: str, folder: Path) -> str:
    inside, n_tables = [], 0
    for is_figure, blocks in groupby(section.blocks, lambda block: isinstance(block, FigureFiles)):
        if is_figure:
            figures = [_figure(block, folder) for block in blocks if isinstance(block, FigureFiles)]
            inside.append(f'<div class="figures">\n{"".join(figures)}</div>\n')
            continue
        for block in blocks:
            if isinstance(block, Table):
                n_tables += 1
                inside.append(_table(block, f"{id_}-table-{n_tables}"))
            else:
                inside.append(f"<p>{escape(str(block))}</p>\n")
    return _part(section.title, id_, "".join(inside) or "<p>Nothing yet.</p>\n")


def _facts(facts: Sequence[Fact]) -> str:
    if not facts:
        return ""
    items = "".join(
        f'<div class="fact {fact.cell.tone}"><dt>{escape(fact.label)}</dt><dd>{_cell(fact.cell)}</dd></div>'
        for fact in facts
    )
    return f'<section aria-label="Summary"><dl class="facts">{items}</dl></section>'


def _cell(value: Any) -> str:
    cell = value if isinstance(value, Cell) else Cell(value)
    sign = SIGNS[cell.tone]
    before = f'<span class="sign" role="img" aria-label="{cell.tone}">{sign}</span> ' if sign else ""
    note = f'<span class="note">{escape(cell.note)}</span>' if cell.note else ""
    return f'{before}<span class="value">{escape(cell.text)}</span>{note}'


def _table(table: Table, id_: str) -> str:
    plain = [[value.value if isinstance(value, Cell) else value for value in row] for row in table.rows]
    numeric = [all(is_number(row[column]) for row in plain) for column in range(len(table.header))]
    head = "".join(
        f'<th scope="col"{_class("number" if right else "")}>{escape(text)}</th>' if text else "<td></td>"
        for text, right in zip(table.header, numeric, strict=True)
    )
    rows = []
    for row in table.rows:
        cells = []
        for column, (value, right) in enumerate(zip(row, numeric, strict=True)):
            tone = value.tone if isinstance(value, Cell) else "plain"
            tag, scope = ("th", ' scope="row"') if column == 0 else ("td", "")
            kind = _class("number" if right else "", "" if tone == "plain" else tone)
            cells.append(f"<{tag}{scope}{kind}>{_cell(value)}</{tag}>")
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    body = "".join(rows) or f'<tr><td colspan="{len(table.header)}">nothing yet</td></tr>\n'
    return (
        f'<p class="caption" id="{id_}">{escape(table.caption)}</p>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{id_}"><table aria-labelledby="{id_}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def _class(*names: str) -> str:
    """Return an attribute, or nothing."""
    given = " ".join(filter(None, names))
    return f' class="{given}"' if given else ""


def _figure(files: FigureFiles, folder: Path) -> str:
    image = files.png.read_bytes()
    width, height = png_size(image)
    links = ", ".join(
        f'<a href="{quote(os.path.relpath(path, folder))}">{kind}</a>'
        for kind, path in (("CSV", files.csv), ("PDF", files.pdf), ("PNG", files.png))
    )
    tall = _class("tall" if height > TALL * width else "")
    caption = f"<strong>{escape(files.title)}.</strong> {escape(files.caption)}"
    return (
        f'<figure{tall}><img src="data:image/png;base64,{base64.b64encode(image).decode()}" alt="{escape(files.alt)}" '
        f'width="{width}" height="{height}">\n'
        f'<figcaption>{caption} <span class="files">{links}</span></figcaption></figure>\n'
    )


def png_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG, pixels.

    Raises:
        ValueError: it is none.
    """
    if image[:8] != b"\x89PNG\r\n\x1a\n" or len(image) < 24:
        raise ValueError("png_size: not a PNG file; expected one that begins with its signature")
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def _failures(failures: Sequence[Failure], id_: str) -> str:
    items = "".join(
        f'<article class="failure"><h3>{escape(failure.title)} <span class="kind">{escape(failure.kind)}</span></h3>'
        f"<p>Folder: <code>{escape(failure.folder)}</code></p>"
        f"{_code(failure.text, f'Last lines of {failure.title}') if failure.text else ''}"
        f"{_rerun(failure)}</article>\n"
        for failure in failures
    )
    return _part("Failures", id_, items or "<p>Nothing failed.</p>\n")


def _rerun(failure: Failure) -> str:
    if not failure.command:
        return ""
    label = f"Command to rerun {failure.title}"
    return f"<p>Run it again by hand, in the run's folder:</p>{_code(failure.command, label, 'command')}"


def _code(text: str, label: str, kind: str = "") -> str:
    attributes = f'{_class(kind)} tabindex="0" role="region" aria-label="{escape(label)}"'
    return f"<pre{attributes}><code>{escape(text)}</code></pre>\n"


def _definitions(facts: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items())
    return f'<dl class="versions">{items}</dl>\n'
