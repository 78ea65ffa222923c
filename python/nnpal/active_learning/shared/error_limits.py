"""Limits in error units, which need a calibrated model."""

from __future__ import annotations

from pathlib import Path

from nnpal.active_learning.engine.error import StageError
from nnpal.model.files import read_metadata

HOW_TO_FIX = (
    "train on more configurations (a calibration needs some that a member was not trained on: more of the first "
    "data, more "
    "members, or a larger ensemble.validation_fraction), or remove the key and use mean + k standard deviations"
)


def require_calibrated(model: Path, limits: dict[str, float | None]) -> None:
    """Reject limits of ``error_force`` with a model that has no calibration.

    Arguments:
        model: model file of the ensemble.
        limits: configuration key -> limit, eV/Å; None if it is not given.

    Raises:
        StageError: a limit is given, and the model has no calibration.
    """
    given = {key: value for key, value in limits.items() if value is not None}
    if given and read_metadata(model).calibration is None:
        told = ", ".join(f"{key} = {value:g}" for key, value in given.items())
        raise StageError(f"{told}: {model} has no calibration, so it provides no errors in eV/Å; {HOW_TO_FIX}")
