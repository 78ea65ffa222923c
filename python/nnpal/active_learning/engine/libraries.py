"""What stands for a compiled library in the key of a stage: its sources and how they were built, not its bytes.

A linker puts folders and build identities into a library, so that two builds of the same sources differ. CMake puts
``NNPAL_SOURCES=`` and a hash of sources and settings into each (``cmake/MarkSources.cmake``), which a rebuild gives
again and a change of a source, once it is built, does not.
"""

from __future__ import annotations

import mmap
import re
from functools import cache
from pathlib import Path

from nnpal.runtime.json_files import file_hash

MARK = re.compile(rb"NNPAL_SOURCES=([0-9a-f]{64})\0")


def library_hash(path: Path) -> str:
    """Return the hash of what a library was built from, or of its content where it does not say so."""
    stat = path.stat()
    return _library_hash(path, stat.st_mtime_ns, stat.st_size)


@cache
def _library_hash(path: Path, modified: int, size: int) -> str:
    if size == 0:
        return file_hash(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marks = {mark.decode() for mark in MARK.findall(content)}
    return marks.pop() if len(marks) == 1 else file_hash(path)
