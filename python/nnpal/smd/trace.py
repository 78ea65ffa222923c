"""The output file of a pull, in the format of PLUMED's COLVAR files, with rows at regular intervals."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnpal.hooks.own_files import require_own
from nnpal.runtime.files import write_whole
from nnpal.runtime.locks import Writer
from nnpal.runtime.places import begins_with, set_aside
from nnpal.runtime.rows_file import RowsFile

FIELDS = ("step", "d", "lambda", "force", "work")
"""Columns that readers require."""
_HEADER = "#! FIELDS time " + " ".join(FIELDS)
_EARLIER_HEADER = "#! FIELDS " + " ".join(FIELDS)  # of versions without time
_SECONDS_BETWEEN_FLUSHES = 1.0


class TraceFile:
    """Writer of a pull's rows; rank 0 writes, all ranks count.

    A new pull starts a new file, and the file of an earlier pull is kept under another name. A pull that continues
    from a restart file keeps the rows up to the restart and drops those of steps that will be repeated. The file is
    opened at the first row, so that a script that fails to start does not change an older file.

    Arguments:
        path: file name.
        facts: facts for the `#! SET` lines.
        writes: whether this rank writes.
        log: function that reports the new name of an earlier file.

    Raises:
        HookError: there is another kind of file, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        facts: dict[str, Any],
        *,
        writes: bool,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.n_rows = 0
        self._path = Path(path)
        self._facts = facts
        self._writes = writes
        self._file: RowsFile | None = None
        self._writer: Writer | None = None
        self._flushed = 0.0
        self._log = log
        if writes:
            self._require_own()

    def write(self, time_: float, step: int, values: Sequence[float]) -> None:
        """Append a row: time, step, and d, λ, force and work with all digits."""
        self.n_rows += 1
        if not self._writes:
            return
        if self._file is None:
            self._be_writer()
            self._file = self._open_new() if self.n_rows == 1 else RowsFile(self._path)
        self._file.add(f"{time_:.15g} {step} " + " ".join(f"{value:.17g}" for value in values) + "\n")
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
            self._require_own()  # again: a file may have been created since the fix was defined
            self._writer = Writer(self._path)

    def _require_own(self) -> None:
        require_own("file", self._path, is_trace_file, "trace file of SMD")

    def state(self) -> dict[str, Any]:
        self.flush()
        return {"path": str(self._path), "n_rows": self.n_rows}

    def load(self, state: dict[str, Any]) -> None:
        """Continue after the first n rows of the same file; otherwise start a new file."""
        if state["path"] != str(self._path):
            return
        there = self._path.is_file() and begins_with(self._path, _HEADER.encode())
        rows_kept = self._truncate(state["n_rows"]) if there or not self._writes else 0
        self.n_rows = rows_kept

    def _truncate(self, n_rows: int) -> int:
        if not self._writes:
            return n_rows
        self._be_writer()
        lines = self._path.read_text().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # cut off when LAMMPS was killed
            lines.pop()
        rows = [i for i, line in enumerate(lines) if not line.startswith("#")]
        kept = min(n_rows, len(rows))
        write_whole(self._path, "".join(lines[: rows[kept]] if kept < len(rows) else lines).encode())
        return kept

    def _open_new(self) -> RowsFile:
        if kept := set_aside(self._path):
            self._log(f"smd: {self._path} of an earlier pull is kept as {kept}")
        # one word each, because PLUMED ignores a SET of several
        lines = [_HEADER, *(f"#! SET {name} {str(value).replace(' ', ',')}" for name, value in self._facts.items())]
        write_whole(self._path, ("\n".join(lines) + "\n").encode())
        return RowsFile(self._path)


def is_trace_file(path: Path) -> bool:
    """Return whether a file starts like a trace of SMD."""
    return any(begins_with(path, header.encode()) for header in (_HEADER, _EARLIER_HEADER))
