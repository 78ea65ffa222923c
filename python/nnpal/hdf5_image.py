"""HDF5 files that are built in memory and written at once.

HDF5 keeps what it could not write and tries again whenever it closes anything, the last time as the process ends, where
that is a crash (h5py 3.16, HDF5 2.0: a segmentation fault after `No space left on device`). In memory nothing of that
can happen, and writing the image is an ordinary write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import h5py

from nnpal.files import write_whole


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Give an HDF5 file to fill; on success it appears at ``path``, whole, and on failure nothing is touched.

    Raises:
        nnpal.disk_full.DiskFullError: no space is left.
    """
    image = BytesIO()  # HDF5's own memory (its driver `core`) can be written only from a second copy
    with h5py.File(image, "w") as file:
        yield file
    write_whole(path, image.getbuffer())
