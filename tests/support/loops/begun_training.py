"""Training folders in the state of a running training, made without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, LossSettings, TrainingSettings
from nnpal.training.log import LOG, Line, Log
from nnpal.training.member import EpochRecord
from nnpal.training.plan import Plan, member_folder, write_plan, write_splits
from nnpal.training.split import Split

N_TRAIN, BATCH, EPOCHS = 10, 4, 8
PER_EPOCH = 3
"""Updates per epoch: batches of 4, 4 and 2."""


def record(epoch: int) -> EpochRecord:
    """Return values that identify the epoch: a validation loss of 1/(epoch + 1), MAEs of 0.01 and 0.1 times that."""
    value = 1.0 / (epoch + 1)
    return EpochRecord(
        epoch, PER_EPOCH * (epoch + 1), 2 * value, value, 0.02 * value, 0.01 * value, 0.2 * value, 0.1 * value, 1e-3
    )


def begun_training(folder: Path, members: int = 3) -> Path:
    """Make a training folder in which no member has started, and return it."""
    plan = Plan(
        NetworkDescription(("Al",), hidden=(8,)),
        LossSettings(),
        TrainingSettings(batch_size=BATCH, max_epochs=EPOCHS),
        EnsembleSettings(members=members),
        "0" * 64,
    )
    for member in range(members):
        member_folder(folder, member).mkdir(parents=True)
    n_all = N_TRAIN + 2
    split = Split(np.arange(N_TRAIN), np.arange(N_TRAIN, n_all))
    write_splits(folder, [f"{k:064x}" for k in range(n_all)], [split] * members)
    write_plan(folder, plan)
    return folder


def write_log(folder: Path, member: int, epochs: range, *, seconds: float = 6.0, finished: bool = False) -> Log:
    """Write a member's log: epochs before ``epochs`` by an earlier worker, then ``epochs``, each taking ``seconds``."""
    log = Log(member_folder(folder, member) / LOG, [record(epoch) for epoch in range(epochs.start)], finished=False)
    for epoch in epochs:
        log.add(Line(record(epoch), seconds, finished and epoch == epochs[-1]))
    return log
