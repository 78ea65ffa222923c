"""Hashes of what a stage depends on: configuration, code, and the stages before it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnpal.loop.durable import digest


def config_hashes(tables: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the hash of each named table or key; of one that the configuration does not have, that of null."""
    return {name: digest(part_of(tables, name)) for name in names}


def part_of(tables: Mapping[str, Any], name: str) -> Any:
    """Return a table, or a value by its dotted name (``rare_events.k``); None where there is none."""
    found: Any = tables
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def code_hashes(names: Sequence[str]) -> dict[str, str]:
    """Return the hash of the sources of each module or package, all modules within it included.

    Nothing is imported but the parents of a dotted name.

    Raises:
        ModuleNotFoundError: no such module.
    """
    return {name: _sources_hash(name) for name in names}


def stage_key(previous: str, iteration: int, stage: str, seed: int, config: object, code: object) -> str:
    """Return the key of a stage: equal keys, equal results."""
    return digest([previous, iteration, stage, seed, config, code])


def stage_seed(seed: int, iteration: int, stage: str) -> int:
    """Return a stage's own seed, from 1 to 2³¹ - 1."""
    return 1 + int(digest([seed, iteration, stage]), 16) % (2**31 - 1)


def _sources_hash(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module {name}, whose sources belong to a stage's key", name=name)
    found = hashlib.sha256()
    for label, path in sorted(_sources(spec.origin, spec.submodule_search_locations)):
        found.update(f"{label}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _sources(origin: str | None, folders: Sequence[str] | None) -> list[tuple[str, Path]]:
    """Return relative name and path of each source file of a module or package."""
    if not folders:
        return [(Path(origin).name, Path(origin))] if origin is not None else []
    return [
        (path.relative_to(folder).as_posix(), path)
        for folder in map(Path, dict.fromkeys(folders))
        for path in folder.rglob("*.py")
    ]
