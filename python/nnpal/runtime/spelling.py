"""Suggestions for misspelled words."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean X?` with the nearest known name, and all names if there are few."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not nearest:
        nearest = [k for k in known if k.lower() == name.lower()]
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{hint} (known: {', '.join(known)})" if known else hint
