"""A user's mistake in a hook, and how errors become text for LAMMPS's log."""

from __future__ import annotations

import traceback
from types import TracebackType

from nnpal.runtime.disk_full import DiskFullError
from nnpal.runtime.locks import HeldError


class HookError(ValueError):
    """A mistake in an input script or its files: LAMMPS prints the message, without a traceback."""


def describe(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> str:
    """Return what LAMMPS prints of an exception: the message of a HookError, a full disk or a second writer, the whole
    traceback of any other.
    """
    if isinstance(error, HookError | DiskFullError | HeldError):
        return str(error)
    return "\n" + "".join(traceback.format_exception(kind, error, trace)).rstrip()
