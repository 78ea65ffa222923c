"""Read a configuration file, and report which of its keys are wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nnpal.config.sentences import sentences

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
        ConfigError: no such file, invalid TOML, or a key or value that ``kind`` does not allow.
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
        # strict JSON validation, in which arrays can be tuples, and strings can be paths or choices
        return kind.model_validate_json(json.dumps(values, default=_refuse))
    except TypeError as error:
        raise ConfigError(f"{source}: {error}") from error
    except ValidationError as error:
        found = sentences(error.errors(include_url=False), values, kind)
        raise ConfigError("\n".join(f"{source}: {line}" for line in found)) from error


def _refuse(value: object) -> None:
    raise TypeError(f"{value!r} is a {type(value).__name__}; expected a number, a string, true or false, or a list")
