"""Where a run or a training stands, read from its folder without disturbing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnpal.active_learning.engine.status import NoRun, Status
from nnpal.active_learning.engine.status import status as status_of_run
from nnpal.active_learning.shared.facts import CoverageFacts

if TYPE_CHECKING:
    from nnpal.training.standing import Standing

TRAIN = "train"
"""The stage that trains, in all loops."""


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands.

    Attributes:
        run: its stages.
        training: of the stage in progress; None if it trains nothing, or not yet.
    """

    run: Status
    training: Standing | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON; ``training`` has the members."""
        return self.run.as_dict() | {"training": None if self.training is None else self.training.as_dict()}

    def as_text(self) -> str:
        """Return it for a reader."""
        text = self.run.as_text([] if self.training is None else _lines(self.training))
        told = coverage_in(self.run.facts)
        return text if told is None else f"{text}\n  {told}"


@dataclass(frozen=True)
class TrainingStatus:
    """The progress of a training of ``nnpal train``."""

    training: Standing

    @property
    def state(self) -> str:
        """In the words for a run."""
        if self.training.is_concluded:
            return "finished"
        return "running" if self.training.n("training") else "waiting"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, with the keys that it shares with a run's."""
        return {"folder": str(self.training.folder), "state": self.state, "training": self.training.as_dict()}

    def as_text(self) -> str:
        """Return it for a reader."""
        return "\n".join([f"{self.training.folder}: {self.state}", *(f"  {line}" for line in _lines(self.training))])


def status(folder: Path) -> RunStatus | TrainingStatus:
    """Return the progress of a run, or of a training of ``nnpal train``.

    Raises:
        nnpal.active_learning.engine.error.LoopError: the folder is neither.
    """
    try:
        run = status_of_run(folder)
    except NoRun as error:
        training = _training(folder)
        if training is None:
            raise NoRun(f"{error}, or a training folder of nnpal train") from None
        return TrainingStatus(training)
    begun = "" if run.begun is None else run.begun.name
    return RunStatus(run, _training(folder / begun) if begun.endswith(f"/{TRAIN}") else None)


def coverage_in(facts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return a line of what error bars were worth on an iteration's new labels; None where there were none."""
    found = facts.get("label", {}).get("calibration")
    return None if found is None else CoverageFacts.from_json(found, "label").in_words()


def _training(folder: Path) -> Standing | None:
    from nnpal.active_learning.shared.train_progress import standing_in  # and with it torch

    return standing_in(folder)


def _lines(training: Standing) -> list[str]:
    from nnpal.training.standing_table import lines

    return lines(training)
