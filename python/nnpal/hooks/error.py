"""User errors in hooks, and the text of errors in LAMMPS's log."""

from __future__ import annotations

import traceback
from types import TracebackType

from nnpal.runtime.disk_full import DiskFullError
from nnpal.runtime.locks import HeldError


class HookError(ValueError):
    """An error in an input script or its files: LAMMPS prints the message without a traceback."""


def describe(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> str:
    """Return what LAMMPS prints for an exception: the message for a HookError, a full disk or a second writer, the
    traceback for any other.
    """
    if isinstance(error, HookError | DiskFullError | HeldError):
        return str(error)
    return "\n" + "".join(traceback.format_exception(kind, error, trace)).rstrip()
