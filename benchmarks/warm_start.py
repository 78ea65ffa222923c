"""Compare random and warm starts of ensembles over iterations with growing data.

    python benchmarks/training_sets.py FOLDER --sets ni32 butane
    python benchmarks/warm_start.py FOLDER [--quick] [--sets ni32 butane] [--work FOLDER] [--processes 2]

Each iteration trains four members, with the same number of updates, on the first 150, 300, ... configurations of one
random order, like the growing data of a loop. The first iteration is the same for all contenders. After it:

- cold: random weights, new random splits
- warm: `[training] start = "previous"`, the default of loops, new random splits
- warm, half: the same with half of the updates
- cold, long: cold with five times the updates, in the last iteration only
- cold, inherited and warm, inherited: `[ensemble] split = "inherited"`

Seeds depend on the iteration only, so all contenders with new splits have the same ones. After each training, the
ensemble is evaluated on held-out configurations: errors of its mean, and how well its spread predicts them. Sigma of a
force component is uq_force / sqrt(3). CPU seconds (`time.process_time`) are those of updates and validation on one
thread, without features, imports and files. Finished trainings are read from `--work`, so an interrupted benchmark
resumes.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from rich.console import Console
from rich.table import Table

from held_out import HeldOut, Point
from nnpal.data import read_frames
from nnpal.model.aev import AEVS
from nnpal.model.description import NetworkDescription
from nnpal.runtime.json_files import read_json, write_json
from nnpal.training import EnsembleSettings, TrainedEnsemble, TrainingSettings, worker
from nnpal.training.ensemble import begin_training, end_training
from nnpal.training.settings import PREVIOUS, RANDOM
from nnpal.training.storage import load_data
from record import write_record

HERE = Path(__file__).parent
CPU = torch.device("cpu")
N_MEMBERS, HIDDEN = 4, (128, 96)


@dataclass(frozen=True)
class Contender:
    """Training of all iterations after the first."""

    warm: bool = False
    inherited: bool = False
    length: float = 1.0  # updates relative to the first iteration
    only_last: bool = False  # whether only the last iteration is trained


@dataclass(frozen=True)
class TrainingSet:
    """AEV of a training set, and configurations added per iteration."""

    aev: str
    step: int = 150


COLD, WARM = "cold", "warm"
CONTENDERS = {
    COLD: Contender(),
    WARM: Contender(warm=True),
    "warm, half": Contender(warm=True, length=0.5),
    "cold, long": Contender(length=5.0, only_last=True),
    "cold, inherited": Contender(inherited=True),
    "warm, inherited": Contender(warm=True, inherited=True),
}
SETS = {"ni32": TrainingSet("ani2x-6.9"), "butane": TrainingSet("ani2x")}
COLUMNS = {
    "energy_rmse": "energy RMSE, meV/atom",
    "energy_mae": "energy MAE",
    "force_rmse": "force RMSE, meV/Å",
    "force_mae": "force MAE",
    "ratio": "true error over spread",
    "spearman": "rank correlation",
    "within_1": "% within 1 sigma",
    "within_2": "% within 2 sigma",
    "validation_over_held_out": "validation over held-out MAE",
    "cpu_s": "CPU s",
}


def trained(
    folder: Path, frames: list[Atoms], network: NetworkDescription, training: TrainingSettings, own: EnsembleSettings
) -> tuple[TrainedEnsemble, float]:
    """Train an ensemble in this process; return it with the CPU seconds of its updates and validation."""
    shutil.rmtree(folder, ignore_errors=True)
    begin_training(frames, folder, network=network, training=training, ensemble=own)
    data = load_data(folder / worker.CACHE, network)
    before = time.process_time()
    for number in range(own.members):
        worker.run(folder, [number], CPU, data, lambda *_: None)
    used = time.process_time() - before
    return end_training(folder, {}), used


def follow(
    name: str, folder: Path, work: Path, contenders: Sequence[str], n_iterations: int, updates: int, seed: int
) -> dict[str, list[Point]]:
    """Return the results of each contender, by iteration."""
    torch.set_num_threads(1)
    chosen = SETS[name]
    frames = {part: read_frames(folder / f"{name}_{part}.h5") for part in ("train", "test")}
    symbols = tuple(sorted({symbol for frame in frames["train"] for symbol in frame.get_chemical_symbols()}))
    network = NetworkDescription(symbols, aev=AEVS[chosen.aev], hidden=HIDDEN)
    held_out = cache(lambda: HeldOut.of(frames["test"], network))
    order = np.random.default_rng(seed).permutation(len(frames["train"]))
    if chosen.step * n_iterations > len(order):
        raise SystemExit(f"{name} has {len(order)} configurations to train on, {n_iterations} iterations need more")

    def point(who: str, iteration: int, place: Path, previous: Path | None) -> Point:
        kept = read_json(place / "point.json")
        if kept is None:
            how = CONTENDERS[who] if previous else CONTENDERS[COLD]
            known = [frames["train"][k] for k in order[: chosen.step * (iteration + 1)]]
            training = TrainingSettings(
                updates=round(how.length * updates), start=PREVIOUS if how.warm else RANDOM, features="stored"
            )
            ensemble = EnsembleSettings(
                members=N_MEMBERS,
                seed=1000 * seed + iteration,
                split="inherited" if how.inherited else "random",
                previous=str(previous) if how.warm or how.inherited else None,
                devices=("cpu",),
            )
            ready, used = trained(place, known, network, training, ensemble)
            kept = {"configurations": len(known), "cpu_s": used, **held_out().judge(ready)}
            write_json(place / "point.json", kept)
            said = ", ".join(f"{key} {value:.4g}" for key, value in kept.items())
            print(f"{name}, {who}, iteration {iteration + 1}: {said}", flush=True)
        return dict(kept)

    work = work / f"{name}-{updates}-{seed}"
    first = work / "first"
    points = {who: [point(COLD, 0, first, None)] for who in contenders}
    before = dict.fromkeys(contenders, first)
    for iteration in range(1, n_iterations):
        for who in contenders:
            if CONTENDERS[who].only_last and iteration < n_iterations - 1:
                continue
            place = work / who.replace(", ", "-") / f"{iteration + 1}"
            points[who].append(point(who, iteration, place, before[who]))
            before[who] = place
    return points


def summary(points: Sequence[Point]) -> dict[str, Point]:
    """Return the results of the last iteration, and means over all but the first."""
    return {"last": dict(points[-1]), "mean": {key: float(np.mean([p[key] for p in points[1:]])) for key in points[0]}}


def show(name: str, summaries: dict[str, dict[str, Point]], which: str, console: Console) -> None:
    titles = {"last": "the last iteration", "mean": "the mean over the iterations after the first"}
    table = Table("", title=f"{name}: {titles[which]}")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for who, own in summaries.items():
        if which == "mean" and CONTENDERS[who].only_last:
            continue
        table.add_row(who, *(f"{own[which][key]:.3g}" for key in COLUMNS))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with NAME_train.h5 and NAME_test.h5 of training_sets.py")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--updates", type=int, default=600, help="updates of each member")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2, help="number of sets processed at a time")
    parser.add_argument("--work", type=Path, help="folder that keeps the trainings; by default they are deleted")
    parser.add_argument("--quick", action="store_true", help="3 iterations of 40 updates, to try the script")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "warm_start.json")
    arguments = parser.parse_args()
    n_iterations, updates = (3, 40) if arguments.quick else (arguments.iterations, arguments.updates)
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        run = partial(
            follow,
            folder=arguments.folder,
            work=work,
            contenders=arguments.contenders,
            n_iterations=n_iterations,
            updates=updates,
            seed=arguments.seed,
        )
        with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
            found = dict(zip(arguments.sets, pool.map(run, arguments.sets), strict=True))
    sets = {}
    for name, points in found.items():
        summaries = {who: summary(own) for who, own in points.items()}
        for which in ("mean", "last"):
            show(name, summaries, which, console)
        sets[name] = {"step": SETS[name].step, "summary": summaries, "iterations": points}
    setting = {"members": N_MEMBERS, "hidden": HIDDEN, "updates": updates, "n_iterations": n_iterations}
    content = {**setting, "seed": arguments.seed, "units": "meV/atom, meV/Å, CPU seconds of all members", "sets": sets}
    write_record(arguments.output, "warm_start", ("nnpal", "torch", "torchani", "numpy"), content)
    console.print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
