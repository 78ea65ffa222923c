"""Status of a run or a training, read from its folder without disturbing it."""

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
"""Name of the training stage in all loops."""


@dataclass(frozen=True)
class RunStatus:
    """Status of a run.

    Attributes:
        run: status of its stages.
        training: status of the training in the stage in progress; None if there is none (yet).
    """

    run: Status
    training: Standing | None

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON; ``training`` contains the members."""
        return self.run.as_dict() | {"training": None if self.training is None else self.training.as_dict()}

    def as_text(self) -> str:
        """Return the status as text."""
        text = self.run.as_text([] if self.training is None else _lines(self.training))
        told = coverage_in(self.run.facts)
        return text if told is None else f"{text}\n  {told}"


@dataclass(frozen=True)
class TrainingStatus:
    """Status of a training of ``nnpal train``."""

    training: Standing

    @property
    def state(self) -> str:
        """State, in the terms for a run."""
        if self.training.is_concluded:
            return "finished"
        return "running" if self.training.n("training") else "waiting"

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON, with the same keys as for a run where they apply."""
        return {"folder": str(self.training.folder), "state": self.state, "training": self.training.as_dict()}

    def as_text(self) -> str:
        """Return the status as text."""
        return "\n".join([f"{self.training.folder}: {self.state}", *(f"  {line}" for line in _lines(self.training))])


def status(folder: Path) -> RunStatus | TrainingStatus:
    """Return the status of a run, or of a training of ``nnpal train``.

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
    """Return a line on the reliability of error bars on an iteration's new labels, or None without error bars."""
    found = facts.get("label", {}).get("calibration")
    return None if found is None else CoverageFacts.from_json(found, "label").in_words()


def _training(folder: Path) -> Standing | None:
    from nnpal.active_learning.shared.train_progress import standing_in  # imported here, because it imports torch

    return standing_in(folder)


def _lines(training: Standing) -> list[str]:
    from nnpal.training.standing_table import lines

    return lines(training)
