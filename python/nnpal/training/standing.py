"""Status of a training, read from its folder: it may run in another process, or on another machine."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nnpal.runtime.locks import holder_of
from nnpal.training.log import LOG, Line, LogReader
from nnpal.training.member import EpochRecord
from nnpal.training.plan import member_folder, read_plan, read_splits
from nnpal.training.result import read_result
from nnpal.training.schedule import total_updates, updates_per_epoch
from nnpal.training.worker import ERROR, LOCK

State = Literal["waiting", "training", "finished", "failed"]
RECENT = 20
"""Number of last epochs that the time of the next ones is estimated from."""


@dataclass(frozen=True)
class MemberStanding:
    """Status of a member.

    Attributes:
        member: number of the member.
        state: ``waiting`` (for a core, or for the command that resumes it), ``training``, ``finished`` or ``failed``.
        updates, total_updates: number of updates done and planned; the training may end early.
        epochs, total_epochs: number of epochs done and planned.
        last: record of the last epoch, None before the first.
        seconds_left: time left, s, None if it is not training or its speed is not known.
    """

    member: int
    state: State
    updates: int
    total_updates: int
    epochs: int
    total_epochs: int
    last: EpochRecord | None
    seconds_left: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON; the last record is in the units of ``log.csv``, null before the first."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "last"}
        record = dict.fromkeys(field.name for field in fields(EpochRecord)) if self.last is None else asdict(self.last)
        return own | {key: value for key, value in record.items() if key not in ("epoch", "updates")}


@dataclass(frozen=True)
class Standing:
    """Status of a training.

    Attributes:
        folder: the training folder.
        members: status of each member.
        is_concluded: whether ``result.json`` exists.
        seconds_left: time until all members finish, s, with as many at a time as now; None: unknown.
    """

    folder: Path
    members: tuple[MemberStanding, ...]
    is_concluded: bool
    seconds_left: float | None

    def n(self, state: State) -> int:
        """Return the number of members in ``state``."""
        return sum(member.state == state for member in self.members)

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON."""
        members = [member.as_dict() for member in self.members]
        return {"folder": str(self.folder), "seconds_left": self.seconds_left, "members": members}


class Observer:
    """Observer of a training folder; each look reads the new lines of the members' logs.

    Arguments:
        folder: training folder, which need not exist yet.
        failure: returns a file, besides ``error.txt``, whose existence marks a member as failed.
    """

    def __init__(self, folder: Path, failure: Callable[[int], Path] | None = None) -> None:
        self.folder = folder
        self._failure = failure
        self._members: list[_Observed] = []
        self._at_a_time = 0

    @property
    def has_seen_work(self) -> bool:
        """Whether a member has trained since the first look."""
        return any(member.was_held or member.log.has_changed for member in self._members)

    def look(self) -> Standing | None:
        """Return the status of the training, or None if there is none yet."""
        try:
            self._members = self._members or self._begun()
            is_concluded = read_result(self.folder) is not None
        except (OSError, ValueError, KeyError):  # not created yet, or not nnpal's: training there reports it
            return None
        for member in self._members:
            member.look(is_concluded=is_concluded)
        seconds_each = [member.seconds_per_update for member in self._members if member.seconds_per_update is not None]
        mean = sum(seconds_each) / len(seconds_each) if seconds_each else None
        standings = tuple(member.standing(mean) for member in self._members)
        left = [one.seconds_left or 0.0 for one in standings if one.state == "training"]
        self._at_a_time = max(self._at_a_time, len(left))
        if mean is None or not left:
            return Standing(self.folder, standings, is_concluded, None)
        waiting = [mean * (one.total_updates - one.updates) for one in standings if one.state == "waiting"]
        return Standing(self.folder, standings, is_concluded, time_of_all(left, waiting, self._at_a_time))

    def _begun(self) -> list[_Observed]:
        plan = read_plan(self.folder)
        found = []
        for number, split in enumerate(read_splits(self.folder)):
            per_epoch = updates_per_epoch(plan.training, len(split.train))
            total = total_updates(plan.training, len(split.train))
            folder = member_folder(self.folder, number)
            signs = [folder / ERROR, *([] if self._failure is None else [self._failure(number)])]
            found.append(_Observed(number, folder, per_epoch, total, signs))
        return found


def time_of_all(training: list[float], waiting: list[float], at_a_time: int) -> float:
    """Return the time until all members finish, s, if each waiting member takes the first place that becomes free.

    Arguments:
        training: time left of each member in training, s.
        waiting: time that each waiting member takes, s.
        at_a_time: number of places; each member in training takes one.
    """
    places = [*training, *[0.0] * (at_a_time - len(training))]
    heapq.heapify(places)
    for seconds in waiting:
        heapq.heapreplace(places, places[0] + seconds)
    return max(places)


class _Observed:
    """An observed member."""

    def __init__(self, number: int, folder: Path, per_epoch: int, total: int, signs: list[Path]) -> None:
        self._number, self._folder = number, folder
        self._per_epoch, self._total = per_epoch, total
        self._signs = signs
        self.log = LogReader(folder / LOG, per_epoch)
        self.was_held = False
        self._state: State = "waiting"

    def look(self, *, is_concluded: bool) -> None:
        """Read the new lines of the log, and update the state."""
        self.log.read()
        is_held = holder_of(self._folder / LOCK) is not None
        self.was_held = self.was_held or is_held
        last = self._last
        if last is not None and last.finished:
            self._state = "finished"
        elif any(sign.exists() for sign in self._signs):  # before is_held: its process may go on with other members
            self._state = "failed"
        elif is_held:
            self._state = "training"
        elif is_concluded or (last is not None and last.record.updates >= self._total):
            self._state = "finished"
        else:  # some cluster file systems do not show locks of other machines
            self._state = "training" if self.log.has_changed else "waiting"

    @property
    def _last(self) -> Line | None:
        return self.log.lines[-1] if self.log.lines else None

    @property
    def seconds_per_update(self) -> float | None:
        timed = [line.seconds for line in self.log.lines[-RECENT:] if line.seconds is not None]
        return sum(timed) / (len(timed) * self._per_epoch) if timed else None

    def standing(self, mean: float | None) -> MemberStanding:
        """Return the status; ``mean`` is the time per update, s, used before the member's own is known."""
        last = self._last
        done = 0 if last is None else last.record.updates
        left = None
        each = self.seconds_per_update or mean
        if self._state == "training" and each is not None:
            since = 0.0 if last is None else min(max(0.0, time.time() - self.log.written), each * self._per_epoch)
            left = max(0.0, each * (self._total - done) - since)
        return MemberStanding(
            member=self._number,
            state=self._state,
            updates=done,
            total_updates=self._total,
            epochs=0 if last is None else last.record.epoch + 1,
            total_epochs=-(-self._total // self._per_epoch),
            last=None if last is None else last.record,
            seconds_left=left,
        )
