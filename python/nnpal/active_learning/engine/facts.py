"""What a stage has found, as an object in Python and as JSON in the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from nnpal.active_learning.engine.error import LoopError

MANIFEST = "manifest.json"
HOW_TO_FIX = (
    "  another version of nnpal wrote it, or it was edited: resume with that version of nnpal, restore the file, or "
    "start a new run, whose folder may have a copy of labels.sqlite"
)
AnyPart = TypeVar("AnyPart", bound="Part")


class Part(BaseModel):
    """A part of what a stage has found: no unknown keys, no missing ones, no change.

    A field with a default is left out of the JSON where it has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Return what the manifest holds."""
        return self.model_dump(by_alias=True, exclude_defaults=True)

    @classmethod
    def from_json(cls: type[AnyPart], value: object, source: str) -> AnyPart:
        """Return what the manifest holds; ``source`` says where in errors.

        Raises:
            LoopError: keys that are missing or unknown, or values of another kind.
        """
        try:
            return cls.model_validate_json(json.dumps(value))  # JSON's rules: an array is a tuple
        except ValidationError as error:
            found = [f"{source}: {_sentence(detail)}" for detail in error.errors(include_url=False)]
            raise LoopError("\n".join([*found, HOW_TO_FIX])) from error


class StageFacts(Part):
    """What a stage has found.

    Attributes:
        stage: its name.
        files: what later stages read, relative to the stage's folder.
    """

    stage: ClassVar[str]

    files: tuple[str, ...]


def named_files(facts: Mapping[str, object]) -> list[str]:
    """Return the files that facts in JSON name.

    Raises:
        ValueError: no list of names.
    """
    files = facts.get("files", [])
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise ValueError(f"fact files = {files!r}, expected a list of names relative to its folder")
    return files


def _sentence(detail: ErrorDetails) -> str:
    key = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if detail["type"] == "missing":
        return f"{key}: missing"
    message = detail["msg"]
    return f"{key} = {detail['input']!r}: {message[0].lower()}{message[1:]}"
