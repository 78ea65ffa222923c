"""What has changed since a run was last at work, and which of its stages that makes stale."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.earlier_names import RENAMED, are_earlier
from nnpal.active_learning.engine.keys import config_hashes, part_of, without
from nnpal.active_learning.engine.manifest import Entry, Manifest, changed_outputs, output_hashes
from nnpal.active_learning.engine.stage import Stage, stage_folder, stage_name
from nnpal.runtime.json_files import canonical, read_json, write_json

STARTED = "stage.json"


@dataclass(frozen=True)
class Basis:
    """All that a stage is made with, but for the stages before it."""

    seed: int
    config: dict[str, str]
    code: dict[str, str]

    @classmethod
    def of(cls, stage: Stage, tables: Mapping[str, Any], seed: int, code: dict[str, str]) -> Basis:
        """Return that of a stage as things are; ``code`` has the hashes of what it runs on."""
        return cls(seed, config_hashes(without(tables, stage.free), stage.tables), code)

    def as_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "config": self.config, "code": self.code}


@dataclass(frozen=True)
class Planned:
    """A stage in its place; ``entry`` is what the manifest has there, None where it is not finished."""

    iteration: int
    stage: Stage
    basis: Basis
    entry: Entry | None = None

    @property
    def name(self) -> str:
        return stage_name(self.iteration, self.stage.name)


@dataclass(frozen=True)
class Changes:
    """What has changed.

    Arguments:
        stale: names of all stale stages, finished or begun, in order.
        reasons: for each stage that is stale by itself, why.
        lost: what cannot be kept, in words.
        tables: that have changed.
        code: modules that have changed.
    """

    stale: Sequence[str]
    reasons: Mapping[str, Sequence[str]]
    lost: Sequence[str]
    tables: Sequence[str]
    code: Sequence[str]


def find_changes(run_folder: Path, plan: Sequence[Planned]) -> Changes:
    """Hold a run against the present configuration, code and files.

    A stage is stale by itself, or with an earlier one that others read, or, if none read it, with an earlier such one:
    the last page is the one that users look at.

    Arguments:
        run_folder: the run's.
        plan: a stage for each entry, pages that are missing among them, and the one after them.
    """
    reasons, lost = {}, []
    stale: list[str] = []
    is_stale = pages_are_stale = False
    tables: dict[str, None] = {}
    code: dict[str, None] = {}
    for planned in plan:
        entry = planned.entry
        name = planned.name if entry is None else entry.name
        if entry is not None and entry.name != planned.name:
            found = [f"the workflow now has {planned.name} in its place"]
            lost.append(f"{entry.name}: {found[0]}")
        else:
            made_with = _made_with(run_folder, planned, entry)
            found = _differences(made_with, planned.basis, tables, code)
            if entry is not None:
                missing, altered = changed_outputs(run_folder, entry)
                found += [f"{file} is missing" for file in missing] + [f"{file} has changed" for file in altered]
                lost += [f"{entry.name}/{file} is missing" for file in missing]
        if found:
            reasons[name] = found
            is_stale |= planned.stage.is_read
            pages_are_stale = True
        if found or is_stale or (pages_are_stale and not planned.stage.is_read):
            stale.append(name)
    return Changes(stale, reasons, lost, list(tables), list(code))


def accept(run_folder: Path, manifest: Manifest, plan: Sequence[Planned]) -> Manifest:
    """Return a manifest that accepts the finished stages as they are, and accept unfinished work as it is."""
    entries: list[Entry] = []
    for planned in plan:
        entry = planned.entry
        if entry is None:
            begun = stage_folder(run_folder, planned.iteration, planned.stage.name)
            if begun.exists():
                write_json(begun / STARTED, planned.basis.as_dict())
            continue
        _, altered = changed_outputs(run_folder, entry)
        if altered or _differences(_made_with(run_folder, planned, entry), planned.basis, {}, {}):
            outputs = output_hashes(run_folder, entry.iteration, entry.stage, entry.facts)
            entry = replace(entry, outputs=outputs, kept=planned.basis.as_dict())
        entries.append(entry)
    return replace(manifest, entries=tuple(entries))


def table_difference(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str], source: str) -> list[str]:
    """Return a unified difference of the named tables and keys, a line for each key, no context."""
    before, after = ([line for name in names for line in _lines(name, part_of(tables, name))] for tables in (old, new))
    lines = difflib.unified_diff(before, after, "before", source, n=0, lineterm="")
    return [line for line in lines if not line.startswith("@@")]


def _made_with(run_folder: Path, planned: Planned, entry: Entry | None) -> list[dict[str, Any]]:
    """Return what a stage was made with and what it was kept with, or what it was started with; empty: not started."""
    if entry is None:
        begun = read_json(stage_folder(run_folder, planned.iteration, planned.stage.name) / STARTED)
        return [] if begun is None else [begun]
    own = {"seed": entry.seed, "config": entry.config, "code": entry.code}
    return [own] if entry.kept is None else [entry.kept, own]


def _differences(
    made_with: Sequence[dict[str, Any]], basis: Basis, tables: dict[str, None], code: dict[str, None]
) -> list[str]:
    """Return what has changed, and add the tables and modules to those known."""
    now = basis.as_dict()
    if not made_with or now in made_with:
        return []
    then = made_with[0]
    changed_tables = _changed(then["config"], now["config"])
    renamed = are_earlier(then["code"])
    changed_code = ["nnpal"] if renamed else _changed(then["code"], now["code"])
    if then["seed"] != now["seed"]:
        changed_tables = ["run", *changed_tables]
    tables.update(dict.fromkeys(changed_tables))
    code.update(dict.fromkeys(changed_code))
    of_code = [RENAMED] if renamed else [f"code of {name} changed" for name in changed_code]
    return [f"{_title(name)} changed" for name in changed_tables] + of_code


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]


def _title(name: str) -> str:
    """Return a table as TOML heads it, and a key by its dotted name."""
    return name if "." in name else f"[{name}]"


def _lines(name: str, value: Any) -> list[str]:
    """Return `table.key = value` for each key."""
    if isinstance(value, dict) and value:
        return [line for key in sorted(value) for line in _lines(f"{name}.{key}", value[key])]
    return [f"{name} = {canonical(value)}"]
