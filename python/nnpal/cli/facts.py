"""Table of names and values for `nnpal info` and `nnpal data info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

MOST_ROWS = 20


def print_facts(facts: Mapping[str, object], names: Mapping[str, str] | None = None) -> None:
    """Print one row per fact.

    Arguments:
        facts: value of each key; lists and dictionaries may be nested.
        names: labels of keys, such as with their unit; other keys are written with spaces.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row((names or {}).get(key, key.replace("_", " ")), "\n".join(_lines(value)))
    Console().print(table, highlight=False, markup=False)


def _lines(value: object) -> Iterator[str]:
    """Yield the lines of a value: lists separated by commas, one line per key of a dictionary, nested ones indented."""
    if not isinstance(value, Mapping) or not value:
        yield _text(value)
        return
    for key, item in list(value.items())[:MOST_ROWS]:
        if isinstance(item, Mapping) and item:
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(item))
        else:
            yield f"{key}: {_text(item)}"
    if len(value) > MOST_ROWS:
        yield f"... and {len(value) - MOST_ROWS} more"


def _text(value: object) -> str:
    """Return a value in one line; a missing one is a dash."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)
