"""``log.csv`` of a member: written by its worker, and read by whoever wants to see the training while it lasts."""

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
        record: of the epoch.
        seconds: wall time of the epoch, s; None: done by an earlier worker.
        finished: whether no epoch follows.
    """

    record: EpochRecord
    seconds: float | None = None
    finished: bool = False


class Log:
    """Write a log: a line for each epoch, first those that the checkpoint knows of.

    Arguments:
        path: of the log; one that is there is replaced, whole.
        history: of the member so far.
        finished: whether the member is trained to its end.
    """

    def __init__(self, path: Path, history: Sequence[EpochRecord], *, finished: bool) -> None:
        self._path = path
        with aside(path) as temporary, temporary.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*(field.name for field in fields(EpochRecord)), SECONDS, FINISHED])
            for record in history:
                rows.writerow(_row(Line(record, finished=finished and record is history[-1])))

    def add(self, line: Line) -> None:
        """Write a line at the end."""
        with told_if_full(self._path), self._path.open("a", newline="") as file:
            csv.writer(file).writerow(_row(line))


def _row(line: Line) -> list[object]:
    seconds = "" if line.seconds is None else f"{line.seconds:.3f}"
    return [*asdict(line.record).values(), seconds, int(line.finished)]


class LogReader:
    """Read a log that grows: each call takes what is new.

    A log that another worker has restarted is read again; a line that is not whole yet waits for the next call; a log
    that is not there has no lines.

    Arguments:
        path: of the log.
        updates_per_epoch: for logs of earlier versions, which do not count updates.

    Attributes:
        lines: read so far.
        written: when the log was last written, s since 1970 by the clock of its file system; 0 where there is none.
        has_changed: since the first call.
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
        """Take what is new."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not self._goes_on(file, status):
                    self._forget()
                file.seek(self._offset)
                self._take(file.read())
            self._inode, self.written = status.st_ino, status.st_mtime
        except OSError:  # not there yet, or its file system is not
            self._forget()
        found = (self._inode, self._offset)
        self._first = self._first or found
        self.has_changed = self.has_changed or found != self._first

    def _forget(self) -> None:
        self._inode, self._offset, self.written = 0, 0, 0.0
        self._header, self.lines = [], []

    def _goes_on(self, file: BinaryIO, status: os.stat_result) -> bool:
        """Whether this is the log that was read before; file systems give a removed file's number to a new one."""
        if status.st_ino != self._inode or status.st_size < self._offset:
            return False
        file.seek(max(0, self._offset - 1))
        return self._offset == 0 or file.read(1) == b"\n"

    def _take(self, content: bytes) -> None:
        """Take lines that are whole."""
        whole = content[: content.rfind(b"\n") + 1]
        for row in csv.reader(whole.decode(errors="replace").splitlines()):
            if not self._header:
                self._header = row
                continue
            with suppress(ValueError, TypeError, csv.Error):  # a line that a power cut has spoiled
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
