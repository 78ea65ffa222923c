"""Options of a calculator that are not single words of an input script (tables, lists, its program), as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nnpal.hooks import HookError
from nnpal.oracle.errors import OracleError
from nnpal.oracle.programs import arguments

KEYS = ("options", "profile")


def as_word(options: Mapping[str, Any], profile: Mapping[str, str] | None) -> str:
    """Return options and a profile as one quoted word of an input script."""
    table = {"options": options} if profile is None else {"options": options, "profile": profile}
    return "'" + json.dumps(table).replace("'", "\\u0027") + "'"


def options_of(word: str, calculator: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a calculator, from single words and the output of :func:`as_word`.

    Raises:
        HookError: an invalid text, an option given twice, or a program that does not exist.
    """
    try:
        table = json.loads(word)
    except json.JSONDecodeError as error:
        raise HookError(
            f"table {word[:60]!r} is not valid JSON: {error}; quote all of it: '{{\"options\": {{...}}}}'"
        ) from error
    if (
        not isinstance(table, dict)
        or not set(table) <= set(KEYS)
        or not all(isinstance(v, dict) for v in table.values())
    ):
        raise HookError(f"table {word[:60]!r}: expected the tables options and profile")
    given = dict(table.get("options", {}))
    if twice := sorted(set(given) & set(options)):
        raise HookError(f"option {twice[0]} is given as a word and in table; remove either")
    both = {**given, **options}
    try:
        return both if "profile" not in table else arguments(calculator, both, table["profile"])
    except OracleError as error:
        raise HookError(str(error).replace("oracle.profile", "profile")) from error
