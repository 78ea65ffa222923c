"""Temporary folders; those of killed runs are removed by the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full

PREFIX = "nnpal-"
LOCK = ".held"
"""Lock file in each folder, locked by its owner while that runs."""
MAKING = ".making-"
"""Prefix of folders that do not have their lock yet."""


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield an empty temporary folder and remove it at the end; abandoned folders of this user are removed first.

    Arguments:
        purpose: a word for its name.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: the disk is full.
    """
    place = Path(tempfile.gettempdir())
    remove_dead(place)
    with told_if_full(place / f"{PREFIX}{purpose}"):
        making = Path(tempfile.mkdtemp(prefix=f"{MAKING}{PREFIX}{purpose}-", dir=place))
        held = os.open(making / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):  # without locks only the owner removes a folder
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = making.with_name(making.name.removeprefix(MAKING))
        making.rename(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def remove_dead(place: Path) -> None:
    """Remove folders of :func:`scratch_folder` in ``place`` that belong to this user and whose process is gone."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            held = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)  # fails for other folders
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
