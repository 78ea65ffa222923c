"""A small separate file system, for tests of full disks; mounting needs privileges."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import run

BALLAST = "ballast"


class SmallDisk:
    """A file system in memory.

    Attributes:
        path: mount point.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def leave(self, n_bytes: int) -> None:
        """Fill the disk so that about ``n_bytes`` are free, in whole pages."""
        self.free()
        size = shutil.disk_usage(self.path).free - n_bytes
        assert size > 0, "the disk is smaller than what is to be left"
        with (self.path / BALLAST).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def free(self) -> None:
        """Remove the ballast."""
        (self.path / BALLAST).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all files and folders except the ballast, relative to the disk."""
        found = (str(path.relative_to(self.path)) for path in self.path.rglob("*"))
        return sorted(name for name in found if name != BALLAST)


@contextmanager
def small_disk(path: Path, megabytes: float) -> Iterator[SmallDisk]:
    """Mount a file system of ``megabytes`` MiB; skip the test if that is not allowed."""
    path.mkdir()
    size = f"size={int(megabytes * 2**20)}"
    mounting = run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)])
    if mounting.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounting.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        assert run(["umount", "--lazy", str(path)]).returncode == 0
