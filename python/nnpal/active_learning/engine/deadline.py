"""When a run must stop: a signal, or its wall time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from nnpal.active_learning.engine.error import Stopped


class Deadline:
    """Tell whether to stop.

    Arguments:
        seconds: of wall time from now; None: no limit.
        clock: gives seconds; a test's own.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = None if seconds is None else clock() + seconds
        self._signal: signal.Signals | None = None

    def check(self) -> None:
        """Go on, or raise.

        Raises:
            Stopped: a signal came, or the wall time is spent.
        """
        self.check_signals()
        if self._end is not None and self._seconds is not None and self._clock() >= self._end:
            raise Stopped(f"the wall time of {self._seconds / 3600:g} h (run.wall_time_hours) is used up", 0)

    def check_signals(self) -> None:
        """Go on, or raise; the wall time is left aside, by which nothing fails.

        Raises:
            Stopped: a signal came.
        """
        if self._signal is not None:
            raise Stopped(f"stopped by {self._signal.name}", 128 + self._signal)

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT be noted for :meth:`check`; a second one interrupts at once.

        Only the main thread can; in another this changes nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
