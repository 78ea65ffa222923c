"""The result of a finished training: ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnpal.runtime.json_files import read_json, write_json

RESULT = "result.json"


@dataclass(frozen=True)
class Result:
    """The result of a training.

    Attributes:
        best_member: number of the member with the lowest score.
        scores: member -> validation value, or the value of the user's function; the lowest is the best.
        failed: member -> the reason why its training did not finish.
        self_energies: self-energies in the order of the elements, eV.
    """

    best_member: int
    scores: dict[int, float]
    failed: dict[int, str]
    self_energies: list[float]


def write_result(folder: Path, result: Result) -> None:
    values = {
        "best_member": result.best_member,
        "scores": {str(k): v for k, v in result.scores.items()},
        "failed": {str(k): v for k, v in result.failed.items()},
        "self_energies_eV": result.self_energies,
    }
    write_json(folder / RESULT, values, sort_keys=False)


def read_result(folder: Path) -> Result | None:
    """Return the result of a finished training, or None if there is none yet."""
    values = read_json(folder / RESULT)
    if values is None:
        return None
    return Result(
        values["best_member"],
        {int(k): v for k, v in values["scores"].items()},
        {int(k): v for k, v in values["failed"].items()},
        values["self_energies_eV"],
    )
