"""Prepare docstrings and signatures for Sphinx: escape characters that reStructuredText would take for markup."""

from __future__ import annotations

import re

# Markup to keep: literals, roles and links
_MARKUP = re.compile(r"(``[^`]+``|:[\w:]+:`[^`]+`|`[^`]+`|https?://\S+)")
_SIGNS = re.compile(r"[|*]|(?<=\w)_(?!\w)")
_INDENT = re.compile(r" *")
_ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[~?numpy\.(\w+)\]\]")
# napoleon reads the first line of their docstrings as `type: text`
_OF_VALUES = ("attribute", "data", "property")


def escape(app: object, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Escape |, * and trailing _ in text; text in single backticks is code, as in Markdown."""
    if what in _OF_VALUES and lines:
        lines[0] = lines[0].replace(": ", " – ")
    literal_from: int | None = None  # indentation of the paragraph that ended with ::
    for number, line in enumerate(lines):
        indent = len(_INDENT.match(line)[0])  # type: ignore[index]
        if literal_from is not None and line.strip() and indent <= literal_from:
            literal_from = None
        if literal_from is not None or line.lstrip().startswith((">>>", "...", "- ", "* ")):
            lines[number] = line if literal_from is not None else lines[number]
            continue
        if line.rstrip().endswith("::"):
            literal_from = indent
            continue
        if _is_name_of_argument(line):
            before, colon, after = line.partition(":")
            lines[number] = before + colon + _escaped(after)
        else:
            lines[number] = _escaped(line)


def shorten(
    app: object, what: str, name: str, found: object, options: object, signature: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Return arguments and result with arrays written as in the source, and default factories as `...`."""
    return tuple(  # type: ignore[return-value]
        text and _ARRAY.sub(r"NDArray[\1]", text).replace("<factory>", "...") for text in (signature, result)
    )


def _is_name_of_argument(line: str) -> bool:
    return bool(re.match(r"^ {4}\*{0,2}\w[\w, *]*: ", line))


def _escaped(text: str) -> str:
    parts = _MARKUP.split(text)
    for k, part in enumerate(parts):
        if k % 2 == 0:
            parts[k] = _SIGNS.sub(r"\\\g<0>", part)
        elif part.startswith("`") and not part.startswith("``"):
            parts[k] = f"`{part}`"
    return "".join(parts)
