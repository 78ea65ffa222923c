"""Read damaged files of other types than models in a separate process, which a library may crash.

Usage: python damage_search.py KIND FOLDER SEED N FIRST

Makes an intact file in FOLDER, reads N damaged copies, from number FIRST on, and appends a line of JSON to
FOLDER/outcomes before and after each: [number, damage], and [number, damage, outcome, text]. Outcomes are ``same`` or
``other`` (content compared with the intact file), ``refused``, or the class of an unexpected exception.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from damaged_files import damaged_copies
from momt_biases import write_function
from nnpal.active_learning.engine.error import LoopError
from nnpal.active_learning.engine.manifest import Entry, Manifest, read_manifest, write_manifest
from nnpal.data import DatasetError, read_dataset, write_dataset
from nnpal.hooks import HookError
from nnpal.label.store import LabelStore
from nnpal.label.store_errors import StoreError
from nnpal.momt.bias_file import read_bias
from nnpal.momt.grid import Axis
from nnpal.oracle.calculation import Result
from nnpal.training.storage import remove_damaged, save_whole
from support.folders import SEARCH_PATH


class Kind(NamedTuple):
    """A type of file: its name, functions to write and read it, and its error."""

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    error: type[Exception] | tuple[type[Exception], ...]


def write_frames(path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(20):
        atoms = Atoms("Al4", positions=rng.random((4, 3)), cell=[8.0] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=rng.random(), forces=rng.random((4, 3)))
        frames.append(atoms)
    write_dataset(path, frames, provenance={"of": "noise"})


def read_frames(path: Path) -> Any:
    contents = read_dataset(path)
    return contents.content_hash, contents.provenance, [(f.positions.tolist(), f.info) for f in contents.frames]


def write_labels(path: Path) -> None:
    rng = np.random.default_rng(0)
    with LabelStore(path) as store:
        for number in range(60):
            result = Result(rng.random(), rng.random((8, 3)), rng.random((3, 3)))
            store.put_label(f"{number:064x}", {"oracle": "noise"}, result, rung=0, seconds=1.0)


def read_labels(path: Path) -> Any:
    for ending in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with LabelStore(path) as store:
        found = [store.get(f"{number:064x}", {"oracle": "noise"}) for number in range(60)]
        return len(store), repr(found), sorted(store.identities().items()), store.timing()


def write_bias(path: Path) -> None:
    axis = Axis("V", 60.0, 70.0, 40)
    write_function(path, (axis,), lambda v: 0.1 * v, temp=300.0, press=0.0, n_cells=None)


def write_checkpoint(path: Path) -> None:
    torch.manual_seed(0)
    save_whole(path, {"weights": torch.rand(500), "epochs": [{"loss": 0.5}], "name": "member"})


def read_checkpoint(path: Path) -> Any:
    """Return the state as training reads it; a damaged checkpoint is removed."""
    remove_damaged([path], lambda line: None)
    state = torch.load(path, weights_only=True)
    return state["weights"].tolist(), state["epochs"], state["name"]


def write_run(path: Path) -> None:
    entry = Entry(0, "label", "0" * 64, 7, {"label": "1" * 64}, {"nnpal": "2" * 64}, {"n": 3}, {"labels.h5": "3" * 64})
    write_manifest(path.parent, Manifest((entry, entry), None, None))
    path.parent.joinpath("manifest.json").rename(path)


def read_run(path: Path) -> Any:
    path.rename(path.parent / "manifest.json")
    return repr(read_manifest(path.parent))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("dataset.h5", write_frames, read_frames, DatasetError),
        Kind("labels.db", write_labels, read_labels, StoreError),
        Kind("momt.h5", write_bias, lambda path: repr(read_bias(path)), HookError),
        Kind("checkpoint.pt", write_checkpoint, read_checkpoint, FileNotFoundError),
        Kind("run.json", write_run, read_run, LoopError),
    )
}


def outcome(kind: Kind, path: Path, expected: Any) -> tuple[str, str]:
    try:
        return "same" if kind.read(path) == expected else "other", ""
    except kind.error as error:
        return "refused", str(error)
    except Exception as error:
        return type(error).__name__, str(error)


def main(name: str, folder: Path, seed: int, n: int, first: int) -> None:
    kind, whole, path = KINDS[name], folder / f"whole.{name}", folder / name
    if not whole.exists():
        kind.write(whole)
    content = whole.read_bytes()
    path.write_bytes(content)
    expected = kind.read(path)
    with (folder / "outcomes").open("a") as log:
        for number, (what, copy) in enumerate(damaged_copies(content, seed, n)):
            if number < first:
                continue
            print(json.dumps([number, what]), file=log, flush=True)
            path.write_bytes(copy)
            print(json.dumps([number, what, *outcome(kind, path, expected)]), file=log, flush=True)


def search(name: str, folder: Path, seed: int, n: int) -> list[list[Any]]:
    """Return the outcome of each of ``n`` damaged copies: [number, damage, outcome, text]; one outcome is ``crash``."""
    found: list[list[Any]] = []
    log = folder / "outcomes"
    environment = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    while len(found) < n:
        log.unlink(missing_ok=True)
        command = [sys.executable, "-W", "ignore", __file__, name, str(folder), str(seed), str(n), str(len(found))]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=3600)
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        done = [line for line in lines if len(line) == 4]
        found += done
        if ended.returncode and (not lines or len(lines[-1]) != 2):
            raise RuntimeError(ended.stderr)
        if ended.returncode:
            found.append([*lines[-1], "crash", f"exit status {ended.returncode}"])
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
