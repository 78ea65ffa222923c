"""Nested options of calculators, such as "input_data.system.tot_charge"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def option(options: Mapping[str, Any], path: str) -> Any:
    """Return a nested option, or None.

    Its last name may also be in an outer table, as ASE's Espresso accepts flat tables.
    """
    *tables, name = path.split(".")
    found: Any = options
    values = []
    for table in [*tables, None]:
        if not isinstance(found, Mapping):
            break
        values.append(found.get(name))
        found = found.get(table) if table else None
    return next((value for value in reversed(values) if value is not None), None)


def with_option(options: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return options with one added: in its table, or in an outer table if that is flat."""
    name, _, rest = path.partition(".")
    if not rest:
        return {**options, name: value}
    table = options.get(name)
    inner = dict(table) if isinstance(table, Mapping) else {}
    is_flat = bool(inner) and not any(isinstance(entry, Mapping) for entry in inner.values())
    return {**options, name: with_option(inner, rest.rpartition(".")[2] if is_flat else rest, value)}
