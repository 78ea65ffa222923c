"""Fake tasks of `driver_scale.py`: attempts of known duration, and batches of labels without an oracle."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.task import RESULT, TASK, Task
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.tasks import FRAMES, STORE
from nnpal.label import LabelStore
from nnpal.label.structure_key import structure_key
from nnpal.oracle.calculation import Result
from nnpal.oracle.protocol import Oracle
from nnpal.runtime.json_files import digest

SECONDS = {"explore": 0.2, "label": 0.02}
"""Duration of a task, s, by the name of its stage."""


def execute(folder: str, *_: object, **__: object) -> dict[str, Any]:
    """Wait for the duration of the task and write its result; replaces `engine.attempt.execute`."""
    place = Path(folder)
    content = json.loads((place / TASK).read_text())
    time.sleep(SECONDS[place.parent.name])
    (place / RESULT).write_text(json.dumps({"task": digest(content), "result": {"done": 1}}))
    return {"kind": "ended", "how": "ended", "offset": 0}


class FakeLabels:
    """Substitute for the tasks of a stage that writes the label stores of batches at once.

    Attributes:
        cpu_s: CPU time of writing the stores, s, which is not the driver's.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._identity = oracle.identity(0)
        self.cpu_s = 0.0

    def run(self, tasks: Sequence[Task]) -> list[TaskOutcome]:
        begin = time.process_time()
        for task in tasks:
            with LabelStore(task.folder / STORE) as store, store.together():
                for frame in read_bare(task.folder / FRAMES):
                    label = Result(-1.0, np.zeros((len(frame), 3)), None)
                    store.put_label(structure_key(frame), self._identity, label, rung=0, seconds=1e-4)
        self.cpu_s += time.process_time() - begin
        return [TaskOutcome(task.folder, {}, None) for task in tasks]
