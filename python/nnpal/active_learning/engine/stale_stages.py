"""Before a run resumes: reject changes, or handle them as requested; then adopt the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.changes import Changes, Planned, accept, find_changes, table_difference
from nnpal.active_learning.engine.error import StaleRun
from nnpal.active_learning.engine.manifest import Manifest, discard, write_manifest
from nnpal.runtime.files import write_whole
from nnpal.runtime.json_files import read_json, write_json

CONFIG, RESOLVED = "config.toml", "resolved.json"


@dataclass(frozen=True)
class Given:
    """What the user gives: a configuration file, its resolved tables, and the command that resumes the run."""

    config_path: Path
    tables: Mapping[str, Any]
    command: str


def settle(
    run_folder: Path,
    manifest: Manifest,
    plan: Sequence[Planned],
    given: Given,
    *,
    redo: bool,
    keep: bool,
    log: Callable[[str], None],
) -> Manifest:
    """Return the manifest from which to resume, and copy the configuration into the run's folder.

    Arguments:
        run_folder: run folder.
        manifest: manifest as read.
        plan: stages, see :func:`nnpal.active_learning.engine.changes.find_changes`.
        given: configuration with which the run resumes.
        redo: drop stale stages; their folders move to ``stale``.
        keep: keep stale stages unchanged.
        log: receives lines of text.

    Raises:
        StaleRun: there are changes, and neither ``redo`` nor ``keep`` is set, or the stages cannot be kept.
    """
    changes = find_changes(run_folder, plan)
    if changes.stale:
        difference = _difference(run_folder, changes, given)
        stale = _stale(changes, manifest)
        if redo:
            manifest = discard(run_folder, manifest, changes.stale)
        elif keep and not changes.lost:
            manifest = accept(run_folder, manifest, plan)
            write_manifest(run_folder, manifest)
        else:
            told = [f"{run_folder}: inputs of its finished stages have changed", *difference, "stale:", *stale]
            raise StaleRun("\n".join([*told, *_ways_out(run_folder, changes, given, keep)]))
        log("\n".join([*difference, f"stale, and {'recomputed' if redo else 'kept unchanged'}:", *stale]))
    write_whole(run_folder / CONFIG, given.config_path.read_bytes())
    write_json(run_folder / RESOLVED, given.tables)
    return manifest


def _difference(run_folder: Path, changes: Changes, given: Given) -> list[str]:
    old = read_json(run_folder / RESOLVED) or {}
    lines = table_difference(old, given.tables, changes.tables, os.fspath(given.config_path))
    return [*lines, *(f"code of {name} changed" for name in changes.code)]


def _stale(changes: Changes, manifest: Manifest) -> list[str]:
    """Return a line for each stale stage."""
    finished = {entry.name for entry in manifest.entries}
    names = [name for name in changes.stale if name in finished or name in changes.reasons]
    return [f"  {name}: {', '.join(changes.reasons.get(name, ['an earlier stage is stale']))}" for name in names]


def _ways_out(run_folder: Path, changes: Changes, given: Given, keep: bool) -> list[str]:
    redo = (
        f"  {given.command} --redo    stale stages are recomputed; their earlier results move to {run_folder / 'stale'}"
    )
    if changes.lost:
        how = "they cannot be kept" if keep else "nothing was changed"
        return [f"{how}: {'; '.join(changes.lost)}; restore that, or", redo]
    return [
        "nothing was changed; continue with one of",
        redo,
        f"  {given.command} --keep    stale stages are kept; the changes apply from here on",
        f"or undo the changes ({run_folder / CONFIG} is the previous configuration)",
    ]
