"""When a run must stop: at a signal, or when its wall time is used up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from nnpal.active_learning.engine.error import Stopped


class Deadline:
    """A check of whether the run must stop.

    Arguments:
        seconds: wall time from now, s; None: no limit.
        clock: returns the time, s; replaced in tests.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = None if seconds is None else clock() + seconds
        self._signal: signal.Signals | None = None

    def check(self) -> None:
        """Raise if the run must stop.

        Raises:
            Stopped: a signal was received, or the wall time is used up.
        """
        self.check_signals()
        if self._end is not None and self._seconds is not None and self._clock() >= self._end:
            raise Stopped(f"the wall time of {self._seconds / 3600:g} h (run.wall_time_hours) is used up", 0)

    def check_signals(self) -> None:
        """Raise if a signal was received; ignore the wall time, which makes no process fail.

        Raises:
            Stopped: a signal was received.
        """
        if self._signal is not None:
            raise Stopped(f"stopped by {self._signal.name}", 128 + self._signal)

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Record SIGTERM and SIGINT for :meth:`check`; a second signal interrupts at once.

        Signals reach only the main thread; in other threads this has no effect.
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
