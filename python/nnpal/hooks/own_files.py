"""Protection of other files from being overwritten by hooks."""

from __future__ import annotations

from pathlib import Path

from nnpal.hooks.error import HookError
from nnpal.runtime.places import IsOwn, file_fault


def require_own(option: str, path: Path, is_own: IsOwn, kind: str) -> None:
    """Reject a path that contains a file of another kind, which a run would have to move.

    Arguments:
        option: option that names the path.
        path: path of the file to write.
        is_own: returns whether a file is of the expected kind.
        kind: name of the expected kind, for messages.

    Raises:
        HookError: the path is a folder or a file of another kind, or its folder does not exist or is not writable.
    """
    if fault := file_fault(path, is_own, kind):
        raise HookError(f"option {option}: {fault}")
