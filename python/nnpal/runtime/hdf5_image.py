"""HDF5 files that are built in memory and written at once.

HDF5 keeps what it could not write and tries again whenever it closes anything, the last time as the process ends, where
that is a crash (h5py 3.16, HDF5 2.0: a segmentation fault after `No space left on device`). In memory nothing of that
can happen, and writing the image is an ordinary write.

Nor does HDF5 stand damaged files: some make it hang. So the image's SHA-256 follows the image, where HDF5 does not
look, and is compared before HDF5 opens the file. Whoever changes a file by HDF5 cuts it off.
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
"""Bytes by which the memory grows, and that are read at once."""
SEAL = b"nnpal SHA-256 of all before: "
SEAL_END = re.compile(rb"[0-9a-f]{16}\n")
SEAL_SIZE = len(SEAL) + 64 + 1


class BrokenSealError(OSError):
    """A file that is not as it was written."""


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Give an HDF5 file to fill; on success it appears at ``path``, whole, and on failure nothing is touched.

    Raises:
        nnpal.runtime.disk_full.DiskFullError: no space is left.
    """
    image = BytesIO()  # HDF5's own memory (its driver `core`) can be written only from a second copy
    with h5py.File(image, "w") as file:
        yield file
    view = image.getbuffer()
    with aside(path, len(view) + SEAL_SIZE) as temporary, temporary.open("wb") as written:
        written.write(view)
        written.write(_seal(hashlib.sha256(view)))


def _seal(digest: hashlib._Hash) -> bytes:
    return SEAL + digest.hexdigest().encode() + b"\n"


def check_seal(path: str | os.PathLike[str]) -> None:
    """Compare a file of :func:`new_hdf5` with its SHA-256, where it has one.

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
        if not seal.startswith(SEAL) and not SEAL_END.fullmatch(seal[-17:]):  # one of the two may be damaged
            return
        found, left = hashlib.sha256(), size
        file.seek(0)
        while left > 0 and (chunk := file.read(min(BLOCK, left))):
            found.update(chunk)
            left -= len(chunk)
    if seal != _seal(found):
        raise BrokenSealError("its bytes do not fit the SHA-256 at its end")
