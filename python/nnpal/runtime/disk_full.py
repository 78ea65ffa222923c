"""Errors about a full disk, which name the file, the space that it needs, and how to fix it."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

REASONS = {
    errno.ENOSPC: "no space left on its disk",
    errno.EDQUOT: "no space left in the disk quota",
    errno.EFBIG: "no space left below the largest size that a file may have here (ulimit -f)",
}
"""System errors that mean a full disk, as text."""
EXIT_DISK_FULL = 74
"""Exit status of nnpal's processes on a full disk."""
LOG_ROOM = 1 << 16
"""Free bytes required for the last lines of a log."""


class DiskFullError(OSError):
    """There is no space for a file; ``errno`` is the system's, the message names file, bytes and how to fix it."""

    def __str__(self) -> str:
        return str(self.strerror)


def disk_full(
    path: Path, number: int = errno.ENOSPC, needed: int | None = None, folder: Path | None = None
) -> DiskFullError:
    """Return the error for ``path``.

    Arguments:
        folder: folder on the full disk, by default that of the path.
        number: system error number, one of :data:`REASONS`.
        needed: size of the whole file, bytes, if known.
    """
    try:
        free = f"{shutil.disk_usage(folder or path.absolute().parent).free:,} bytes are free"
    except OSError:
        free = ""
    sizes = ", ".join(filter(None, (f"it needs {needed:,} bytes" if needed is not None else "", free)))
    return DiskFullError(
        number,
        f"{path}: {REASONS[number]}{f' ({sizes})' if sizes else ''}; free some space there, or name a file on another "
        "disk, and repeat the same command",
    )


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether ``error``, its cause or its context is a full disk or an exhausted quota."""
    return _behind(error) is not None


def full_disk_behind(
    error: BaseException, path: Path, needed: int | None = None, folder: Path | None = None
) -> DiskFullError | None:
    """Return ``error``, its cause or its context as a full-disk error; None if there is none.

    Arguments:
        path, needed, folder: arguments of :func:`disk_full`, used if the error names no file.
    """
    full = _behind(error)
    if full is None or isinstance(full, DiskFullError):
        return full
    return disk_full(path, full.errno or errno.ENOSPC, needed, folder)


def _behind(error: BaseException | None) -> OSError | None:
    while error is not None:
        if isinstance(error, OSError) and error.errno in REASONS:
            return error
        error = error.__cause__ or error.__context__
    return None


def end_for_full_disk(error: BaseException) -> NoReturn:
    """Exit with status :data:`EXIT_DISK_FULL`, after printing the error if the log has space for it."""
    with suppress(OSError):
        print(error, file=sys.stderr, flush=True)
    os._exit(EXIT_DISK_FULL)  # a normal exit would write again, and change the status


@contextmanager
def told_if_full(path: Path, needed: int | None = None) -> Iterator[None]:
    """Convert the system's full-disk errors, while ``path`` is written, to :class:`DiskFullError`.

    This includes errors that libraries raise while they clean up, such as matplotlib's AttributeError for a PDF.

    Arguments:
        needed: size of the whole file, bytes, if known.

    Raises:
        DiskFullError: the disk is full.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        full = full_disk_behind(error, path, needed)
        if full is None:
            raise
        raise full from error


def require_room(folder: Path, n_bytes: int = LOG_ROOM) -> None:
    """Check for space after programs that do not check whether writing succeeds, such as LAMMPS for its dumps.

    Raises:
        DiskFullError: another ``n_bytes`` cannot be written in ``folder``.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.posix_fallocate(probe.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in REASONS:  # others: a file system without this call
            raise disk_full(folder, error.errno, n_bytes, folder) from error
