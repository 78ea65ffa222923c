"""What a user names as `MODULE:CLASS`: where it is sought, and what of it decides the numbers."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Let modules be found in ``folder`` too, after those that are found anyway."""
    entry = str(folder)
    if entry in sys.path:
        yield
        return
    sys.path.append(entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def version_of(spec: str, folder: Path, *, with_source: bool = False) -> dict[str, str]:
    """Return what says which code ``MODULE:CLASS`` is: its package's version, and the SHA-256 of its source file.

    Arguments:
        folder: where the module is sought besides.
        with_source: hash the file of an installed package's module too; that of any other is hashed anyway.
    """
    module = spec.partition(":")[0]
    found: dict[str, str] = {}
    for package in _distributions().get(module.partition(".")[0], [])[:1]:
        found["package"] = f"{package} {importlib.metadata.version(package)}"
    if with_source or not found:
        with on_path(folder):
            try:
                place = importlib.util.find_spec(module)
            except (ImportError, ValueError):
                place = None  # to import it gives the error that says more
        if place is not None and place.origin and Path(place.origin).is_file():
            found["source"] = hashlib.sha256(Path(place.origin).read_bytes()).hexdigest()
    return found


def resolved(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return options with ``{folder}`` in their texts as the path of ``folder``."""
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
