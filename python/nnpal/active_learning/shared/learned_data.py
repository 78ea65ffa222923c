"""Labeled configurations of a run, in one dataset per labeling stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from nnpal.active_learning.engine.facts import named_files
from nnpal.active_learning.engine.stage import History, StageContext, stage_folder
from nnpal.data import content_hash, read_frames, write_dataset

LEARNED = "learnt.h5"


def write_learned(ctx: StageContext, frames: Sequence[Atoms], name: str = LEARNED) -> str:
    """Write a stage's labeled configurations, and return the name of the file."""
    write_dataset(ctx.folder / name, frames, provenance={"made by": f"nnpal run, {ctx.folder.name}"})
    return name


def learned_so_far(ctx: StageContext) -> list[Atoms]:
    """Return all configurations that stages of this run have labeled for training, each once, in order."""
    frames: list[Atoms] = []
    seen: set[str] = set()
    for path in data_files(ctx.run_folder, ctx.history):
        for frame in read_frames(path):
            key = content_hash([frame])
            if key not in seen:
                seen.add(key)
                frames.append(frame)
    return frames


def data_files(run_folder: Path, history: History) -> Iterator[Path]:
    """Yield the training datasets."""
    for iteration, stages in enumerate(history):
        for name, facts in stages.items():
            if LEARNED in named_files(facts):
                yield stage_folder(run_folder, iteration, name) / LEARNED
