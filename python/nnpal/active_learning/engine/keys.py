"""Hashes of what a stage depends on: configuration, code, and the stages before it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from nnpal.active_learning.engine.imports import imported_files
from nnpal.active_learning.engine.libraries import library_hash
from nnpal.runtime.json_files import digest


def config_hashes(tables: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the hash of each named table or key; that of null if the configuration does not have it."""
    return {name: digest(part_of(tables, name)) for name in names}


def without(tables: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the tables without the keys given by dotted names (``training.tensorboard``)."""
    found = dict(tables)
    for table, _, key in (name.partition(".") for name in names):
        if isinstance(found.get(table), Mapping):
            found[table] = {own: value for own, value in found[table].items() if own != key}
    return found


def part_of(tables: Mapping[str, Any], name: str) -> Any:
    """Return a table, or a value by its dotted name (``rare_events.k``); None if missing."""
    found: Any = tables
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def code_hashes(names: Sequence[str], *, drawing: bool = True) -> dict[str, str]:
    """Return the hashes, by package, of all code that these modules depend on.

    See :mod:`nnpal.active_learning.engine.imports`. The key ``nnpal.data`` covers the imported modules of that package;
    the key of a compiled library is its relative path, see :mod:`nnpal.active_learning.engine.libraries`. Without
    ``drawing``, modules that draw do not count.

    Raises:
        ModuleNotFoundError: no such module.
    """
    packages: dict[str, Any] = {}
    for name, path in imported_files(names, drawing=drawing).items():
        package = name if "/" in name else ".".join(name.split(".")[:2])
        found = packages.setdefault(package, hashlib.sha256())
        if path.suffix == ".so":
            found.update(f"{name}\0{library_hash(path)}\0".encode())
        else:
            found.update(f"{name}\0{path.stat().st_size}\0".encode())
            found.update(path.read_bytes())
    return {package: found.hexdigest() for package, found in packages.items()}


def stage_key(previous: str, iteration: int, stage: str, seed: int, config: object, code: object) -> str:
    """Return the key of a stage; stages with equal keys have equal results."""
    return digest([previous, iteration, stage, seed, config, code])


def stage_seed(seed: int, iteration: int, stage: str) -> int:
    """Return the random seed of a stage, from 1 to 2³¹ - 1."""
    return 1 + int(digest([seed, iteration, stage]), 16) % (2**31 - 1)
