"""A full disk is an error that says which file could not be written, what it needs, and how to fix it."""

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
"""Errors of the system that mean there is no room, in words."""
EXIT_DISK_FULL = 74
"""Status of processes of nnpal that found the disk full."""
LOG_ROOM = 1 << 16
"""Bytes that must be free for the last lines of a log."""


class DiskFullError(OSError):
    """There is no room for a file; ``errno`` is the system's, the text names file, bytes and fix."""

    def __str__(self) -> str:
        return str(self.strerror)


def disk_full(
    path: Path, number: int = errno.ENOSPC, needed: int | None = None, folder: Path | None = None
) -> DiskFullError:
    """Return the error for ``path``.

    Arguments:
        folder: on the disk, by default that of the path.
        number: the system's error, one of :data:`REASONS`.
        needed: bytes of the whole file, where they are known.
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
    """Whether ``error``, or what it was raised from or amid, is a full disk or a spent quota."""
    return _behind(error) is not None


def full_disk_behind(
    error: BaseException, path: Path, needed: int | None = None, folder: Path | None = None
) -> DiskFullError | None:
    """Return the full disk that ``error`` is, or that it was raised from or amid; None where there is none.

    Arguments:
        path, needed, folder: for :func:`disk_full`, where no file is named yet.
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
    """End this process by :data:`EXIT_DISK_FULL`, with the error's text where even its log has room for that."""
    with suppress(OSError):
        print(error, file=sys.stderr, flush=True)
    os._exit(EXIT_DISK_FULL)  # the end of Python would write again, and change the status


@contextmanager
def told_if_full(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn the system's error of a full disk, while ``path`` is written, into :class:`DiskFullError`.

    A library that tidies up after it may raise another error instead, such as matplotlib an AttributeError for a PDF.

    Arguments:
        needed: bytes of the whole file, where they are known.

    Raises:
        DiskFullError: no space is left.
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
    """Refuse to trust programs that do not look whether their writing succeeds, such as LAMMPS with its dumps.

    Raises:
        DiskFullError: another ``n_bytes`` cannot be written in ``folder``.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.posix_fallocate(probe.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in REASONS:  # others: a file system that has no such call
            raise disk_full(folder, error.errno, n_bytes, folder) from error
