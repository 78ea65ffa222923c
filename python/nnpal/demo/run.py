"""The stages of the demo, in order."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nnpal.demo import sampling_plan
from nnpal.demo.dynamics import NVERun, read_run, run_phase, write_inputs
from nnpal.demo.eam import eam_potential
from nnpal.demo.figure import figure
from nnpal.demo.settings import DemoSettings
from nnpal.demo.summary import DemoData, Summary, print_summary, summarize
from nnpal.evaluation import Comparison, compare, predict, read_labels
from nnpal.figures.figure import write_figure
from nnpal.model import export_ensemble
from nnpal.runtime.files import aside
from nnpal.runtime.json_files import write_json
from nnpal.training import EnsembleSettings, EpochRecord, TrainedEnsemble, train_ensemble, usable_cores
from nnpal.training.plan import PLAN, member_folder
from nnpal.training.schedule import total_updates
from nnpal.training.worker import CACHE

MODEL = "al.nnp.pt"
TRAINING = "training"


def run_demo(
    output_dir: Path = Path("demo-output"),
    settings: DemoSettings | None = None,
    console: Console | None = None,
) -> Summary:
    """Sample aluminum, train an ensemble, export it, run it in LAMMPS, and compare it with the reference potential.

    The folder receives the configurations (``train.extxyz``, ``held_out.extxyz``), the training (``training``), the
    model (``al.nnp.pt``), inputs, logs and trajectories of the runs (``lmp -in in.nve -var phase solid`` repeats one),
    ``figure.png``, ``.pdf`` and ``.csv``, and ``summary.json``.

    Arguments:
        output_dir: output folder, created if it does not exist; files of an earlier demo are replaced.
        settings: settings of the demo; the defaults take about two minutes on two cores.
        console: console for progress and tables.

    Returns:
        The contents of ``summary.json``.

    Raises:
        nnpal.lammps.process.LmpError: ``lmp`` does not exist or ended with an error.
        ValueError: the folder is a file, or has a folder ``training`` that is not a training folder of nnpal.
    """
    _require_own(output_dir)
    settings = settings or DemoSettings()
    console = console or Console()
    output_dir.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with _progress(console) as progress:
        with _timed(seconds, "sampling"):
            trajectories = sampling_plan.plan(settings)
            frames = _sample(trajectories, settings, progress)
        with _timed(seconds, "files"):
            train_frames = frames["train", "solid"] + frames["train", "liquid"]
            held_out = {phase: frames["held_out", phase] for phase in sampling_plan.PHASES}
            _write_frames(output_dir / "train.extxyz", train_frames)
            _write_frames(output_dir / "held_out.extxyz", [f for part in held_out.values() for f in part])
        with _timed(seconds, "training"):
            seeds = [settings.seed + number for number in range(settings.n_members)]
            ensemble = _train(train_frames, output_dir / TRAINING, settings, seeds, progress)
        data: DemoData = {
            "n_train": len(train_frames),
            "mean_fcc_order": {
                phase: float(np.mean([frame.info["fcc_order"] for frame in frames["train", phase]]))
                for phase in ("solid", "liquid")
            },
            "hash": ensemble.plan.content_hash,
            "self_energies_eV": ensemble.result.self_energies,
            "member_seeds": seeds,
            "best_epochs": [member.best_epoch for member in ensemble.members],
            "trajectories": [asdict(trajectory) for trajectory in trajectories],
        }
        with _timed(seconds, "export and test"):
            export_ensemble(
                ensemble.model(),
                output_dir / MODEL,
                kernel="torchani",
                calibration=ensemble.calibration,
                dataset_hash=ensemble.plan.content_hash,
                provenance={
                    "trained_by": "nnpal demo",
                    "training": settings.training.model_dump(),
                    "loss": settings.loss.model_dump(),
                    "network": asdict(settings.network),
                    "member_seeds": seeds,
                },
            )
            comparisons = {phase: _accuracy(output_dir / MODEL, part) for phase, part in held_out.items()}
        with _timed(seconds, "dynamics"):
            starts = {phase: frames["start", phase][-1] for phase in sampling_plan.PHASES}
            write_inputs(output_dir, MODEL, starts, settings)
            runs = _run_phases(output_dir, settings, progress)
    files = write_figure(output_dir, figure(ensemble.members, comparisons, runs))
    summary = summarize(settings, comparisons, runs, seconds, data)
    write_json(output_dir / "summary.json", summary, sort_keys=False)
    print_summary(console, summary, settings)
    console.print(f"Results are in {output_dir}, the figure in {files.png}.")
    return summary


def _sample(
    trajectories: list[sampling_plan.Trajectory], settings: DemoSettings, progress: Progress
) -> dict[tuple[str, str], list[Atoms]]:
    """Run all trajectories; return their configurations by role and phase."""
    frames: dict[tuple[str, str], list[Atoms]] = {}
    for trajectory in progress.track(trajectories, description="EAM trajectories"):
        sampled = sampling_plan.run(trajectory, settings)
        if not sampling_plan.has_its_phase(trajectory.phase, sampled):
            progress.console.print(
                f"Note: the {trajectory.phase} at {trajectory.temperature:g} K and {trajectory.pressure:g} GPa "
                "did not remain so; its frames are used anyway."
            )
        frames.setdefault((trajectory.role, trajectory.phase), []).extend(sampled)
    return frames


def _require_own(output_dir: Path) -> None:
    """Refuse a folder in which the demo would remove files of other origin."""
    if output_dir.exists() and not output_dir.is_dir():
        raise ValueError(f"{output_dir}: expected a folder for the demo's files, found a file; give another folder")
    training = output_dir / TRAINING
    # A demo that was stopped early has left only the cache and the members' folders
    has_begun = (training / CACHE).is_dir() and member_folder(training, 0).is_dir()
    if os.path.lexists(training) and not ((training / PLAN).is_file() or has_begun):
        raise ValueError(
            f"{training} exists and does not contain a training of nnpal; it is left unchanged. Give the demo "
            "another folder"
        )


def _train(
    frames: list[Atoms], folder: Path, settings: DemoSettings, seeds: list[int], progress: Progress
) -> TrainedEnsemble:
    """Train with a progress bar for each member; replace the training of an earlier demo."""
    shutil.rmtree(folder, ignore_errors=True)
    features = progress.add_task("descriptors", total=len(frames))
    length = total_updates(settings.training, len(frames))
    bars = [progress.add_task(f"member {number}", total=length) for number in range(len(seeds))]

    def on_epoch(number: int, record: EpochRecord) -> None:
        progress.update(
            bars[number],
            completed=record.updates,
            description=f"member {number}, validation loss {record.validation_loss:.4f} eV²",
        )

    return train_ensemble(
        frames,
        folder,
        network=settings.network,
        loss=settings.loss,
        training=settings.training,
        ensemble=EnsembleSettings(members=len(seeds), seeds=tuple(seeds)),
        on_features=lambda done, _: progress.update(features, completed=done),
        on_epoch=on_epoch,
    )


def _accuracy(model: Path, frames: list[Atoms]) -> Comparison:
    return compare(predict(model, frames, members=False, uq_force=False), read_labels(frames))


def _run_phases(output_dir: Path, settings: DemoSettings, progress: Progress) -> dict[str, NVERun]:
    """Run ``lmp`` for each phase, at most one process per core at a time."""
    bar = progress.add_task("lmp runs", total=len(sampling_plan.PHASES))

    def run(phase: str) -> None:
        run_phase(output_dir, phase)
        progress.advance(bar)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(run, sampling_plan.PHASES))
    potential = eam_potential(settings.potential)
    return {phase: read_run(output_dir, phase, potential) for phase in sampling_plan.PHASES}


def _write_frames(path: Path, frames: list[Atoms]) -> None:
    with aside(path) as temporary:
        write(temporary, frames, format="extxyz")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Store the wall time of the block in ``seconds``."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
