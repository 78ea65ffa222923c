"""Text files, gzipped or not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TextIO


def opened(path: str | os.PathLike[str]) -> TextIO:
    """Open a text file; one whose name ends in .gz is decompressed."""
    if Path(path).suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")
