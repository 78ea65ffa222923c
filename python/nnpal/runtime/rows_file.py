"""Text files that grow by complete rows, even on a full disk."""

from __future__ import annotations

import os
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full

HELD_BACK = 1 << 13
"""Characters that are buffered before they are written."""


class RowsFile:
    """A file to which rows are appended; incomplete rows on a full disk are removed again.

    Arguments:
        path: file, created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[str] = []
        self._n_held = 0
        with told_if_full(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def add(self, row: str) -> None:
        """Append ``row``, which ends with a newline."""
        self._rows.append(row)
        self._n_held += len(row)
        if self._n_held >= HELD_BACK:
            self.flush()

    def flush(self) -> None:
        """Write the buffered rows.

        Raises:
            nnpal.runtime.disk_full.DiskFullError: the disk is full; earlier rows are complete.
        """
        content = "".join(self._rows).encode()
        self._rows, self._n_held = [], 0
        whole = os.fstat(self._descriptor).st_size
        with told_if_full(self._path):
            try:
                while content:
                    content = content[os.write(self._descriptor, content) :]
            except OSError:
                os.ftruncate(self._descriptor, whole)
                raise

    def close(self) -> None:
        """Write the buffered rows and close the file; a second call does nothing."""
        if self._descriptor < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
