"""Further data of each sampled configuration in the file of time series, in addition to O and H."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnpal.active_learning.sampling import IsobaricRun, MOMTRun

RUNS = "runs"
COLUMNS = ("walk", "time", "energy", "learning")
"""Index of the trajectory, time (ps), U (eV), and whether the bias was still being learned."""


def columns_of(runs: Sequence[IsobaricRun], timestep: float) -> dict[str, Any]:
    """Return :data:`COLUMNS` for all frames of all runs, in the order of the frames, and trajectory labels."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    labels: list[str] = []
    for run in runs:
        walkers = run.walker if isinstance(run, MOMTRun) else np.zeros(len(run.frames), dtype=np.int64)
        numbers, place = np.unique(walkers, return_inverse=True)
        found["walk"].append(len(labels) + place.reshape(-1))
        labels += [run.name if len(numbers) == 1 else f"{run.name} walker {number}" for number in numbers]
        found["time"].append(timestep * run.frame_step)
        found["energy"].append(energy_of(run))
        found["learning"].append(learning_of(run))
    return {name: np.concatenate(parts) for name, parts in found.items()} | {"labels": np.array(labels, dtype=str)}


def energy_of(run: IsobaricRun) -> np.ndarray:
    """Return U, eV, without the bias that MOMT's records include."""
    return run.energy - run.dH if isinstance(run, MOMTRun) else run.energy


def learning_of(run: IsobaricRun) -> np.ndarray:
    """Return whether the bias was still being learned; False without a bias."""
    return run.learning if isinstance(run, MOMTRun) else np.zeros(len(run.frames), dtype=bool)
