"""Write over no file but MOMT's own, and keep those of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nnpal.hooks import HookError


def require_own(option: str, path: Path, is_own: Callable[[Path], bool], kind: str) -> None:
    """Refuse a path at which a run could write only by moving what is not MOMT's.

    Args:
        option: that names the path.
        path: where the run would write.
        is_own: whether a file is one of MOMT's.
        kind: what such a file is called.

    Raises:
        HookError: the path is a folder or another's file, or its folder does not exist or cannot be written to.
    """
    if path.is_dir():
        raise HookError(f"option {option}: {path} is a folder; give the name of a file")
    if os.path.lexists(path) and not (path.is_file() and is_own(path)):
        raise HookError(
            f"option {option}: {path} exists and is not a {kind} file of MOMT; it is left unchanged. Give another "
            "name, or move it away"
        )
    if not path.parent.is_dir():
        raise HookError(f"option {option}: there is no folder {path.parent} for {path}; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise HookError(f"option {option}: {path} cannot be written, as folder {path.parent} is not yours to write in")


def set_aside(path: Path) -> Path | None:
    """Rename a file to the first free of `name.bak1`, `name.bak2`, ...; return that name, None without a file."""
    if not path.exists():
        return None
    number = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.bak{number}")):
        number += 1
    path.rename(kept)
    return kept
