"""The uncertainty along pulls in the report."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.report import Figure, UQRun, uq_trace
from nnpal.active_learning.sampling import read_smd


class Shown(TypedDict):
    quantity: str
    unit: str


def traces(told: Told) -> list[Figure]:
    """Return figures of the uncertainty along the last ensemble pulls, the first at each rate, one panel each."""
    folders = [folder for rate in told.rates for folder in told.folders("ensemble", rate)[:1]]
    found = [traced_run(told, told.ctx.iteration, folder) for folder in folders]
    runs = [run for run in found if run is not None]
    return [uq_trace(runs, **shown_as(told))] if runs else []


def shown_as(told: Told) -> Shown:
    """Return the quantity that is shown, and its unit."""
    in_errors = told.last.select.error_above is not None
    unit = "meV/Å" if in_errors or told.pulls.uq == "uq_force" else "meV"
    return {"quantity": "error" if in_errors else "UQ", "unit": unit}


def traced_run(told: Told, iteration: int, folder: Path, label: str | None = None) -> UQRun | None:
    """Return a pull's uncertainty with its threshold and the selected frames, or None without an uncertainty."""
    selected = told.history[iteration].select
    run, limit, bound = read_smd(folder), selected.thresholds.get(folder.name), selected.error_above
    trace = run.uq_trace if bound is None else run.error_trace
    if trace is None or not len(run.step):
        return None
    good = selected.good_frames[run.name]
    return UQRun(
        label=label or run.name,
        steps=run.step,
        uq=trace,
        mean=None if limit is None else limit.mean,
        deviation=None if limit is None else limit.deviation,
        k=told.section.k,
        first_steps=told.section.first_steps if bound is None else None,
        chosen=[one.step for one in selected.chosen if one.run == run.name],
        failed_step=int(run.frame_step[good]) if good < len(run.frames) else None,
        bound=bound,
    )
