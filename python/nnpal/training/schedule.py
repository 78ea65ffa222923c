"""Length of a member's training, and its learning rate at each update."""

from __future__ import annotations

from nnpal.training.settings import TrainingSettings

DEFAULT_UPDATES, DEFAULT_EPOCHS, PLATEAU_EPOCHS = 3000, 20, 300
"""Default length of a training without updates and max_epochs: the longer of the first two for the linear schedule, the
third for plateaus."""
LONGEST_WARMUP = 0.1
"""Fraction of the whole training."""


def updates_per_epoch(settings: TrainingSettings, n_train: int) -> int:
    """Return the number of batches in ``n_train`` configurations."""
    return -(-n_train // settings.batch_size)


def total_updates(settings: TrainingSettings, n_train: int) -> int:
    """Return the number of updates for ``n_train`` configurations; early stop and plateaus may end it sooner."""
    per_epoch = updates_per_epoch(settings, n_train)
    if settings.updates is not None:
        return settings.updates
    if settings.max_epochs is not None:
        return settings.max_epochs * per_epoch
    if settings.schedule == "plateau":
        return PLATEAU_EPOCHS * per_epoch
    return max(DEFAULT_UPDATES, DEFAULT_EPOCHS * per_epoch)


def length_in_words(settings: TrainingSettings) -> str:
    """Return the length of a training as text, for a reader who does not know its data yet."""
    if settings.updates is not None:
        return f"{settings.updates} updates"
    if settings.max_epochs is not None:
        return f"{settings.max_epochs} epochs"
    if settings.schedule == "plateau":
        return f"{PLATEAU_EPOCHS} epochs"
    return f"{DEFAULT_UPDATES} updates ({DEFAULT_EPOCHS} epochs where these are more)"


def linear_factor(update: int, total: int, warmup: int) -> float:
    """Return the learning rate relative to its largest value: linear warm-up, then linear decay to zero at ``total``.

    Arguments:
        update: number of the update, from 0.
        total: number of updates of the training.
        warmup: number of warm-up updates; at most a tenth of the training is used.
    """
    warmup = min(warmup, int(LONGEST_WARMUP * total))
    return min((update + 1) / (warmup + 1), (total - update) / (total - warmup))
