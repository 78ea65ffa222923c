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
    """Result of one check.

    Attributes:
        name: what was checked, in two or three words.
        status: ok, warn (it works, with a limitation) or fail (it does not work).
        detail: what was found.
        cure: how to fix it; empty if there is no fault.
    """

    name: str
    status: Status
    detail: str
    cure: str = ""
