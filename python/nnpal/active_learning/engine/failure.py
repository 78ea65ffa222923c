"""Description of a failed task: folder, last lines of output, and the command that runs it by hand."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from nnpal.active_learning.engine.task import LOG
from nnpal.runtime.json_files import read_json, write_json

FAILURE = "failure.json"
LAST_LINES = 15
LONGEST_CAUSE = 300
Kind = Literal["error", "killed", "walltime", "timeout"]


@dataclass(frozen=True)
class Failure:
    """Why a task was given up.

    Arguments:
        kind: ``error`` (an exception or a crash), ``timeout`` (its own limit), ``killed`` (by an external signal, from
            the scheduler or when out of memory), ``walltime`` (its worker or node was lost).
        how: short description of how the last attempt ended.
        text: folder, number of attempts, batch job, last lines, command.
        cause: last line printed by an attempt that ended with an error, without paths; or empty.
    """

    kind: Kind
    how: str
    text: str
    cause: str = ""

    @property
    def fact(self) -> str:
        """Summary for the manifest."""
        return ": ".join(filter(None, (self.kind, self.how, self.cause)))


def describe(
    folder: Path, kind: Kind, how: str, attempts: int, offset: int, paths: Sequence[str], job: str = ""
) -> Failure:
    """Return the failure of a task.

    Arguments:
        folder: folder of the task.
        kind: how the last attempt failed.
        how: description of how the last attempt ended.
        attempts: number of failures of this kind.
        offset: byte at which the last attempt begins in ``task.log``.
        paths: additional folders in which Python looks for modules.
        job: what happened to the batch job of the last attempt, and what to do; not a fact, as it has job numbers.
    """
    times = "once" if attempts == 1 else f"{attempts} times"
    lines = _last_lines(folder / LOG, offset)
    told = "\n".join(f"    {line}" for line in lines) if lines else "    (it printed nothing)"
    text = (
        f"{folder}: failed {times}; the last attempt {how}. {job and f'{job}. '}The end of {folder / LOG}:\n{told}\n"
        f"  by hand: {by_hand(folder, paths)}"
    )
    cause = _without_places(lines[-1])[:LONGEST_CAUSE] if lines and kind == "error" else ""
    return Failure(kind, how, text, cause)


def by_hand(folder: Path, paths: Sequence[str]) -> str:
    """Return the command that runs a task by hand."""
    words = [sys.executable, "-m", "nnpal.active_learning.engine.task", str(folder)]
    if paths:
        words = ["env", f"PYTHONPATH={os.pathsep.join(paths)}", *words]
    return shlex.join(words)


def remember(folder: Path, task_hash: str, failure: Failure) -> None:
    """Record that the task was given up, so that a resumed run does not repeat it."""
    write_json(folder / FAILURE, {"task": task_hash, **asdict(failure)})


def remembered(folder: Path, task_hash: str) -> Failure | None:
    """Return why the task with that hash was given up, or None."""
    found = read_json(folder / FAILURE)
    if found is None or found["task"] != task_hash:
        return None
    return Failure(found["kind"], found["how"], found["text"], found.get("cause", ""))


def forget(folder: Path) -> None:
    """Allow the task to be tried again."""
    (folder / FAILURE).unlink(missing_ok=True)


def _without_places(line: str) -> str:
    """Return the line with absolute paths cut to their last names, since a manifest has no absolute paths."""
    return re.sub(r"(?<![\w./])/(?:[^\s/'\":]+/)*([^\s/'\":]+)", r"\1", line.strip())


def _last_lines(log: Path, offset: int) -> list[str]:
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-LAST_LINES:]
