"""How long a member learns, and its learning rate at each update."""

from __future__ import annotations

from nnpal.training.settings import TrainingSettings

DEFAULT_UPDATES, DEFAULT_EPOCHS, PLATEAU_EPOCHS = 3000, 20, 300
"""Length of a training that gives neither updates nor max_epochs: the linear schedule's, whichever is longer, and that
of plateaus."""
LONGEST_WARMUP = 0.1
"""Of the whole training."""


def updates_per_epoch(settings: TrainingSettings, n_train: int) -> int:
    """Return the number of batches of ``n_train`` configurations."""
    return -(-n_train // settings.batch_size)


def total_updates(settings: TrainingSettings, n_train: int) -> int:
    """Return the length of a training on ``n_train`` configurations; early stop and plateaus may end it sooner."""
    per_epoch = updates_per_epoch(settings, n_train)
    if settings.updates is not None:
        return settings.updates
    if settings.max_epochs is not None:
        return settings.max_epochs * per_epoch
    if settings.schedule == "plateau":
        return PLATEAU_EPOCHS * per_epoch
    return max(DEFAULT_UPDATES, DEFAULT_EPOCHS * per_epoch)


def length_in_words(settings: TrainingSettings) -> str:
    """Return how long a training is, for a reader who does not know its data yet."""
    if settings.updates is not None:
        return f"{settings.updates} updates"
    if settings.max_epochs is not None:
        return f"{settings.max_epochs} epochs"
    if settings.schedule == "plateau":
        return f"{PLATEAU_EPOCHS} epochs"
    return f"{DEFAULT_UPDATES} updates ({DEFAULT_EPOCHS} epochs where these are more)"


def linear_factor(update: int, total: int, warmup: int) -> float:
    """Return the learning rate of an update over the largest: up through the warm-up, then down to zero at ``total``.

    Arguments:
        update: from 0.
        total: length of the training.
        warmup: updates before the top; cut to a tenth of the training.
    """
    warmup = min(warmup, int(LONGEST_WARMUP * total))
    return min((update + 1) / (warmup + 1), (total - update) / (total - warmup))
