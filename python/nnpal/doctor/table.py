"""Format checks as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from nnpal.doctor.outcome import Check

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def is_well(checks: Sequence[Check]) -> bool:
    """Return whether no check failed."""
    return all(check.status != "fail" for check in checks)


def to_json(checks: Sequence[Check]) -> str:
    """Return checks as JSON: {"ok": bool, "checks": [{"name", "status", "detail", "cure"}, ...]}."""
    rows = [dataclasses.asdict(check) for check in checks]
    return json.dumps({"ok": is_well(checks), "checks": rows}, indent=2)


def to_table(checks: Sequence[Check]) -> Table:
    """Return a table of the checks in three columns, each fix below its check."""
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    for check in checks:
        found = Text(check.detail)
        if check.cure:
            found.append(f"\n-> {check.cure}", style="bold")
        table.add_row(check.name, Text(check.status, style=_COLORS[check.status]), found)
    return table
