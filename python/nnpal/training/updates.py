"""How many updates of its weights a member's training has."""

from __future__ import annotations

from nnpal.training.settings import TrainingSettings


def updates_per_epoch(settings: TrainingSettings, n_train: int) -> int:
    """Return the number of batches that ``n_train`` configurations make, the last one not full."""
    return -(-n_train // settings.batch_size)


def total_updates(settings: TrainingSettings, n_train: int) -> int:
    """Return how many updates a member makes in all, at most: it may end sooner, by early stop or learning rate."""
    return settings.max_epochs * updates_per_epoch(settings, n_train)
