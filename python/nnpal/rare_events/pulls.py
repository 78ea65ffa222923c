"""What pulls say together: activation energies by rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnpal.explore import SMDRun
from nnpal.smd import activation_energy

KCAL_MOL = 23.060548  # of one eV


def facts_of_pulls(runs: Sequence[SMDRun]) -> dict[str, Any]:
    """Return activation energies (eV), how each pull ended, and frames, for the manifest."""
    return {
        "activation_energy": activation_energies(runs),
        "ended": {run.name: run.ended for run in runs},
        "n_frames": sum(len(run.frames) for run in runs),
    }


def activation_energies(runs: Sequence[SMDRun]) -> dict[str, float | None]:
    """Return the mean over a rate's pulls of their activation energies, eV; None where a pull broke off."""
    found: dict[str, float | None] = {}
    for rate in sorted({run.rate for run in runs}):
        own = [run for run in runs if run.rate == rate]
        whole = all(run.complete and len(run.step) for run in own)
        found[f"{rate:g}"] = float(np.mean([activation_energy(run.pull) for run in own])) if whole else None
    return found
