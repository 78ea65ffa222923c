"""Facts of several pulls: activation energies by rate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from nnpal.active_learning.rare_events.facts import ErrorBar, PullFacts
from nnpal.active_learning.sampling import SMDRun, rate_and_run
from nnpal.active_learning.sampling.execution import ENDED
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.lammps_input import FRAMES, ROWS
from nnpal.evaluation.members import member_energies
from nnpal.lammps.units import REAL
from nnpal.model import read_metadata
from nnpal.smd import activation_energy, along_pulls, mean_activation_energy

KCAL_MOL = REAL.energy  # per eV
WINDOW = 0.2
"""Interval in λ over which members' energies are averaged, Å, the default of `nnpal smd report`."""
OUTPUTS = (ROWS, FRAMES, FACTS, ENDED)


def facts_of_pulls(runs: Sequence[SMDRun], given_up: Collection[str] = (), ensemble: Path | None = None) -> PullFacts:
    """Return activation energies (eV) with error bars, how each pull ended, and frames, for the manifest.

    Arguments:
        runs: pulls that have output.
        given_up: names of pulls that were given up, with or without output in ``runs``.
        ensemble: model file of the pulls, for the error bar from its members; None: no such error bar.
    """
    by_run = energies_by_run(runs, given_up)
    energies = {rate: mean_of_whole(values) for rate, values in by_run.items()}
    whole = {
        rate: [run for run in runs if f"{run.rate:g}" == rate] for rate, one in energies.items() if one is not None
    }
    return PullFacts(
        activation_energy=energies,
        ended={run.name: run.ended for run in runs},
        n_frames=sum(len(run.frames) for run in runs),
        error_bars={rate: error_bar(own, ensemble) for rate, own in whole.items()},
        by_run=by_run,
    )


def error_bar(runs: Sequence[SMDRun], ensemble: Path | None) -> ErrorBar:
    """Return the error bars of the mean activation energy of complete pulls at one rate.

    Arguments:
        runs: pulls at one rate.
        ensemble: see :func:`facts_of_pulls`.
    """
    statistical = mean_activation_energy([run.pull for run in runs])[1]
    if ensemble is None or read_metadata(ensemble).n_members < 2:
        return ErrorBar(statistical=statistical)
    found = [member_energies(ensemble, run.frames) for run in runs]
    try:
        members = along_pulls(
            [run.pull for run in runs], [run.frame_step for run in runs], [one.energies for one in found], WINDOW
        )
    except ValueError as error:  # too few frames to span a pull
        return ErrorBar(statistical=statistical, undefined=str(error))
    return ErrorBar(statistical=statistical, members=tuple(members.values.tolist()), factor=found[0].factor)


def energies_by_run(runs: Sequence[SMDRun], given_up: Collection[str] = ()) -> dict[str, tuple[float | None, ...]]:
    """Return rate (the slowest first) -> E_a of each pull, eV, in the order of the pulls' numbers.

    None: the pull ended early, was given up, or has no output.
    """
    found = {run.name: _energy(run) for run in runs} | dict.fromkeys(given_up)
    numbers: dict[str, list[int]] = {}
    for name in found:
        rate, run = rate_and_run(name)
        numbers.setdefault(rate, []).append(run)
    return {
        rate: tuple(found.get(f"rate-{rate}-run-{run}") for run in range(min(own), max(own) + 1))
        for rate, own in sorted(numbers.items(), key=lambda item: float(item[0]))
    }


def mean_of_whole(values: Sequence[float | None]) -> float | None:
    """Return the mean over a rate's pulls, eV; None if one ended early or was given up.

    A mean over fewer pulls than the oracle's would be a different quantity.
    """
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _energy(run: SMDRun) -> float | None:
    return activation_energy(run.pull) if run.complete and len(run.step) else None


def files_of_pulls(folder: Path, below: str, runs: Sequence[SMDRun]) -> list[str]:
    """Return the files of pulls that later stages read, relative to the stage's folder."""
    names = (f"{below}/{run.name}/{name}" for run in runs for name in OUTPUTS)
    # a pull that explodes before its first frame has none
    return [name for name in names if (folder / name).is_file()]
