"""Print the RMSE of a DeePMD-kit model on a system of npy files as JSON; peer_training.py runs this in its environment.

python benchmarks/peer_score.py MODEL SYSTEM
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from deepmd.infer import DeepPot

MILLI = 1e3
PART = 32  # configurations evaluated at a time


def main(model: str, system: Path) -> None:
    names = ("coord", "box", "energy", "force")
    coord, box, energy, force = (np.load(system / "set.000" / f"{name}.npy") for name in names)
    types = np.loadtxt(system / "type.raw", dtype=int)
    potential = DeepPot(model)
    energies, forces = [], []
    for start in range(0, len(coord), PART):
        own = slice(start, start + PART)
        found = potential.eval(coord[own], box[own], types)
        energies.append(found[0].ravel())
        forces.append(found[1].reshape(len(found[0]), -1))
    errors = {
        "energy": (np.concatenate(energies) - energy) / len(types),
        "force": np.concatenate(forces) - force,
    }
    rmse = {name: MILLI * float(np.sqrt(np.mean(error**2))) for name, error in errors.items()}
    versions = {name: version(name) for name in ("deepmd-kit", "torch")}
    print(json.dumps({**rmse, "n_held_out": len(coord), "versions": versions}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
