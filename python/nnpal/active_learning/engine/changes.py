"""Changes since a run last worked, and the stages that they make stale."""

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
    """Everything that determines the results of a stage, except for earlier stages."""

    seed: int
    config: dict[str, str]
    code: dict[str, str]

    @classmethod
    def of(cls, stage: Stage, tables: Mapping[str, Any], seed: int, code: dict[str, str]) -> Basis:
        """Return the present basis of a stage; ``code`` has the hashes of the code that it runs."""
        return cls(seed, config_hashes(without(tables, stage.free), stage.tables), code)

    def as_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "config": self.config, "code": self.code}


@dataclass(frozen=True)
class Planned:
    """A stage and its place in the run; ``entry`` is its entry in the manifest, None if it is not finished."""

    iteration: int
    stage: Stage
    basis: Basis
    entry: Entry | None = None

    @property
    def name(self) -> str:
        return stage_name(self.iteration, self.stage.name)


@dataclass(frozen=True)
class Changes:
    """Changes since the run last worked.

    Arguments:
        stale: names of all stale stages, finished or started, in order.
        reasons: why each stage is stale, except for stages that are stale only because of earlier ones.
        lost: descriptions of results that cannot be kept.
        tables: names of the tables and keys that have changed.
        code: packages whose code has changed.
    """

    stale: Sequence[str]
    reasons: Mapping[str, Sequence[str]]
    lost: Sequence[str]
    tables: Sequence[str]
    code: Sequence[str]


def find_changes(run_folder: Path, plan: Sequence[Planned]) -> Changes:
    """Compare a run with the present configuration, code and files.

    A stage is stale if its own inputs or outputs changed or an earlier stage with results that others read is stale. A
    page is also stale if an earlier page is: users look at the last page.

    Arguments:
        run_folder: run folder.
        plan: the stage of each entry, missing pages between them, and the next stage.
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
    """Return a manifest that accepts the finished stages unchanged; mark unfinished work as accepted too."""
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
    """Return a unified diff of the named tables and keys, one line per key, without context."""
    before, after = ([line for name in names for line in _lines(name, part_of(tables, name))] for tables in (old, new))
    lines = difflib.unified_diff(before, after, "before", source, n=0, lineterm="")
    return [line for line in lines if not line.startswith("@@")]


def _made_with(run_folder: Path, planned: Planned, entry: Entry | None) -> list[dict[str, Any]]:
    """Return the bases with which a stage was kept and made, or with which it was started; empty: not started."""
    if entry is None:
        begun = read_json(stage_folder(run_folder, planned.iteration, planned.stage.name) / STARTED)
        return [] if begun is None else [begun]
    own = {"seed": entry.seed, "config": entry.config, "code": entry.code}
    return [own] if entry.kept is None else [entry.kept, own]


def _differences(
    made_with: Sequence[dict[str, Any]], basis: Basis, tables: dict[str, None], code: dict[str, None]
) -> list[str]:
    """Return the reasons why a stage is stale; add changed tables and packages to ``tables`` and ``code``."""
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
    """Return a table's name in brackets, as in TOML, or a key's dotted name."""
    return name if "." in name else f"[{name}]"


def _lines(name: str, value: Any) -> list[str]:
    """Return `table.key = value` for each key."""
    if isinstance(value, dict) and value:
        return [line for key in sorted(value) for line in _lines(f"{name}.{key}", value[key])]
    return [f"{name} = {canonical(value)}"]
