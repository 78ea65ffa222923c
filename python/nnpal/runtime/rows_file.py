"""Text files that grow by whole rows, on a full disk too."""

from __future__ import annotations

import os
from pathlib import Path

from nnpal.runtime.disk_full import told_if_full

HELD_BACK = 1 << 13
"""Characters that are kept in memory before they are written."""


class RowsFile:
    """Append rows to a file; what a full disk cuts off is taken away again, so that only whole rows are there.

    Arguments:
        path: made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[str] = []
        self._n_held = 0
        with told_if_full(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def add(self, row: str) -> None:
        """Append ``row``, which ends with a line end."""
        self._rows.append(row)
        self._n_held += len(row)
        if self._n_held >= HELD_BACK:
            self.flush()

    def flush(self) -> None:
        """Write what is held back.

        Raises:
            nnpal.runtime.disk_full.DiskFullError: no space is left; the rows of before are whole.
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
        """Write what is held back, and close the file; once more does nothing."""
        if self._descriptor < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
