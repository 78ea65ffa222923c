"""The calibration of a finished training: ``calibration.json``."""

from __future__ import annotations

from pathlib import Path

from nnpal.calibration import Calibration
from nnpal.runtime.json_files import read_json, write_json
from nnpal.training.plan import TrainingFolderError

CALIBRATION = "calibration.json"


def write_calibration(folder: Path, found: Calibration | str) -> None:
    """Write a calibration, or the reason why there is none."""
    values = {"uncalibrated": found} if isinstance(found, str) else found.to_json()
    write_json(folder / CALIBRATION, values, sort_keys=False)


def read_calibration(folder: Path, n_elements: int) -> tuple[Calibration | None, str | None]:
    """Return the calibration, or None and the reason why there is none.

    Raises:
        TrainingFolderError: the file is damaged, or for a different number of elements.
    """
    path = folder / CALIBRATION
    if not path.exists():
        return None, "it was trained by an earlier nnpal"
    try:
        values = read_json(path)
        if isinstance(values, dict) and isinstance(values.get("uncalibrated"), str):
            return None, values["uncalibrated"]
        found = Calibration.from_json(values)
        if len(found.force.knee) != n_elements:
            raise ValueError(f"it is of {len(found.force.knee)} elements, expected {n_elements}")
    except ValueError as error:
        raise TrainingFolderError(
            f"{path} is damaged: {error}; restore it, or delete it and give model files a calibration by "
            "`nnpal calibrate`"
        ) from error
    return found, None
