"""What pulls say together: activation energies by rate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from nnpal.active_learning.rare_events.facts import PullFacts
from nnpal.active_learning.sampling import SMDRun
from nnpal.active_learning.sampling.execution import ENDED
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.lammps_input import FRAMES, ROWS
from nnpal.lammps.units import REAL
from nnpal.smd import activation_energy

KCAL_MOL = REAL.energy  # of one eV
OUTPUTS = (ROWS, FRAMES, FACTS, ENDED)


def facts_of_pulls(runs: Sequence[SMDRun], given_up: Collection[float] = ()) -> PullFacts:
    """Return activation energies (eV), how each pull ended, and frames, for the manifest.

    Arguments:
        given_up: rates of pulls that were given up.
    """
    return PullFacts(
        activation_energy=activation_energies(runs, given_up),
        ended={run.name: run.ended for run in runs},
        n_frames=sum(len(run.frames) for run in runs),
    )


def activation_energies(runs: Sequence[SMDRun], given_up: Collection[float] = ()) -> dict[str, float | None]:
    """Return the mean over a rate's pulls of their activation energies, eV; None where one broke off or was given up.

    The mean of fewer pulls than the oracle's would be held against another number.
    """
    found: dict[str, float | None] = {}
    for rate in sorted({run.rate for run in runs} | set(given_up)):
        own = [run for run in runs if run.rate == rate]
        whole = rate not in given_up and all(run.complete and len(run.step) for run in own)
        found[f"{rate:g}"] = float(np.mean([activation_energy(run.pull) for run in own])) if whole else None
    return found


def files_of_pulls(folder: Path, below: str, runs: Sequence[SMDRun]) -> list[str]:
    """Return the files of pulls that later stages read, relative to the stage's folder."""
    names = (f"{below}/{run.name}/{name}" for run in runs for name in OUTPUTS)
    # a pull that explodes before its first frame has none
    return [name for name in names if (folder / name).is_file()]
