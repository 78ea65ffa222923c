"""Check output paths before anything is computed; files of other kinds are never overwritten or removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

IsOwn = Callable[[Path], bool]
"""Function that returns whether a file is of the kind to be written."""


def file_fault(path: Path, is_own: IsOwn | None = None, kind: str = "") -> str:
    """Return why no file can be written at ``path``, and how to fix it; "" if it can.

    Arguments:
        is_own: returns whether an existing file may be replaced or moved; None allows any.
        kind: name of this kind of file, e.g. "trace file of MOMT".
    """
    if path.is_dir():
        return f"{path} is a folder; give the name of a file"
    if is_own is not None and os.path.lexists(path) and not (path.is_file() and is_own(path)):
        return f"{path} exists and is not a {kind}; it is left unchanged. Give another name, or move it away"
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} for {path}; create it first, or give another name"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be written, because folder {folder} is not writable for you; give another name"
    return ""


def folder_fault(path: Path) -> str:
    """Return why ``path`` cannot be created as a folder or written to, and how to fix it; "" if it can."""
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            return f"folder {path} is not writable for you; give another one"
        return ""
    if os.path.lexists(path):
        return f"{path} is a file, expected a folder; give another name"
    above = next(place for place in path.absolute().parents if os.path.lexists(place))
    if not above.is_dir():
        return f"{path} cannot be created, because {above} is a file; give another name"
    if not os.access(above, os.W_OK | os.X_OK):
        return f"{path} cannot be created, because folder {above} is not writable for you; give another name"
    return ""


def require_file(name: str, path: Path, is_own: IsOwn | None = None, kind: str = "") -> None:
    """Refuse a path at which no file can be written; the error gives ``name`` as the source of the path.

    Raises:
        ValueError: see :func:`file_fault`.
    """
    if fault := file_fault(path, is_own, kind):
        raise ValueError(f"{name}: {fault}")


def require_folder(name: str, path: Path) -> None:
    """Refuse a path that cannot be created as a folder or written to.

    Raises:
        ValueError: see :func:`folder_fault`.
    """
    if fault := folder_fault(path):
        raise ValueError(f"{name}: {fault}")


def set_aside(path: Path) -> Path | None:
    """Rename a file to the first free name of `name.bak1`, `name.bak2`, ...; return it, or None without a file."""
    if not path.exists():
        return None
    number = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.bak{number}")):
        number += 1
    path.rename(kept)
    return kept


def begins_with(path: Path, start: bytes) -> bool:
    """Return whether a file starts with these bytes."""
    with open(path, "rb") as file:
        return file.read(len(start)) == start
