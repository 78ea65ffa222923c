"""Hash of a compiled library for the key of a stage: of its sources and build settings, not its bytes.

A linker stores folders and build IDs in a library, so two builds of the same sources differ. CMake stores
``NNPAL_SOURCES=`` and a hash of sources and settings in each library (``cmake/MarkSources.cmake``); the hash changes
only if a changed source or setting is built.
"""

from __future__ import annotations

import mmap
import re
from functools import cache
from pathlib import Path

from nnpal.runtime.json_files import file_hash

MARK = re.compile(rb"NNPAL_SOURCES=([0-9a-f]{64})\0")


def library_hash(path: Path) -> str:
    """Return the hash of the sources of a library, or of its content if it has no unique mark."""
    stat = path.stat()
    return _library_hash(path, stat.st_mtime_ns, stat.st_size)


@cache
def _library_hash(path: Path, modified: int, size: int) -> str:
    if size == 0:
        return file_hash(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marks = {mark.decode() for mark in MARK.findall(content)}
    return marks.pop() if len(marks) == 1 else file_hash(path)
