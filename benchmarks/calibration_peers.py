"""Compare the uncertainty of another package, apax with an ensemble of last layers, with true errors.

    python -m venv peer && peer/bin/pip install apax
    python benchmarks/calibration_peers.py FOLDER --python peer/bin/python [--set al] [--epochs 100] [--quick]

The apax model (GMNN) has several heads, each a last layer, trained together by maximum likelihood of energies and
forces; their standard deviation is the error bar, at the cost of one pass through one network. It is trained on the
same data as nnpal's members, a tenth of it for validation, otherwise with apax's defaults, and evaluated on the same
held-out and outside configurations as the models of calibration.py, whose results for the set are read from
results/calibration.json. The table has the error bar unchanged, and scaled by one factor fitted to the validation data.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from rich.console import Console
from rich.table import Table

from calibration import SETS, kinds_in
from calibration_figures import Figures, judged
from nnpal.calibration.reliability import rms
from nnpal.data import read_frames
from record import write_record

HERE = Path(__file__).parent
VALIDATION = 0.1
QUICK_FRAMES, QUICK_EPOCHS = 16, 1
ONE_CORE = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"}


def write_parts(folder: Path, arguments: argparse.Namespace) -> dict[str, list[Atoms]]:
    """Write the training, validation and test data of the peer; return those to predict, with labels."""
    name, most = arguments.set, QUICK_FRAMES if arguments.quick else None
    learned = read_frames(arguments.folder / f"{name}_train.h5")[:most]
    order = np.random.default_rng(arguments.seed).permutation(len(learned))
    n_validation = max(1, round(VALIDATION * len(learned)))
    validation = [learned[i] for i in order[:n_validation]]
    write_bare(folder / "train.extxyz", [learned[i] for i in order[n_validation:]])
    write_bare(folder / "validation.extxyz", validation)
    parts = {"validation": validation, "inside": read_frames(arguments.folder / f"{name}_test.h5")[:most]}
    parts |= {kind: read_frames(path)[:most] for kind, path in kinds_in(arguments.folder, name).items()}
    (folder / "parts").mkdir()
    for part, frames in parts.items():
        write_bare(folder / "parts" / f"{part}.extxyz", frames)
    return parts


def write_bare(path: Path, frames: Sequence[Atoms]) -> None:
    """Write labels only: after an empty string in `Atoms.info`, ASE's reader does not see the energy."""
    copies = []
    for frame in frames:
        copy = Atoms(frame.numbers, frame.get_positions(), cell=frame.cell, pbc=frame.pbc)
        copy.calc = SinglePointCalculator(copy, energy=frame.get_potential_energy(), forces=frame.get_forces())
        copies.append(copy)
    write(path, copies)


def predicted(folder: Path, parts: dict[str, list[Atoms]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return force errors, [n_atoms, 3], and error bars of the force vectors, [n_atoms], for each part, eV/Å."""
    found = {}
    for part, frames in parts.items():
        with np.load(folder / "parts" / f"{part}.npz") as file:
            error = file["forces"] - np.concatenate([frame.get_forces() for frame in frames])
            found[part] = (error, np.linalg.norm(file["spread"], axis=1))
    return found


def figures(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figures:
    """Return metrics of the error bar, unchanged and scaled by one factor: inside, outside and for each kind."""
    error, bar = found["validation"]
    factor = rms(np.linalg.norm(error, axis=1)) / rms(bar)
    kinds = [part for part in found if part not in ("validation", "inside")]
    joined = {
        "inside": found["inside"],
        "outside": tuple(np.concatenate([found[kind][k] for kind in kinds]) for k in range(2)),
        **{kind: found[kind] for kind in kinds},
    }
    return {
        "factor": factor,
        "as it is": {part: judged(error, bar) for part, (error, bar) in joined.items()},
        "with a factor": {part: judged(error, factor * bar) for part, (error, bar) in joined.items()},
    }


def show(rows: Sequence[tuple[str, Figures]], console: Console) -> None:
    table = Table()
    for column in ("", "RMS, meV/Å", "ratio", "68, 90 %", "tenths", "rank / exact"):
        table.add_column(column)
    for title, own in rows:
        table.add_row(
            title,
            f"{own['force_rms']:.1f}",
            f"{own['ratio']:.2f}",
            "{:.0f}, {:.0f}".format(*own["coverage"]),
            f"{min(own['tenth_ratios']):.2f}-{max(own['tenth_ratios']):.2f}",
            f"{own['rank']:.2f} / {own['exact_rank']:.2f} = {own['rank_of_exact']:.2f}",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the files of training_sets.py and outside_sets.py")
    parser.add_argument("--python", required=True, help="Python interpreter of an environment with apax")
    parser.add_argument("--set", choices=SETS, default="al")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EPOCHS} epochs on {QUICK_FRAMES} configurations")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "calibration_peers.json")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    chosen = {"epochs": QUICK_EPOCHS if arguments.quick else arguments.epochs}
    chosen |= {"heads": arguments.heads, "seed": arguments.seed}
    python = os.path.abspath(arguments.python)  # not resolved: the symbolic link identifies the environment
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = write_parts(folder, arguments)
        command = [python, str(HERE / "calibration_peer.py"), str(folder), json.dumps(chosen)]
        environment = {**os.environ, **ONE_CORE}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=folder)
        peer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        content = {"set": arguments.set, "chosen": chosen, "peer": peer, "apax": figures(predicted(folder, parts))}
    for how in ("as it is", "with a factor"):
        show([(f"{part}, {how}", own) for part, own in content["apax"][how].items()], console)
    write_record(arguments.output, "calibration_peers", ("nnpal", "numpy", "scipy"), content)
    console.print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
