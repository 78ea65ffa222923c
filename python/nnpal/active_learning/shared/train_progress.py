"""Progress of a run's trainings, for ``nnpal run`` and ``nnpal status``.

No stage imports this module, so a change here makes no stage stale.
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
    """Return a watch that shows the training of a stage on ``console``."""
    return lambda folder: TrainingProgress(console, _observer(folder))


def standing_in(folder: Path) -> Standing | None:
    """Return the status of the training in a stage's folder, or of a training folder; None without a training."""
    for training in (folder / SECOND / ENSEMBLE, folder / ENSEMBLE, folder):  # the second begins after the first
        if (training / PLAN).is_file():
            return _observer(training).look()
    return None


def _observer(training: Path) -> Observer:
    return Observer(training, lambda member: task_folder(training, member) / FAILURE)
