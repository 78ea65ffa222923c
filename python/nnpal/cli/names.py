"""Arguments that may give a file or folder a name: NAME=PLACE."""

from __future__ import annotations

from pathlib import Path


def name_and_place(text: str) -> tuple[str | None, str]:
    """Return the name and the place of NAME=PLACE, or None and ``text``.

    A file or folder that exists is a place as a whole (lr=0.1/model.pt), as is text with a sign after a slash.
    """
    name, sign, place = text.partition("=")
    return (None, text) if not sign or "/" in name or Path(text).exists() else (name, place)
