"""The calibration of a finished training: ``calibration.json``."""

from __future__ import annotations

from pathlib import Path

from nnpal.calibration import Calibration
from nnpal.runtime.json_files import read_json, write_json

CALIBRATION = "calibration.json"


def write_calibration(folder: Path, found: Calibration | str) -> None:
    """Write a calibration, or why there is none."""
    values = {"uncalibrated": found} if isinstance(found, str) else found.to_json()
    write_json(folder / CALIBRATION, values, sort_keys=False)


def read_calibration(folder: Path) -> tuple[Calibration | None, str | None]:
    """Return the calibration, or None and why there is none."""
    values = read_json(folder / CALIBRATION)
    if values is None:
        return None, "it was trained by an earlier nnpal"
    if "uncalibrated" in values:
        return None, values["uncalibrated"]
    return Calibration.from_json(values), None
