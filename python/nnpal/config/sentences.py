"""Convert pydantic's validation errors to sentences for users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from nnpal.config.dpgen_keys import dpgen_hint
from nnpal.config.key_tables import tables_of
from nnpal.runtime.spelling import did_you_mean

Key = tuple[int | str, ...]


@dataclass(frozen=True)
class _Finding:
    """One validation error of pydantic.

    Arguments:
        key: key as in the file.
        union: key of the value for which pydantic tried several types; None if it tried one.
        branch: the type among these.
    """

    detail: ErrorDetails
    key: Key
    union: Key | None
    branch: int | str | None


def sentences(details: Sequence[ErrorDetails], values: Mapping[str, Any], kind: type[BaseModel]) -> list[str]:
    """Return a sentence for each error: `key = value: what is wrong; what is allowed`.

    If a value matches none of several types, only the errors of the nearest type are reported.
    """
    findings = [_located(detail, values) for detail in details if not _counts_faulty_items_out(detail)]
    lines: dict[str, None] = {}
    for finding in findings:
        rivals = [other for other in findings if finding.union is not None and other.union == finding.union]
        if len({rival.branch for rival in rivals}) < 2:
            lines[_sentence(finding, _message(finding.detail), kind)] = None
            continue
        deepest = max(len(rival.key) for rival in rivals)
        nearest = [rival for rival in rivals if len(rival.key) == deepest]
        if finding is nearest[0] and deepest == len(finding.union or ()):
            messages = dict.fromkeys(_message(rival.detail) for rival in nearest)
            lines[_sentence(finding, ", or ".join(messages), kind)] = None
        elif finding in nearest and deepest > len(finding.union or ()):
            lines[_sentence(finding, _message(finding.detail), kind)] = None
    return list(lines)


def _counts_faulty_items_out(detail: ErrorDetails) -> bool:
    """Return whether pydantic reports a list as too short only because it has dropped invalid items."""
    given = detail["input"]
    return detail["type"] == "too_short" and isinstance(given, list) and len(given) >= detail["ctx"]["min_length"]


def _located(detail: ErrorDetails, values: Any) -> _Finding:
    """Separate the keys of the file from the type names that pydantic inserts between them."""
    key: list[int | str] = []
    union: Key | None = None
    branch: int | str | None = None
    for place, part in enumerate(detail["loc"]):
        is_last = place == len(detail["loc"]) - 1
        if isinstance(values, Mapping) and part in values:
            values = values[str(part)]
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        elif not (is_last and detail["type"] == "missing"):
            if union is None:
                union, branch = tuple(key), part
            continue
        key.append(part)
    return _Finding(detail, tuple(key), union, branch)


def _message(detail: ErrorDetails) -> str:
    """Return pydantic's message in TOML's terms, or nnpal's own message."""
    message = detail["msg"]
    if detail["type"] == "value_error":
        return message.removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return (
        message.replace("a valid array", "a list")
        .replace("an object", "a table")
        .replace("a valid dictionary", "a table")
    )


def _sentence(finding: _Finding, message: str, kind: type[BaseModel]) -> str:
    detail, key = finding.detail, ".".join(str(part) for part in finding.key)
    if detail["type"] == "extra_forbidden":
        last, known = str(finding.key[-1]), sorted(_keys_at(kind, detail["loc"][:-1]))
        return f"{key}: unknown key{dpgen_hint(last) or did_you_mean(last, known)}"
    if detail["type"] == "missing":
        return f"{key}: missing, expected a value (nnpal schema says of which kind)"
    if isinstance(detail["input"], Mapping) and detail["type"] == "value_error":  # inconsistent keys
        return f"[{key}]: {message}" if key else message
    return f"{key} = {detail['input']!r}: {message}"


def _keys_at(kind: Any, location: Sequence[int | str]) -> Iterator[str]:
    """Return the allowed keys of the table at ``location``, as far as the models define them."""
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = _model_of(kind.model_fields[str(part)].annotation, part)
        else:
            kind = _model_of(kind, part)
    yield from kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _model_of(annotation: Any, tag: int | str) -> Any:
    """Return the model within `X | None`, `list[X]` or a tagged union, chosen by its tag."""
    models = tables_of(annotation)
    for model in models:
        field = model.model_fields.get("kind")
        if field is not None and tag in get_args(field.annotation):
            return model
    return models[0] if len(models) == 1 else annotation
