"""Train on the same Ni configurations with DeePMD-kit and with nnpal, and compare held-out errors after equal CPU time.

    python -m venv peer && peer/bin/pip install "deepmd-kit[torch]"
    python benchmarks/peer_training.py FOLDER --python peer/bin/python [--quick] [--budgets 60 120 300]

FOLDER contains ni32_train.h5 and ni32_test.h5 of training_sets.py. Both train on energies and forces of the same 1,282
configurations on one core. DeePMD-kit: descriptor se_e2_a, fitting network and loss as in the water example of its
documentation (embedding 25-50-100, 16 axes, fitting 240-240-240, cutoff 6 Å, batch size "auto", one configuration
here), in single precision, which is faster than its default. Its learning rate decays over a fixed number of steps, so
each budget is a separate training; the same holds for nnpal's schedules of fixed length. The number of steps follows
from the CPU time of a short training. CPU seconds are those of training: the fixed cost of imports and data statistics,
determined from a training of a few steps, is subtracted; so are nnpal's imports and its features, which are computed
once and whose CPU seconds are recorded. The models are of different types, with different parameters and cutoffs, so
the table compares defaults, not methods.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from rich.console import Console

from nnpal.data import read_frames, structure_hash
from nnpal.training import TrainingSettings, random_split
from record import write_record
from time_to_accuracy import SETS, Contender, default_contenders, train
from training_contender import VALIDATION

HERE = Path(__file__).parent
BUDGETS, QUICK = (60.0, 120.0, 300.0), (10.0,)  # CPU seconds
CALIBRATION = (10, 210)  # steps of two trainings; their difference gives the time per step
ONE_CORE = {"OMP_NUM_THREADS": "1", "DP_INTRA_OP_PARALLELISM_THREADS": "1", "DP_INTER_OP_PARALLELISM_THREADS": "1"}
IN_PROCESS = {"NUM_WORKERS": "0", "CUDA_VISIBLE_DEVICES": ""}


def write_system(folder: Path, frames: Sequence[Atoms]) -> None:
    """Write configurations of the same atoms as DeePMD-kit's npy files, in its units, eV and Å."""
    parts = {
        "coord": [frame.get_positions() for frame in frames],
        "box": [frame.cell.array for frame in frames],
        "force": [frame.get_forces() for frame in frames],
        "energy": [frame.get_potential_energy() for frame in frames],
    }
    (folder / "set.000").mkdir(parents=True)
    for name, values in parts.items():
        np.save(folder / "set.000" / f"{name}.npy", np.asarray(values).reshape(len(frames), -1).squeeze())
    symbols = frames[0].get_chemical_symbols()
    kinds = sorted(set(symbols))
    (folder / "type.raw").write_text("".join(f"{kinds.index(symbol)}\n" for symbol in symbols))
    (folder / "type_map.raw").write_text("".join(f"{kind}\n" for kind in kinds))


