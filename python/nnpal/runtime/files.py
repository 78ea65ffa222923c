"""Files that are whole or as they were."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full

LEFTOVER = re.compile(r"\.\d+\..")
"""Names of what is written aside: they begin with the process."""


@contextmanager
def aside(path: Path, needed: int | None = None, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; flush it to the disk and rename it on success, remove it on
    failure.

    The suffix stays, for writers choose their format by it. A power cut leaves the old file or the new one, whole.

    Arguments:
        needed: bytes of the file, where they are known; a full disk is then told with them.
        durable: False: do not wait for the disk; a power cut may then leave half of the new file.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: no space is left; ``path`` is as it was.
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
                error.filename = str(path)  # the name that the user knows
            raise
        finally:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write ``content`` to ``path``: all of it or nothing, whatever happens.

    For libraries that write a file themselves and do not survive a full disk: have them write to memory first.
    """
    with aside(path, len(content), durable=durable) as temporary:
        temporary.write_bytes(content)


def sync(path: Path) -> None:
    """Bring the content of a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring all below ``folder`` to the disk, but what links point to."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                sync(path)
        sync(Path(place))


def remove_leftovers(folder: Path, levels: int | None = None) -> None:
    """Remove below ``folder`` the temporary files of killed processes; no process may be running there.

    Arguments:
        levels: of folders to look into, 1 for ``folder`` alone; by default all.
    """
    patterns = ["**/.*"] if levels is None else ["*/" * level + ".*" for level in range(levels)]
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    for path in [path for path in found if LEFTOVER.match(path.name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
