"""Progress of labeling on the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from nnpal.label.labeling import Progress


class LabelProgress:
    """Progress bar: configurations done, from the store, failed, and time left."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("labeling"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar: Any = None

    def __enter__(self) -> LabelProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(self, progress: Progress) -> None:
        """Update the bar; labels found in the store at the start do not enter the estimate of the time left."""
        counts = f"{progress.from_store} from the store, {progress.failed} failed"
        if self._bar is None:
            self._bar = self._bars.add_task("", total=progress.total, completed=progress.done, counts=counts)
        else:
            self._bars.update(self._bar, completed=progress.done, counts=counts)
