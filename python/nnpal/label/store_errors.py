"""Errors of label stores: a corrupted file, a file of another kind, or a full disk."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnpal.runtime.disk_full import DiskFullError, disk_full, require_room

SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN = 10, 13, 14
"""SQLite's result codes (sqlite.org/rescode.html), which Python defines since 3.11."""


class StoreError(ValueError):
    """A label store that cannot be used."""


@contextmanager
def told_if_damaged(path: Path) -> Iterator[None]:
    """Convert errors of SQLite and Python about a corrupted file to ours.

    Raises:
        StoreError: tables, texts or numbers are corrupted.
    """
    try:
        yield
    except (StoreError, DiskFullError):
        raise
    except (sqlite3.DatabaseError, ValueError, TypeError, ArithmeticError, OSError) as error:
        is_damage = any(word in str(error) for word in ("decode", "malformed", "no such", "syntax error"))
        if isinstance(error, sqlite3.OperationalError) and not is_damage:  # busy, read-only, no memory, ...
            raise
        raise damaged(path, str(error)) from error


def damaged(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{path}: damaged label store: {what}; take it from a copy, or save what SQLite's `.recover` finds in it"
    )


@contextmanager
def told_if_full(path: Path) -> Iterator[None]:
    """Convert SQLite's error about a full disk to ours; earlier entries are intact.

    Raises:
        DiskFullError: the disk is full.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if not _is_full(error, path.absolute().parent):
            raise
        raise disk_full(path, errno.ENOSPC) from error


def _is_full(error: sqlite3.OperationalError, folder: Path) -> bool:
    """Return whether the disk is full: SQLite reports it, or failed to read or write on a disk without free space."""
    code = getattr(error, "sqlite_errorcode", None)  # since Python 3.11
    if code is None:
        return "disk is full" in str(error) or ("I/O error" in str(error) and not _has_room(folder))
    primary = code & 0xFF
    return primary == SQLITE_FULL or (primary in (SQLITE_IOERR, SQLITE_CANTOPEN) and not _has_room(folder))


def _has_room(folder: Path) -> bool:
    try:
        require_room(folder)
    except DiskFullError:
        return False
    return True
