"""Train an apax model with an ensemble of last layers and predict with it; calibration_peers.py runs this.

python benchmarks/calibration_peer.py FOLDER SETTINGS

FOLDER holds train.extxyz, validation.extxyz and, in parts/, the files PART.extxyz to predict. Each of these gets a
PART.npz with forces and their standard deviations over the heads, eV/Å, [n_atoms, 3]. SETTINGS is JSON: epochs, heads,
seed. Runs in the Python environment of apax.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from apax.md import ASECalculator
from apax.train.run import run
from ase.io import read

BATCH, BATCH_OF_PREDICTION = 8, 16


def settings_of(folder: Path, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return apax's settings: its defaults except for the heads, the likelihood loss and single precision."""
    single = {"descriptor_dtype": "fp32", "readout_dtype": "fp32", "scale_shift_dtype": "fp32"}
    counts = {part: len(read(folder / f"{part}.extxyz", ":")) for part in ("train", "validation")}
    return {
        "n_epochs": chosen["epochs"],
        "seed": chosen["seed"],
        "data": {
            "directory": str(folder / "model"),
            "experiment": "peer",
            "train_data_path": str(folder / "train.extxyz"),
            "val_data_path": str(folder / "validation.extxyz"),
            "n_train": counts["train"],
            "n_valid": counts["validation"],
            "batch_size": BATCH,
            "valid_batch_size": BATCH,
        },
        "model": {
            "name": "gmnn",
            "ensemble": {"kind": "shallow", "n_members": chosen["heads"], "force_variance": True},
            **single,
        },
        "loss": [
            {"name": "energy", "loss_type": "nll", "weight": 1.0, "atoms_exponent": 1},
            {"name": "forces", "loss_type": "nll", "weight": 4.0, "atoms_exponent": 1},
        ],
        "metrics": [{"name": "energy", "reductions": ["mae"]}, {"name": "forces", "reductions": ["mae"]}],
    }


def main(folder: Path, chosen: dict[str, Any]) -> None:
    settings = settings_of(folder, chosen)
    start = time.process_time()
    run(settings)
    seconds = time.process_time() - start
    calculator = ASECalculator(folder / "model" / "peer")
    for path in sorted((folder / "parts").glob("*.extxyz")):
        found: Any = calculator.batch_eval(read(path, ":"), batch_size=BATCH_OF_PREDICTION)
        forces, spread = (
            np.concatenate([atoms.calc.results[name] for atoms in found]) for name in ("forces", "forces_uncertainty")
        )
        np.savez(path.with_suffix(".npz"), forces=forces, spread=spread)
    versions = {name: version(name) for name in ("apax", "jax")}
    print(
        json.dumps({"cpu_s": seconds, "versions": versions, "settings": settings["model"] | {"loss": settings["loss"]}})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
