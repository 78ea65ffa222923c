"""Time series of the sampling, from the file of a stage or from the folders of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnpal.active_learning.distillation.facts import SampleFacts
from nnpal.active_learning.distillation.walks import RUNS, energy_of, learning_of
from nnpal.active_learning.engine.stage import stage_folder
from nnpal.active_learning.engine.task import TASK
from nnpal.active_learning.report import Cell, Table
from nnpal.active_learning.report.table import text_of
from nnpal.active_learning.sampling import IsobaricRun, MOMTRun, holds_run, read_isobaric
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.figures.time_series import TimeSeries
from nnpal.runtime.json_files import read_json


def time_series(run: IsobaricRun, timestep: float, label: str) -> list[TimeSeries]:
    """Return the time series of a run, one per walker.

    Arguments:
        run: MOMT or NPT run.
        timestep: timestep, ps.
        label: label of the run.
    """
    if not isinstance(run, MOMTRun):
        return [_one(run, timestep, label, np.ones(len(run.frames), dtype=bool))]
    walkers = np.unique(run.walker).tolist()
    return [
        _one(run, timestep, label if len(walkers) == 1 else f"{label} walker {walker}", run.walker == walker)
        for walker in walkers
    ]


def series_of_file(path: Path) -> list[TimeSeries]:
    """Return the time series in a stage's file; none for files of earlier versions, which contain only O and H."""
    with np.load(path) as file:
        if "walk" not in file:
            return []
        walk, labels = file["walk"], file["labels"].tolist()
        columns = [file[name] for name in ("time", "energy", "enthalpy", "order", "learning")]
    return [TimeSeries(label, *(column[walk == k] for column in columns)) for k, label in enumerate(labels)]


def read_time_series(folder: Path, name: str | None = None) -> list[TimeSeries]:
    """Return the time series in a folder, of one run or of a loop with all runs of its sampling.

    Labels are ``name``, by default the folder's name; those of a loop begin with it.

    Raises:
        FileNotFoundError: the folder contains neither.
        ValueError: the run is of another kind, or its files do not contain the timestep.
    """
    name = name or folder.resolve().name
    if holds_run(folder):
        return time_series(read_isobaric(folder), timestep_of(folder), name)
    place = stage_folder(folder, 0, SampleFacts.stage) / RUNS
    runs = sorted(path for path in place.glob("*") if holds_run(path)) if place.is_dir() else []
    if not runs:
        raise FileNotFoundError(
            f"{folder}: no sampling data; expected the folder of a MOMT or NPT run (with {FACTS}), or the run's "
            "folder of a distillation"
        )
    return [one for path in runs for one in time_series(read_isobaric(path), timestep_of(path), f"{name} {path.name}")]


def series_table(series: Sequence[TimeSeries]) -> Table:
    """Return a table of means and standard deviations over the configurations of each trajectory."""
    rows = [
        [
            one.label,
            len(one.time),
            Cell(float(one.time[-1]) if len(one.time) else None, decimals=1),
            Cell(100.0 * float(one.learning.mean()) if len(one.time) else None, decimals=0),
            _mean(one.energy, 2),
            _mean(one.order, 1),
        ]
        for one in series
    ]
    return Table(
        caption="Means ± standard deviations over each trajectory, not reweighted.",
        header=["run", "frames", "ps", "learning (%)", "U (eV)", "O"],
        rows=rows,
    )


def _mean(values: np.ndarray, decimals: int) -> Cell:
    if not len(values) or not np.isfinite(values).all():
        return Cell(None)
    mean, deviation = (text_of(float(value), decimals) for value in (values.mean(), values.std()))
    return Cell(f"{mean} ± {deviation}")


def _one(run: IsobaricRun, timestep: float, label: str, chosen: np.ndarray) -> TimeSeries:
    return TimeSeries(
        label=label,
        time=timestep * run.frame_step[chosen],
        energy=energy_of(run)[chosen],
        enthalpy=run.H[chosen],
        order=run.O[chosen],
        learning=learning_of(run)[chosen],
    )


def timestep_of(folder: Path) -> float:
    """Return the timestep of a run, ps; runs of earlier versions have it only in their task."""
    found = (read_json(folder / FACTS) or {}).get("timestep")
    if found is None:
        task = read_json(folder / TASK) or {}
        found = task.get("arguments", {}).get("settings", {}).get("timestep")
    if found is None:
        raise ValueError(f"{folder / FACTS}: timestep is missing, and there is no {TASK} that has it")
    return float(found)
