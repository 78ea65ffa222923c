"""Files that hooks write: none but their own kind is written over."""

from __future__ import annotations

from pathlib import Path

from nnpal.hooks.error import HookError
from nnpal.runtime.places import IsOwn, file_fault


def require_own(option: str, path: Path, is_own: IsOwn, kind: str) -> None:
    """Refuse a path at which a run could write only by moving what is of another kind.

    Arguments:
        option: that names the path.
        path: where the run would write.
        is_own: whether a file is of that kind.
        kind: what such a file is called.

    Raises:
        HookError: the path is a folder or another's file, or its folder does not exist or cannot be written to.
    """
    if fault := file_fault(path, is_own, kind):
        raise HookError(f"option {option}: {fault}")
