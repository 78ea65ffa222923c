"""Workers that die are started again as long as that helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nnpal.training import processes
from nnpal.training.member import EpochRecord
from nnpal.training.plan import member_folder
from nnpal.training.processes import Group, train_groups

CODE = 9


class Worker:
    """Does some epochs, one update each, from the same checkpoint as all before it, and dies or ends."""

    def __init__(self, epochs: range, code: int) -> None:
        self._epochs, self._code = epochs, code

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def lines(self) -> Iterator[str]:
        for epoch in self._epochs:
            record = EpochRecord(epoch, epoch + 1, *[1.0] * 6, learning_rate=0.1)
            yield json.dumps({"member": 0, **asdict(record)})

    def wait(self) -> int:
        return self._code

    def kill(self) -> None:
        pass


@pytest.mark.parametrize(
    ("ends", "n_started", "given_up"),
    [
        ([3, 3], 2, True),  # between two checkpoints, at the same epoch again
        ([3, 2], 2, True),
        ([0], 1, True),
        ([3, 4, 4], 3, True),
        ([3, 4, None], 3, False),
    ],
)
def test_a_worker_is_started_again_while_it_gets_further_than_all_before(
    ends: list[int | None], n_started: int, given_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker dies after so many epochs, all counted from one checkpoint; None: it comes to the end."""
    started: list[Any] = []

    def start(*_: object) -> Worker:
        end = ends[len(started)]
        started.append(end)
        return Worker(range(9), 0) if end is None else Worker(range(end), CODE)

    monkeypatch.setattr(processes, "_start", start)
    member_folder(tmp_path, 0).mkdir()
    train_groups(tmp_path, [Group("cpu", (0,))], n_workers=1, threads=1, on_epoch=None)
    assert len(started) == n_started
    assert (member_folder(tmp_path, 0) / "error.txt").exists() == given_up
