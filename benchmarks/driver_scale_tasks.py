"""Fake attempts at tasks for `driver_scale.py`, as Parsl's worker processes import them: they take a known time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.task import RESULT, TASK
from nnpal.runtime.json_files import digest

SECONDS = {"explore": 0.2, "label": 0.02}
"""That a task takes, by the name of its folder's parent."""


def execute(folder: str, *_: object, **__: object) -> dict[str, Any]:
    """Wait for the task's known time and leave its result, without a process of its own and without fsync."""
    place = Path(folder)
    content = json.loads((place / TASK).read_text())
    time.sleep(SECONDS[place.parent.name])
    if content["call"] == "label":
        _label(place)
    (place / RESULT).write_text(json.dumps({"task": digest(content), "result": {"labeled": 1}}))
    return {"kind": "ended", "how": "ended", "offset": 0}


def _label(place: Path) -> None:
    """Label as a batch of nnpal's does, into a store of its own, by a quick oracle."""
