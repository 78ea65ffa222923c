"""Read a configuration file, and say which key of it is wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nnpal.config.describe import tables_of
from nnpal.suggest import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """A configuration file that cannot be used; each line names file, key, value and what is allowed."""


def read_toml(path: str | os.PathLike[str], kind: type[Model]) -> Model:
    """Return the contents of a TOML file as ``kind``.

    Raises:
        ConfigError: no such file, no TOML, or a key or value that ``kind`` does not allow.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: {reason}; expected a TOML file (see nnpal schema)") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return validated(values, kind, source=str(path))


def validated(values: dict[str, Any], kind: type[Model], *, source: str) -> Model:
    """Return ``values`` as ``kind``; ``source`` names the file in errors.

    Raises:
        ConfigError: a key or value that ``kind`` does not allow.
    """
    try:
        # JSON's rules, strict: a TOML array is a tuple, a path or a choice is a string
        return kind.model_validate_json(json.dumps(values, default=_refuse))
    except TypeError as error:
        raise ConfigError(f"{source}: {error}") from error
    except ValidationError as error:
        lines = [_sentence(source, detail, values, kind) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from error


def _refuse(value: object) -> None:
    raise TypeError(f"{value!r} is a {type(value).__name__}; expected a number, a string, true or false, or a list")


def _sentence(source: str, detail: ErrorDetails, values: dict[str, Any], kind: type[BaseModel]) -> str:
    """Return `FILE: key = value: what is wrong; what is allowed`."""
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = sorted(_keys_at(kind, detail["loc"][:-1], values))
        return f"{source}: {key}: unknown key{did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"{source}: {key}: missing, expected a value (nnpal schema says of which kind)"
    message = detail["msg"]
    if detail["type"] == "value_error":
        message = message.removeprefix("Value error, ")  # nnpal's own words
    else:
        message = message[0].lower() + message[1:]
    return f"{source}: {key} = {detail['input']!r}: {message}"


def _keys_at(kind: Any, location: tuple[int | str, ...], values: Any) -> list[str]:
    """Return the keys that the table at ``location`` may have, as far as the models tell."""
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = _model_of(kind.model_fields[str(part)].annotation, part)
        else:
            kind = _model_of(kind, part)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _model_of(annotation: Any, tag: int | str) -> Any:
    """Return the model within `X | None`, `list[X]` or a tagged union, chosen by its tag."""
    models = tables_of(annotation)
    for model in models:
        field = model.model_fields.get("kind")
        if field is not None and tag in get_args(field.annotation):
            return model
    return models[0] if len(models) == 1 else annotation
