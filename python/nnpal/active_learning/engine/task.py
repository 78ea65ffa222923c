"""A task is a folder: ``task.json`` says which function to call, ``result.json`` has the result once it is done.

``python -m nnpal.active_learning.engine.task FOLDER`` does the task unless it is done. The function receives the folder
and the arguments, returns a dict of JSON, and writes other files to the folder. It must tolerate files of an attempt
that was killed. This module is separate and light to import because every task imports it.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.earlier_names import present_call
from nnpal.active_learning.engine.error import GiveUp
from nnpal.runtime.child_process import Killed, end_with_parent
from nnpal.runtime.disk_full import end_for_full_disk, is_disk_full
from nnpal.runtime.files import sync_tree
from nnpal.runtime.import_path import import_object
from nnpal.runtime.json_files import as_json, digest, read_json, write_json
from nnpal.runtime.locks import HeldError, locked

TASK, RESULT, LOG, LOCK = "task.json", "result.json", "task.log", ".lock"
EXIT_ERROR, EXIT_GIVE_UP, EXIT_KILLED = 1, 65, 75


@dataclass(frozen=True)
class Task:
    """A function call in a separate process.

    Arguments:
        folder: folder of this task only; it may contain files of a killed attempt.
        call: the function, as ``module:function``.
        arguments: keyword arguments of the function besides the folder, JSON.
        kind: executor that runs it: explore, label or train.
        timeout: time limit of one attempt, s; None: ``run.task_timeout_hours``.
    """

    folder: Path
    call: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "explore"
    timeout: float | None = None

    def content(self) -> dict[str, Any]:
        """Return the content of ``task.json``.

        Raises:
            ValueError: the arguments are not JSON.
        """
        return {"call": self.call, "arguments": as_json(dict(self.arguments), f"arguments of task {self.folder}")}


def prepare(task: Task) -> str:
    """Write ``task.json`` unless it exists, and return its hash.

    The file is not synced to the disk, which would delay the start of thousands of tasks; this function is called again
    before the task runs, and then rewrites a file that a power failure left incomplete.
    """
    content = task.content()
    task.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = read_json(task.folder / TASK)
    except ValueError:
        found = None
    if isinstance(found, dict) and found | {"call": present_call(str(found.get("call")))} == content:
        return digest(found)  # with the function's earlier name, which a result may have
    write_json(task.folder / TASK, content, durable=False)
    return digest(content)


def finished_result(folder: Path, task_hash: str) -> dict[str, Any] | None:
    """Return the result of the task with this hash, or None if it is not done."""
    found = read_json(folder / RESULT)
    return found["result"] if found is not None and found["task"] == task_hash else None


def perform(folder: Path) -> bool:
    """Do the task in ``folder`` unless it is done; return whether it was still to do.

    Raises:
        ValueError: no task, no such function, or a result that is not a JSON object.
        Exception: whatever the function raises.
    """
    content = read_json(folder / TASK)
    if content is None:
        raise ValueError(f"{folder / TASK}: no such file; expected the folder of a task")
    task_hash = digest(content)
    if finished_result(folder, task_hash) is not None:
        return False
    what = f"{folder / TASK}: call {content['call']!r}"
    function = import_object(present_call(content["call"]), what, form="MODULE:FUNCTION", example="my_steps:sample")
    result = function(folder, **content["arguments"])
    if not isinstance(result, dict):
        raise ValueError(f"{content['call']} returned {result!r}, expected a dict")
    result = as_json(result, f"result of {content['call']}")
    sync_tree(folder)  # a result that survives a power failure guarantees the files in its folder
    write_json(folder / RESULT, {"task": task_hash, "result": result})
    return True


def main(arguments: list[str] | None = None) -> int:
    """Do the task in the folder that the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m nnpal.active_learning.engine.task", description="Do the task in FOLDER."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="holds task.json")
    parser.add_argument("--watched", action="store_true", help="end when standard input closes; used by nnpal run")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    if options.watched:
        end_with_parent()
    faulthandler.enable()
    if not folder.is_dir():
        print(f"nnpal.active_learning.engine.task: {folder}: no such folder", file=sys.stderr)
        return EXIT_ERROR
    os.chdir(folder)  # for files that libraries write
    try:
        # under nnpal run, the process that holds the folder is another attempt, and about to end
        with locked(folder / LOCK, wait=options.watched):
            if not perform(folder):
                print(f"{folder}: already finished; remove {RESULT} to repeat it")
    except HeldError as error:
        print(
            f"nnpal.active_learning.engine.task: {folder}: {error.holder} is running in it; wait until it ends, or "
            "end it",
            file=sys.stderr,
        )
        return EXIT_ERROR
    except GiveUp as error:
        print(f"{folder}: {error}", file=sys.stderr)
        return EXIT_GIVE_UP
    except Killed:
        traceback.print_exc()
        return EXIT_KILLED
    except Exception as error:
        if is_disk_full(error):
            end_for_full_disk(error)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
