"""Trainings of a run while they last: what ``nnpal run`` and ``nnpal status`` show of them.

No stage imports this, so that a change here makes none stale.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from nnpal.active_learning.engine.failure import FAILURE
from nnpal.active_learning.engine.stage import Watch
from nnpal.active_learning.shared.facts import SECOND
from nnpal.active_learning.shared.train_ensemble import ENSEMBLE, task_folder
from nnpal.training.plan import PLAN
from nnpal.training.progress import TrainingProgress
from nnpal.training.standing import Observer, Standing


def shown_on(console: Console) -> Watch:
    """Return what shows a training of a stage on ``console``."""
    return lambda folder: TrainingProgress(console, _observer(folder))


def standing_in(folder: Path) -> Standing | None:
    """Return where the training stands that is in a stage's folder, or is that folder; None where there is none."""
    for training in (folder / SECOND / ENSEMBLE, folder / ENSEMBLE, folder):  # the second begins when the first is done
        if (training / PLAN).is_file():
            return _observer(training).look()
    return None


def _observer(training: Path) -> Observer:
    return Observer(training, lambda member: task_folder(training, member) / FAILURE)
