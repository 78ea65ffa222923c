"""Identity of code that a user gives as `MODULE:CLASS`: its version and source, which affect the results."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnpal.runtime.import_path import spec_in, split_path


def version_of(spec: str, folder: Path, *, with_source: bool = False) -> dict[str, str]:
    """Return what identifies the code of ``MODULE:CLASS``: its package's version, and the SHA-256 of its source file.

    Arguments:
        folder: additional folder in which the module is looked up.
        with_source: hash the source file even if the module belongs to an installed package.
    """
    module, _ = split_path(spec)
    found: dict[str, str] = {}
    for package in _distributions().get(module.partition(".")[0], [])[:1]:
        found["package"] = f"{package} {importlib.metadata.version(package)}"
    if with_source or not found:
        place = spec_in(module, folder)
        if place is not None and place.origin and Path(place.origin).is_file():
            found["source"] = hashlib.sha256(Path(place.origin).read_bytes()).hexdigest()
    return found


def resolved(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return options with ``{folder}`` in their texts replaced with the path of ``folder``."""
    return {key: _resolved(value, folder) for key, value in options.items()}


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, str):
        return value.replace("{folder}", str(folder))
    if isinstance(value, Mapping):
        return resolved(value, folder)
    if isinstance(value, list | tuple):
        return type(value)(_resolved(item, folder) for item in value)
    return value


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
