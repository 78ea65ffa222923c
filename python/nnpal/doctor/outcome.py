"""The result of one check, and the commands that several fixes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]

SOURCE_FOLDER = "in nnpal's source folder: "
FIRST_INSTALL = SOURCE_FOLDER + "pip install --no-build-isolation ."
REINSTALL = SOURCE_FOLDER + "pip install --no-build-isolation --force-reinstall --no-deps ."


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: what was checked, in two or three words.
        status: ok, warn (it works, with a limit worth knowing) or fail (it will not work).
        detail: what was found.
        cure: what to do about it; empty when all is well.
    """

    name: str
    status: Status
    detail: str
    cure: str = ""
