"""Keep a file of an earlier run instead of writing over it."""

from __future__ import annotations

from pathlib import Path


def set_aside(path: Path) -> Path | None:
    """Rename a file to the first free of `name.bak1`, `name.bak2`, ...; return that name, None without a file."""
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.name}.bak{number}")).exists():
        number += 1
    path.rename(kept)
    return kept