def peer_input(steps: int, seed: int) -> dict[str, Any]:
    """Return DeePMD-kit's input; the learning rate decays in a hundred steps of equal length."""
    return {
        "model": {
            "type_map": ["Ni"],
            "descriptor": {
                "type": "se_e2_a",
                "sel": "auto",
                "rcut_smth": 0.5,
                "rcut": 6.0,
                "neuron": [25, 50, 100],
                "axis_neuron": 16,
                "resnet_dt": False,
                "type_one_side": True,
                "precision": "float32",
                "seed": seed,
            },
            "fitting_net": {"neuron": [240, 240, 240], "resnet_dt": True, "precision": "float32", "seed": seed},
        },
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 3.51e-8, "decay_steps": max(1, steps // 100)},
        "loss": {"type": "ener", "start_pref_e": 0.02, "limit_pref_e": 1, "start_pref_f": 1000, "limit_pref_f": 1},
        "training": {
            "training_data": {"systems": ["../train"], "batch_size": "auto"},
            "numb_steps": steps,
            "seed": seed,
            "disp_freq": max(1, steps // 10),
            "save_freq": steps,
        },
    }


def cpu_seconds_of(command: Sequence[str], folder: Path) -> float:
    """Run a command on one core in a folder and return its CPU seconds."""
    core = min(os.sched_getaffinity(0))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **ONE_CORE, **IN_PROCESS}
    with (folder / "output.txt").open("w") as output:
        done = subprocess.run(
            ["taskset", "-c", str(core), *command], cwd=folder, env=environment, stdout=output, stderr=output
        )
    if done.returncode:
        tail = (folder / "output.txt").read_text()[-1500:]
        raise SystemExit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{tail}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def train_peer(python: str, folder: Path, steps: int, seed: int) -> tuple[float, Path]:
    """Train the peer; return the CPU seconds of the whole command, and the checkpoint."""
    own = folder / f"steps-{steps}"
    own.mkdir()
    (own / "input.json").write_text(json.dumps(peer_input(steps, seed)))
    seconds = cpu_seconds_of([python, "-m", "deepmd", "--pt", "train", "input.json"], own)
    return seconds, own / f"model.ckpt-{steps}.pt"


def score_peer(python: str, model: Path, folder: Path) -> dict[str, Any]:
    """Return the held-out RMSE of a checkpoint, evaluated by DeePMD-kit."""
    command = [python, str(HERE / "peer_score.py"), str(model), str(folder / "test")]
    environment = {**os.environ, **ONE_CORE, **IN_PROCESS}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def with_length(contender: Contender, budget: float, what: dict[str, Any], console: Console) -> dict[str, Any]:
    """Return settings of a contender that use up a budget; a length in updates is estimated from one or two epochs."""
    settings = contender.settings
    if "updates" not in contender.choices:
        return settings
    curve = train(contender, settings, {**what, "cpu_seconds": 5.0}, console)["curve"]
    per_update = curve["cpu_s"][-1] / curve["updates"][-1]
    training = {**settings["training"], "updates": round(budget / per_update)}
    return {**settings, "training": training}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with ni32_train.h5 and ni32_test.h5")
    parser.add_argument("--python", required=True, help="Python interpreter of an environment with deepmd-kit[torch]")
    parser.add_argument("--budgets", nargs="+", type=float, help="CPU seconds of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one training of 10 CPU seconds")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "peer_training.json")
    arguments = parser.parse_args()
    python = os.path.abspath(arguments.python)  # not resolved: the symbolic link identifies the environment
    paths = {part: arguments.folder / f"ni32_{part}.h5" for part in ("train", "test")}
    frames = {part: read_frames(path) for part, path in paths.items()}
    hashes = [structure_hash(frame) for frame in frames["train"]]
    split = random_split(hashes, VALIDATION, np.random.default_rng(arguments.seed))  # as in training_contender.py
    what: dict[str, Any] = {part: str(path) for part, path in paths.items()}
    what |= {"aev": SETS["ni32"].aev, "seed": arguments.seed}
    console = Console(soft_wrap=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_system(folder / "train", [frames["train"][i] for i in split.train])
        write_system(folder / "test", frames["test"])
        few, more = (train_peer(python, folder, steps, arguments.seed)[0] for steps in CALIBRATION)
        per_step = (more - few) / (CALIBRATION[1] - CALIBRATION[0])
        start = few - per_step * CALIBRATION[0]
        for budget in arguments.budgets or (QUICK if arguments.quick else BUDGETS):
            row: dict[str, Any] = {"budget_cpu_s": budget}
            steps = max(round(budget / per_step), 1)
            seconds, model = train_peer(python, folder, steps, arguments.seed)
            scores = score_peer(python, model, folder)
            row["DeePMD-kit"] = {"cpu_s": seconds - start, "updates": steps, **scores}
            for who, contender in default_contenders(None).items():
                settings = with_length(contender, budget, what, console)
                limit = None if "updates" in settings["training"] else budget
                run = train(contender, settings, {**what, "cpu_seconds": limit}, console)
                last = {key: values[-1] for key, values in run["curve"].items()}
                row[f"nnpal, {who}"] = {**last, "features_cpu_s": run["features_cpu_s"]}
            rows.append(row)
            console.print_json(json.dumps(row))
    content = {
        "n_learned": len(split.train),
        "n_held_out": len(frames["test"]),
        "seed": arguments.seed,
        "peer": {
            "seconds_per_step": per_step,
            "seconds_before_the_first": start,
            "input": peer_input(rows[-1]["DeePMD-kit"]["updates"], arguments.seed),
            "versions": rows[-1]["DeePMD-kit"]["versions"],
        },
        "results": rows,
        "defaults": TrainingSettings().model_dump(),
    }
    write_record(arguments.output, "peer_training", ("nnpal", "torch", "numpy"), content)
    console.print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
