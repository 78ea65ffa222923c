"""Learning curves for TensorBoard, written by torch's writer if the package ``tensorboard`` is installed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from nnpal.runtime.disk_full import told_if_full
from nnpal.training.member import EpochRecord

TENSORBOARD = "tensorboard"
"""Name of the folder in the training folder, and of the package."""
VALUES = ("loss", "energy_mae", "force_mae")
PARTS = ("train", "validation")


def tensorboard_fault() -> str | None:
    """Return why TensorBoard files cannot be written and how to fix it, or None if they can."""
    try:
        _writer_class()
    except ImportError as error:
        return (
            f"torch's writer cannot be imported ({error}); it needs the package tensorboard, which does not come with "
            "nnpal: pip install tensorboard, or remove the key"
        )
    return None


def require_tensorboard() -> None:
    """Reject a training whose TensorBoard files cannot be written.

    Raises:
        ValueError: the package is missing, or incompatible with torch.
    """
    if (why := tensorboard_fault()) is not None:
        raise ValueError(f"training.tensorboard = true: {why}")


class Scalars:
    """Writer of a member's records by update; it starts, like ``log.csv``, with the epochs in the checkpoint.

    Files of an earlier worker are replaced, so that each point is there exactly once.

    Arguments:
        folder: the member's folder, ``tensorboard/member-K`` in the training folder.
        history: records of the member's earlier epochs.

    Raises:
        ValueError: see :func:`require_tensorboard`.
    """

    def __init__(self, folder: Path, history: Sequence[EpochRecord]) -> None:
        require_tensorboard()
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        with told_if_full(folder):
            self._writer = _writer_class()(str(folder))
        for record in history:
            self._put(record)

    def __enter__(self) -> Scalars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, record: EpochRecord) -> None:
        """Write a record, and flush it for TensorBoard."""
        self._put(record)
        with told_if_full(self._folder):
            self._writer.flush()

    def _put(self, record: EpochRecord) -> None:
        with told_if_full(self._folder):
            for value in VALUES:
                for part in PARTS:
                    self._writer.add_scalar(f"{value}/{part}", getattr(record, f"{part}_{value}"), record.updates)
            self._writer.add_scalar("learning_rate", record.learning_rate, record.updates)


def _writer_class() -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter
