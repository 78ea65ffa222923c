"""Atomic writing of files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full

LEFTOVER = re.compile(r"\.\d+\..")
"""Names of temporary files, which start with the process ID."""


@contextmanager
def aside(path: Path, needed: int | None = None, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; flush it and rename it on success, remove it on failure.

    The suffix is kept, because writers choose the format by it. After a power failure there is either the old or the
    new file, complete.

    Arguments:
        needed: size of the file, bytes, if known; an error about a full disk then states it.
        durable: False: do not wait for the disk; a power failure may then leave an incomplete new file.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: the disk is full; ``path`` is unchanged.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    with told_if_full(path, needed):
        try:
            yield temporary
            if durable and not temporary.is_symlink():
                sync(temporary)
            os.replace(temporary, path)
            if durable:
                sync(path.parent)
        except OSError as error:
            if error.filename is not None and str(error.filename) == str(temporary):
                error.filename = str(path)  # the file name that the user knows
            raise
        finally:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write ``content`` to ``path`` atomically.

    Use it for libraries that do not survive a full disk when they write files: let them write to memory first.
    """
    with aside(path, len(content), durable=durable) as temporary:
        temporary.write_bytes(content)


def sync(path: Path) -> None:
    """Flush the content of a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush everything below ``folder`` to disk, except the targets of links."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                sync(path)
        sync(Path(place))


def remove_leftovers(folder: Path, levels: int | None = None) -> None:
    """Remove temporary files of killed processes below ``folder``, in which no process may be running.

    Arguments:
        levels: depth of the search, 1 for ``folder`` only; by default unlimited.
    """
    patterns = ["**/.*"] if levels is None else ["*/" * level + ".*" for level in range(levels)]
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    for path in [path for path in found if LEFTOVER.match(path.name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
