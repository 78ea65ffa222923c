"""Progress of a training on the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nnpal.training.member import EpochRecord

MILLI = 1e3
"""From eV to meV."""


class TrainingProgress:
    """A bar for the features and one for each member, with losses, errors and time left.

    Members that go on from a checkpoint begin where they stand.
    """

    def __init__(self, console: Console, n_members: int, max_epochs: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}"),
            console=console,
        )
        self._features: Any = None
        self._max_epochs = max_epochs
        self._bars: dict[int, Any] = dict.fromkeys(range(n_members))

    def __enter__(self) -> TrainingProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_features(self, done: int, total: int) -> None:
        if self._features is None:
            self._features = self._progress.add_task("descriptors", total=total, values="")
        self._progress.update(self._features, completed=done)

    def on_epoch(self, member: int, record: EpochRecord) -> None:
        if self._bars[member] is None:
            self._bars[member] = self._progress.add_task(f"member {member}", total=self._max_epochs, values="")
        self._progress.update(
            self._bars[member],
            completed=record.epoch + 1,
            values=f"loss {record.train_loss:.3g} / {record.validation_loss:.3g} eV²  "
            f"E {MILLI * record.validation_energy_mae:.2f} meV/atom  "
            f"F {MILLI * record.validation_force_mae:.1f} meV/Å  lr {record.learning_rate:.1e}",
        )
