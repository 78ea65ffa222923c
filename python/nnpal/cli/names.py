"""Arguments that may assign a name to a file or folder: NAME=PATH."""

from __future__ import annotations

from pathlib import Path


def name_and_place(text: str) -> tuple[str | None, str]:
    """Split NAME=PATH into the name and the path; return None and ``text`` if there is no name.

    Text that is the path of an existing file or folder (lr=0.1/model.pt), or that has a slash before the equals sign,
    is a path without a name.
    """
    name, sign, place = text.partition("=")
    return (None, text) if not sign or "/" in name or Path(text).exists() else (name, place)
