"""Progress of a training, in a terminal or a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nnpal.training.standing import Observer, Standing
from nnpal.training.standing_table import HEADER, lines, row, summary

PERIOD = 1.0
"""Seconds between reads of the logs."""
QUIET, LONGEST_QUIET = 30.0, 300.0
STEP = 0.05
"""Without a terminal, a line is printed after QUIET seconds if the fraction STEP of the updates has been done since the
last line, else after LONGEST_QUIET."""


GONE = (OSError, SystemExit)
"""Errors of a closed terminal or pipe (rich raises SystemExit); they do not end a training."""


class TrainingProgress:
    """Display of members, updates, losses, MAEs and time left of a running training.

    A terminal shows a table that is updated in place, below other output of the console; a file gets a line now and
    then, and the table at the end. Values are read from the members' logs, so any process on any machine may train
    them. A training that does no work in the meantime is not shown.

    Arguments:
        console: console to print to.
        observer: observer of the training folder.
        period: seconds between updates of the display; None: only calls of :meth:`look` update it.
        clock: returns a time in seconds, from any origin.
    """

    def __init__(
        self,
        console: Console,
        observer: Observer,
        *,
        period: float | None = PERIOD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._observer = console, observer
        self._period, self._clock = period, clock
        self._live: Live | None = None
        self._is_terminal = console.is_terminal and not console.is_dumb_terminal
        self._counted, self._share = "", 0.0
        self._standing: Standing | None = None
        self._last_line: tuple[float, float] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again, daemon=True)

    def __enter__(self) -> TrainingProgress:
        self._observer.look()  # later changes show that the training is running
        if self._period is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._counted = ""
        with suppress(*GONE):
            self._take()
            if self._is_terminal:
                self._draw()
            elif self._standing is not None:
                self._say(lines(self._standing))
            if self._live is not None:
                self._live.stop()

    def count(self, what: str, done: int, total: int) -> None:
        """Show the progress of a preparation, such as computing the descriptors."""
        self._counted, self._share = (f"{what} {done}/{total}", done / total) if done < total else ("", 0.0)
        if done >= total:
            self._last_line = None  # the next line is printed at once

    def on_features(self, done: int, total: int) -> None:
        """Show the progress of computing the descriptors."""
        self.count("descriptors", done, total)

    def look(self) -> None:
        """Read the logs, and update the display."""
        self._take()
        if self._is_terminal:
            self._draw()
        elif (line := self._counted or self._summary()) and self._is_due():
            self._say([line])

    def _look_again_and_again(self) -> None:
        while not self._stopped.wait(self._period):
            try:
                self.look()
            except GONE:
                return

    def _summary(self) -> str:
        """Return a summary line while members are unfinished; the table follows at the end."""
        standing = self._standing
        return "" if standing is None or not standing.n("training") + standing.n("waiting") else summary(standing)

    def _take(self) -> None:
        standing = self._observer.look()
        self._standing = standing if self._observer.has_seen_work else None

    def _draw(self) -> None:
        if self._live is None:
            if self._standing is None and not self._counted:
                return
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        parts: list[RenderableType] = []
        if self._standing is not None:
            parts = [_table(self._standing), Text(summary(self._standing), no_wrap=False, overflow="fold")]
        self._live.update(Group(*parts, *([Text(self._counted)] if self._counted else [])), refresh=True)

    def _is_due(self) -> bool:
        """Return whether to print the next line in a file."""
        now, done = self._clock(), self._share
        if self._standing is not None and not self._counted:
            total = sum(member.total_updates for member in self._standing.members)
            done = sum(member.updates for member in self._standing.members) / total
        if self._last_line is not None:
            quiet, gained = now - self._last_line[0], done - self._last_line[1]
            if quiet < QUIET or (quiet < LONGEST_QUIET and gained < STEP):
                return False
        self._last_line = (now, done)
        return True

    def _say(self, text: list[str]) -> None:
        for line in text:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(standing: Standing) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in HEADER:
        table.add_column(name, justify="right", no_wrap=True)
    for member in standing.members:
        table.add_row(*row(member))
    return table
