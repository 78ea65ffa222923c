"""How a task failed: the folder, the last lines, and the command to do it by hand."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nnpal.loop.durable import read_json, write_json
from nnpal.loop.task import LOG

FAILURE = "failure.json"
LAST_LINES = 15
Kind = Literal["error", "killed", "walltime", "timeout"]


@dataclass(frozen=True)
class Failure:
    """Why a task was given up.

    Arguments:
        kind: ``error`` (an exception or a crash), ``timeout`` (its own limit), ``killed`` (by a signal from elsewhere,
            as the scheduler's or for want of memory), ``walltime`` (its worker or node was lost).
        how: how the last attempt ended, in a few words.
        text: folder, number of attempts, last lines, command.
    """

    kind: Kind
    how: str
    text: str


def describe(folder: Path, kind: Kind, how: str, attempts: int, offset: int, paths: Sequence[str]) -> Failure:
    """Return the failure of a task.

    Arguments:
        folder: the task's.
        kind: of the last attempt.
        how: the last attempt ended.
        attempts: failures of that sort.
        offset: where the last attempt begins in ``task.log``.
        paths: where Python finds modules, besides its own places.
    """
    times = "once" if attempts == 1 else f"{attempts} times"
    lines = _last_lines(folder / LOG, offset)
    told = "\n".join(f"    {line}" for line in lines) if lines else "    (it printed nothing)"
    text = (
        f"{folder}: failed {times}; the last attempt {how}. The end of {folder / LOG}:\n{told}\n"
        f"  by hand: {by_hand(folder, paths)}"
    )
    return Failure(kind, how, text)


def by_hand(folder: Path, paths: Sequence[str]) -> str:
    """Return the command that does a task by hand."""
    words = [sys.executable, "-m", "nnpal.loop.task", str(folder)]
    if paths:
        words = ["env", f"PYTHONPATH={os.pathsep.join(paths)}", *words]
    return shlex.join(words)


def remember(folder: Path, task_hash: str, failure: Failure) -> None:
    """Note that the task was given up, so that a run broken off later does not try it again."""
    content = {"task": task_hash, "kind": failure.kind, "how": failure.how, "text": failure.text}
    write_json(folder / FAILURE, content)


def remembered(folder: Path, task_hash: str) -> Failure | None:
    """Return why the task with that hash was given up, or None."""
    found = read_json(folder / FAILURE)
    if found is None or found["task"] != task_hash:
        return None
    return Failure(found["kind"], found["how"], found["text"])


def forget(folder: Path) -> None:
    """Let the task be tried again."""
    (folder / FAILURE).unlink(missing_ok=True)


def _last_lines(log: Path, offset: int) -> list[str]:
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-LAST_LINES:]
