"""``log.csv`` of a member: written by its worker, and read to monitor a running training."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from nnpal.runtime.disk_full import told_if_full
from nnpal.runtime.files import aside
from nnpal.training.member import EpochRecord

LOG = "log.csv"
SECONDS, FINISHED = "seconds", "finished"
WHOLE_NUMBERS = ("epoch", "updates")


@dataclass(frozen=True)
class Line:
    """One line of a log.

    Attributes:
        record: losses and MAEs of the epoch.
        seconds: wall time of the epoch, s; None: an earlier worker ran it.
        finished: whether this is the last epoch.
    """

    record: EpochRecord
    seconds: float | None = None
    finished: bool = False


class Log:
    """Writer of a log, one line per epoch; it starts with the epochs in the checkpoint.

    Arguments:
        path: path of the log; an existing file is replaced atomically.
        history: records of the member's earlier epochs.
        finished: whether the member has finished training.
    """

    def __init__(self, path: Path, history: Sequence[EpochRecord], *, finished: bool) -> None:
        self._path = path
        with aside(path) as temporary, temporary.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*(field.name for field in fields(EpochRecord)), SECONDS, FINISHED])
            for record in history:
                rows.writerow(_row(Line(record, finished=finished and record is history[-1])))

    def add(self, line: Line) -> None:
        """Append a line."""
        with told_if_full(self._path), self._path.open("a", newline="") as file:
            csv.writer(file).writerow(_row(line))


def _row(line: Line) -> list[object]:
    seconds = "" if line.seconds is None else f"{line.seconds:.3f}"
    return [*asdict(line.record).values(), seconds, int(line.finished)]


class LogReader:
    """Reader of a growing log; each call reads the new lines.

    A log that another worker has restarted is read from its beginning; an incomplete line is read by the next call; a
    missing log has no lines.

    Arguments:
        path: path of the log.
        updates_per_epoch: updates per epoch, for logs of earlier versions, which do not count updates.

    Attributes:
        lines: lines read so far.
        written: when the log was last written, s since 1970 by the clock of its file system; 0 without a log.
        has_changed: whether the log has changed since the first call.
    """

    def __init__(self, path: Path, updates_per_epoch: int) -> None:
        self._path = path
        self._updates_per_epoch = updates_per_epoch
        self._first: tuple[int, int] | None = None
        self.has_changed = False
        self.lines: list[Line] = []
        self.written = 0.0
        self._inode, self._offset = 0, 0
        self._header: list[str] = []

    def read(self) -> None:
        """Read new lines."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not self._goes_on(file, status):
                    self._forget()
                file.seek(self._offset)
                self._take(file.read())
            self._inode, self.written = status.st_ino, status.st_mtime
        except OSError:  # the log or its file system is not there (yet)
            self._forget()
        found = (self._inode, self._offset)
        self._first = self._first or found
        self.has_changed = self.has_changed or found != self._first

    def _forget(self) -> None:
        self._inode, self._offset, self.written = 0, 0, 0.0
        self._header, self.lines = [], []

    def _goes_on(self, file: BinaryIO, status: os.stat_result) -> bool:
        """Return whether this is the log read before; a file system may give a removed file's inode to a new file."""
        if status.st_ino != self._inode or status.st_size < self._offset:
            return False
        file.seek(max(0, self._offset - 1))
        return self._offset == 0 or file.read(1) == b"\n"

    def _take(self, content: bytes) -> None:
        """Parse the complete lines."""
        whole = content[: content.rfind(b"\n") + 1]
        for row in csv.reader(whole.decode(errors="replace").splitlines()):
            if not self._header:
                self._header = row
                continue
            with suppress(ValueError, TypeError, csv.Error):  # a line damaged by a power failure
                self.lines.append(self._parsed(row))
        self._offset += len(whole)

    def _parsed(self, row: list[str]) -> Line:
        cells = dict(zip(self._header, row, strict=True))
        values: dict[str, Any] = {
            field.name: (int if field.name in WHOLE_NUMBERS else float)(cells[field.name])
            for field in fields(EpochRecord)
            if field.name in cells
        }
        values.setdefault("updates", (int(values["epoch"]) + 1) * self._updates_per_epoch)
        seconds = cells.get(SECONDS)
        return Line(EpochRecord(**values), float(seconds) if seconds else None, cells.get(FINISHED) == "1")
