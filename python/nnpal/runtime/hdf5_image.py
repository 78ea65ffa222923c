"""HDF5 files that are built in memory and written at once.

After a failed write HDF5 keeps the data and tries again whenever it closes anything, the last time at the end of the
process, which crashes it (h5py 3.16, HDF5 2.0: a segmentation fault after `No space left on device`). In memory this
cannot happen, and the image is written like any other file.

Corrupted files can make HDF5 hang. Therefore the image is followed by its SHA-256, which HDF5 ignores and which is
checked before HDF5 opens the file. Programs that change a file with HDF5 remove it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import h5py

from nnpal.runtime.files import aside

BLOCK = 1 << 20
"""Bytes that are read at once."""
SEAL = b"nnpal SHA-256 of all before: "
SEAL_END = re.compile(rb"[0-9a-f]{16}\n")
SEAL_SIZE = len(SEAL) + 64 + 1


class BrokenSealError(OSError):
    """A file whose content has changed since it was written."""


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file in memory; write it to ``path`` atomically on success.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: the disk is full.
    """
    image = BytesIO()  # HDF5's driver `core` would need a second copy in memory
    with h5py.File(image, "w") as file:
        yield file
    view = image.getbuffer()
    with aside(path, len(view) + SEAL_SIZE) as temporary, temporary.open("wb") as written:
        written.write(view)
        written.write(_seal(hashlib.sha256(view)))


def _seal(digest: hashlib._Hash) -> bytes:
    return SEAL + digest.hexdigest().encode() + b"\n"


def check_seal(path: str | os.PathLike[str]) -> None:
    """Compare a file of :func:`new_hdf5` with its SHA-256, if it has one.

    Raises:
        BrokenSealError: they differ.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END) - SEAL_SIZE
        if size < 0:
            return
        file.seek(size)
        seal = file.read()
        if not seal.startswith(SEAL) and not SEAL_END.fullmatch(seal[-17:]):  # one of the two may be corrupted
            return
        found, left = hashlib.sha256(), size
        file.seek(0)
        while left > 0 and (chunk := file.read(min(BLOCK, left))):
            found.update(chunk)
            left -= len(chunk)
    if seal != _seal(found):
        raise BrokenSealError("its bytes do not fit the SHA-256 at its end")
