"""Facts: the results of a stage, a Python object and JSON in the manifest."""

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
    """Part of a stage's facts: immutable, without unknown or missing keys.

    The JSON omits fields that have their default value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON for the manifest."""
        return self.model_dump(by_alias=True, exclude_defaults=True)

    @classmethod
    def from_json(cls: type[AnyPart], value: object, source: str) -> AnyPart:
        """Return the object of JSON from the manifest; errors begin with ``source``.

        Raises:
            LoopError: keys are missing or unknown, or values have another type.
        """
        try:
            return cls.model_validate_json(json.dumps(value))  # JSON's rules: an array is a tuple
        except ValidationError as error:
            found = [f"{source}: {_sentence(detail)}" for detail in error.errors(include_url=False)]
            raise LoopError("\n".join([*found, HOW_TO_FIX])) from error


class StageFacts(Part):
    """The facts of a stage.

    Attributes:
        stage: name of the stage.
        files: files that later stages read, relative to the stage's folder.
    """

    stage: ClassVar[str]

    files: tuple[str, ...]


def named_files(facts: Mapping[str, object]) -> list[str]:
    """Return the files that facts in JSON name.

    Raises:
        ValueError: ``files`` is not a list of names.
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
