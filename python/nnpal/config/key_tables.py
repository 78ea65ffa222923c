"""Text descriptions of the keys of configuration models."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Key:
    """A key of a table: name, type, default (TOML) and meaning."""

    name: str
    kind: str
    default: str
    meaning: str


def describe(model: type[BaseModel], names: Sequence[str], prefix: str = "") -> Iterator[str]:
    """Yield a line of commented TOML for each table and key in the fields ``names`` of ``model``."""
    for name in names:
        field = model.model_fields[name]
        for table in tables_of(field.annotation):
            yield f"[{prefix}{name}]  # {_summary(table)}"
            nested = [part for part, own in table.model_fields.items() if tables_of(own.annotation)]
            for key in keys_of(table):
                words = f"{key.kind}: {key.meaning}".rstrip(": ")
                yield f"{key.name} = {key.default}  # {words}"
            yield ""
            yield from describe(table, nested, f"{prefix}{name}.")


def keys_of(table: type[BaseModel]) -> Iterator[Key]:
    """Yield the keys of a table, in order."""
    for name, field in table.model_fields.items():
        yield Key(name, f"{kind(field.annotation)}{_limits(field)}", _default(field), field.description or "")


def tables_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the models in a type annotation, also within lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in tables_of(part)]


def kind(annotation: Any) -> str:
    """Return a description of the type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(parts[0])
    if origin is Literal:
        return " or ".join(json.dumps(part) for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(part) for part in parts if part is not type(None)))
    if origin in (tuple, list):
        return f"list of {kind(parts[0])}"
    if origin is dict:
        return f"table of {kind(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any value"}
    return names.get(annotation, "text")


def _limits(field: FieldInfo) -> str:
    bounds = [f"{sign} {getattr(m, name)}" for m in field.metadata for name, sign in _SIGNS.items() if hasattr(m, name)]
    return f" ({', '.join(bounds)})" if bounds else ""


_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    value = field.default
    if value is None:
        return "(absent)"
    if isinstance(value, BaseModel):
        return "(its defaults)"
    return json.dumps(list(value) if isinstance(value, tuple) else value if not hasattr(value, "parts") else str(value))


def _summary(table: type[BaseModel]) -> str:
    first = (table.__doc__ or "").strip().splitlines()[0]
    return first.partition("]: ")[2] or first
