"""The file that a pull writes: `#! FIELDS step d lambda force work` and a row of every so many steps."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from nnpal.files import write_whole
from nnpal.hooks import HookError
from nnpal.locks import Writer
from nnpal.rows_file import RowsFile

FIELDS = ("step", "d", "lambda", "force", "work")
_SECONDS_BETWEEN_FLUSHES = 1.0


class TraceFile:
    """Rows of a pull, appended; rank 0 writes, all ranks count.

    A new pull begins a new file. A pull that goes on from a restart file keeps the rows up to there and drops those
    of steps that will be repeated. The file is opened at the first row, so that a script which fails to start leaves
    an older file alone.

    Arguments:
        path: file name.
        facts: written into `#! SET` lines.
        writes: whether this rank writes.
    """

    def __init__(self, path: str | os.PathLike[str], facts: dict[str, Any], *, writes: bool) -> None:
        self.n_rows = 0
        self._path = Path(path)
        self._facts = facts
        self._writes = writes
        self._file: RowsFile | None = None
        self._writer: Writer | None = None
        self._flushed = 0.0
        if writes and not self._path.absolute().parent.is_dir():
            raise HookError(f"file {path}: there is no folder {self._path.parent}; create it")

    def write(self, step: int, values: np.ndarray) -> None:
        """Append a row: step, and d, λ, force, work with all their digits."""
        self.n_rows += 1
        if not self._writes:
            return
        if self._file is None:
            self._be_writer()
            self._file = self._open_new() if self.n_rows == 1 else RowsFile(self._path)
        self._file.add(f"{step} " + " ".join(f"{value:.17g}" for value in values.tolist()) + "\n")
        now = time.monotonic()
        if now - self._flushed > _SECONDS_BETWEEN_FLUSHES:
            self._flushed = now
            self._file.flush()

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        finally:
            if self._writer is not None:
                self._writer.release()
                self._writer = None

    def _be_writer(self) -> None:
        if self._writer is None:
            self._writer = Writer(self._path)

    def state(self) -> dict[str, Any]:
        self.flush()
        return {"path": str(self._path), "n_rows": self.n_rows}

    def load(self, state: dict[str, Any]) -> None:
        """Go on after the first n rows of the same file; another or a lost file is begun anew."""
        if state["path"] != str(self._path):
            return
        rows_kept = self._truncate(state["n_rows"]) if self._path.is_file() or not self._writes else 0
        self.n_rows = rows_kept

    def _truncate(self, n_rows: int) -> int:
        if not self._writes:
            return n_rows
        self._be_writer()
        lines = self._path.read_text().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # cut off as LAMMPS was killed
            lines.pop()
        rows = [i for i, line in enumerate(lines) if not line.startswith("#")]
        kept = min(n_rows, len(rows))
        write_whole(self._path, "".join(lines[: rows[kept]] if kept < len(rows) else lines).encode())
        return kept

    def _open_new(self) -> RowsFile:
        lines = ["#! FIELDS " + " ".join(FIELDS), *(f"#! SET {name} {value}" for name, value in self._facts.items())]
        write_whole(self._path, ("\n".join(lines) + "\n").encode())
        return RowsFile(self._path)
