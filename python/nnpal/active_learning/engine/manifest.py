"""``manifest.json``: the finished stages of a run, in order, without times or absolute paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nnpal.active_learning.engine.error import LoopError, StageError
from nnpal.active_learning.engine.facts import MANIFEST, named_files
from nnpal.active_learning.engine.stage import Facts, stage_folder, stage_name
from nnpal.runtime.files import sync
from nnpal.runtime.json_files import file_hash, read_json, write_json

FORMAT = 1
Hashes = dict[str, str]


@dataclass(frozen=True)
class Entry:
    """A finished stage.

    Arguments:
        iteration, stage: iteration (from 0) and name of the stage.
        key: hash of everything that determines the results; see :func:`nnpal.active_learning.engine.keys.stage_key`.
        seed: random seed of the run.
        config: hash of each table that the stage read.
        code: hash of the code that the stage ran, by package; see
            :func:`nnpal.active_learning.engine.keys.code_hashes`.
        facts: facts that the stage returned.
        outputs: SHA-256 of each file that the facts name.
        kept: ``seed``, ``config`` and ``code`` when the user last kept the stage in spite of a change.
    """

    iteration: int
    stage: str
    key: str
    seed: int
    config: Hashes
    code: Hashes
    facts: Facts
    outputs: Hashes
    kept: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return stage_name(self.iteration, self.stage)


@dataclass(frozen=True)
class Manifest:
    """The finished stages of a run.

    Arguments:
        entries: finished stages, in order.
        finished: why the run is finished; None: it is not.
        discarding: ``folders`` being moved to the folder ``to``, relative to the run folder; None: none.
    """

    entries: tuple[Entry, ...] = ()
    finished: str | None = None
    discarding: dict[str, Any] | None = None

    def history(self) -> list[dict[str, Facts]]:
        """Return the facts by stage of each iteration, up to the last with a finished stage."""
        return history_of(self.entries)

    def with_entry(self, entry: Entry, place: int) -> Manifest:
        """Return a manifest with one more entry, inserted before the one at ``place``."""
        return replace(self, entries=(*self.entries[:place], entry, *self.entries[place:]), finished=None)


def history_of(entries: Iterable[Entry]) -> list[dict[str, Facts]]:
    """Return the facts by stage of each iteration, up to the last of these entries."""
    found: list[dict[str, Facts]] = []
    for entry in entries:
        while len(found) <= entry.iteration:
            found.append({})
        found[entry.iteration][entry.stage] = entry.facts
    return found


def read_manifest(run_folder: Path) -> Manifest:
    """Return a run's manifest, empty if there is no file.

    Raises:
        LoopError: the file is not a manifest, or has another format.
    """
    path = run_folder / MANIFEST
    try:
        found = read_json(path)
        if found is None:
            return Manifest()
        if found["format"] != FORMAT:
            raise LoopError(
                f"{path}: format {found['format']}, expected {FORMAT}; it was written by another version of nnpal"
            )
        entries = tuple(Entry(**entry) for entry in found["entries"])
        return Manifest(entries, found["finished"], found.get("discarding"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LoopError(f"{path}: not the manifest of a run: {type(error).__name__}: {error}") from error


def write_manifest(run_folder: Path, manifest: Manifest) -> None:
    """Write a run's manifest atomically."""
    entries = [{key: value for key, value in asdict(entry).items() if value is not None} for entry in manifest.entries]
    content: dict[str, Any] = {"format": FORMAT, "entries": entries, "finished": manifest.finished}
    if manifest.discarding is not None:
        content["discarding"] = manifest.discarding
    write_json(run_folder / MANIFEST, content)


def output_hashes(run_folder: Path, iteration: int, stage: str, facts: Facts) -> Hashes:
    """Flush the files that ``facts`` name to the disk and return their hashes.

    Raises:
        StageError: a name is not a file in the stage's folder.
    """
    folder, name = stage_folder(run_folder, iteration, stage), stage_name(iteration, stage)
    try:
        files = named_files(facts)
    except ValueError as error:
        raise StageError(f"{name}: {error}") from error
    for file in files:
        path = (folder / file).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise StageError(f"{name}: fact files names {file!r}, which is not a file in {folder}")
    hashes = {file: file_hash(folder / file, sync=True) for file in files}
    places = [parent for file in files for parent in (folder / file).parents]
    for place in {place for place in places if place.is_relative_to(run_folder)}:
        sync(place)
    return hashes


def changed_outputs(run_folder: Path, entry: Entry) -> tuple[list[str], list[str]]:
    """Return the files of a finished stage that are missing, and those whose content has changed."""
    folder = stage_folder(run_folder, entry.iteration, entry.stage)
    missing = [file for file in entry.outputs if not (folder / file).is_file()]
    altered = [
        file for file, known in entry.outputs.items() if file not in missing and file_hash(folder / file) != known
    ]
    return missing, altered


def discard(run_folder: Path, manifest: Manifest, names: Sequence[str]) -> Manifest:
    """Drop these stages, move their folders to the next free ``stale/N``, and return the new manifest.

    This is atomic: once the manifest is written, :func:`finish_discarding` completes the move, also after a crash.
    """
    number = 0
    while (run_folder / "stale" / str(number)).exists():
        number += 1
    marked = replace(
        manifest,
        entries=tuple(entry for entry in manifest.entries if entry.name not in names),
        finished=None,
        discarding={"to": f"stale/{number}", "folders": list(names)},
    )
    write_manifest(run_folder, marked)
    return finish_discarding(run_folder, marked)


def finish_discarding(run_folder: Path, manifest: Manifest) -> Manifest:
    """Complete an interrupted move to ``stale``."""
    if manifest.discarding is None:
        return manifest
    for name in manifest.discarding["folders"]:
        target = run_folder / manifest.discarding["to"] / name
        if (run_folder / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (run_folder / name).rename(target)
    done = replace(manifest, discarding=None)
    write_manifest(run_folder, done)
    return done
