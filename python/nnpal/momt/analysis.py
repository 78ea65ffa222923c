"""The summary and figures of a run for `nnpal momt report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from nnpal.momt.bias_file import Bias
from nnpal.momt.reweighting import Samples, covered_range, dividing_order, thermodynamics
from nnpal.momt.reweighting.members import Members, members_averages, members_coexistence
from nnpal.momt.reweighting.samples import require_one_bias, require_state, said
from nnpal.momt.reweighting.transition import free_energy_difference, transition, transition_shift
from nnpal.momt.trace import Trace


class AtTemperature(TypedDict, total=False):
    """Averages and their standard errors at a temperature, or ``error``: the reason why there are none.

    ``difference`` is G(high O) - G(low O), absent if one of the phases was not sampled.
    ``members`` contains the error bars from the members (see :meth:`MembersEstimate.to_json`) and ``widths``, the
    standard deviations of ΔU_m/kT; or ``undefined``, the reason why there are none.
    """

    temp: float
    n_effective: float
    enthalpy: float
    enthalpy_error: float
    volume: float
    volume_error: float
    heat_capacity: float
    heat_capacity_error: float
    difference: float
    difference_error: float
    members: dict[str, Any]
    error: str


class Coexistence(TypedDict, total=False):
    """Coexistence of the phases of low and high O, or ``error``: the reason why it was not found.

    Latent heat and volume change are low minus high O, for the whole system. ``round_trips`` counts those between the
    phases in production, ``blocks`` the blocks of time used for the errors. ``shift`` is the temperature under another
    model, by reweighting, minus that under the run's own potential.
    """

    temp: float
    temp_error: float
    latent_heat: float
    latent_heat_error: float
    volume_change: float
    volume_change_error: float
    shift: float
    shift_error: float
    divide: float
    round_trips: int
    blocks: int
    members: dict[str, Any]
    error: str


class OfBias(TypedDict):
    """Facts of a run from its bias file."""

    units: str
    grid: list[str]
    temp: float
    press: float
    phase: str
    ln_f: float
    round_trips: int
    visited_bins: int
    bins: int


class Summary(OfBias, total=False):
    """The summary of a run: ``learning_rows`` while it is learning, otherwise averages.

    ``width`` is the standard deviation of (U' − U)/kT0, with U' from another model used for reweighting.
    """

    atoms: int
    samples: int
    walkers: int
    learning_rows: int
    outside: int
    frames: int
    width: float
    covered: tuple[float, float] | None
    temperatures: list[AtTemperature]
    coexistence: Coexistence
    figures: list[str]


def summarize(
    bias: Bias,
    samples: Samples,
    temps: Sequence[float],
    divide: float | None = None,
    members: Members | None = None,
) -> Summary:
    """Return the numbers of a report, or the reason in words for what the samples do not cover.

    Arguments:
        bias: bias of the run.
        samples: production rows of the run.
        temps: temperatures to report, K (reduced in ``units lj``).
        divide: order parameter between two phases.
        members: members' energies of saved frames, for error bars of the model.

    Raises:
        ValueError: a temperature is not above 0, a number is not finite, or the samples are from another run.
    """
    _check_numbers(samples.press, temps, divide)
    _check_same(bias, samples)
    summary: Summary = {
        **_of_bias(bias),
        "atoms": samples.n_atoms,
        "samples": len(samples),
        "outside": samples.n_outside,
        "walkers": len(np.unique(samples.walker)),
        "covered": covered_range(samples),
        "temperatures": [_at(samples, temp, members) for temp in temps],
    }
    if members is not None:
        summary["frames"] = len(members.samples)
    if len(samples.shift):
        summary["width"] = float(samples.shift.std() / samples.kT)
    if not np.isnan(samples.O).any():
        summary["coexistence"] = _coexistence(samples, divide, members)
        _add_differences(samples, summary)
    return summary


def is_learning(traces: Sequence[Trace]) -> bool:
    """Return whether there are rows and all are from the learning phase, in which the bias changes."""
    return any(len(trace) for trace in traces) and all((trace.phase == 0).all() for trace in traces)


def summarize_learning(
    bias: Bias, traces: Sequence[Trace], temps: Sequence[float], divide: float | None = None
) -> Summary:
    """Return the progress of learning, without averages, because rows of the learning phase cannot be reweighted.

    Arguments:
        bias, temps, divide: see :func:`summarize`.
        traces: traces of the run, one per walker.

    Raises:
        ValueError: a number is invalid for a report, or the files are from different runs.
    """
    first = require_one_bias(traces)
    _check_numbers(first.press, temps, divide)
    _check_same(bias, first if first.axes else replace(first, axes=bias.axes))
    return {
        **_of_bias(bias),
        "atoms": first.n_atoms,
        "samples": 0,
        "learning_rows": sum(map(len, traces)),
        "walkers": len(traces),
    }


def _of_bias(bias: Bias) -> OfBias:
    return {
        "units": bias.units,
        "grid": [str(axis) for axis in bias.axes],
        "temp": bias.temp,
        "press": bias.press,
        "phase": "production" if bias.phase else "learning",
        "ln_f": bias.ln_f,
        "round_trips": bias.round_trips,
        "visited_bins": int(bias.visited.sum()),
        "bins": int(bias.visits.size),
    }


def _check_numbers(press: float, temps: Sequence[float], divide: float | None) -> None:
    for temp in temps:
        require_state("report", temp, press)
    if divide is not None and not isfinite(divide):
        raise ValueError(f"divide {divide:g}: expected a finite order parameter between the phases")


def _check_same(bias: Bias, samples: Samples | Trace) -> None:
    for name in ("temp", "press", "n_atoms", "axes"):
        of_bias, of_trace = getattr(bias, name), getattr(samples, name)
        if of_bias != of_trace:
            raise ValueError(
                f"the bias file has {name} {said(of_bias)}, the trace {said(of_trace)}; give the files of one run"
            )


def _at(samples: Samples, temp: float, members: Members | None) -> AtTemperature:
    try:
        found = thermodynamics(samples, temp)
    except ValueError as error:
        return {"temp": temp, "error": str(error)}
    row: AtTemperature = {
        "temp": temp,
        "n_effective": found.n_effective,
        "enthalpy": float(found.enthalpy.value),
        "enthalpy_error": float(found.enthalpy.error),
        "volume": float(found.volume.value),
        "volume_error": float(found.volume.error),
        "heat_capacity": float(found.heat_capacity.value),
        "heat_capacity_error": float(found.heat_capacity.error),
    }
    if members is not None:
        row["members"] = _members_at(members, temp)
    return row


def _members_at(members: Members, temp: float) -> dict[str, Any]:
    try:
        found = members_averages(members, temp)
    except ValueError as error:
        return {"undefined": str(error)}
    averages = {name: one.to_json() for name, one in found.items()}
    return {**averages, "widths": members.widths(temp).tolist()}


def _coexistence(samples: Samples, divide: float | None, members: Members | None) -> Coexistence:
    try:
        at = dividing_order(samples, samples.temp) if divide is None else divide
        balanced = transition(samples, at)
    except ValueError as failure:
        return {"error": str(failure)}
    found: Coexistence = {
        "temp": float(balanced.temp.value),
        "temp_error": float(balanced.temp.error),
        "latent_heat": float(balanced.latent_heat.value),
        "latent_heat_error": float(balanced.latent_heat.error),
        "volume_change": float(balanced.volume_change.value),
        "volume_change_error": float(balanced.volume_change.error),
        "divide": at,
        "round_trips": balanced.round_trips,
        "blocks": balanced.n_blocks,
    }
    if len(samples.shift):
        moved = transition_shift(samples, at, n_blocks=balanced.n_blocks)
        found["shift"], found["shift_error"] = float(moved.value), float(moved.error)
    if members is not None:
        try:
            found["members"] = members_coexistence(members, at).to_json()
        except ValueError as failure:
            found["members"] = {"undefined": str(failure)}
    return found


def _add_differences(samples: Samples, summary: Summary) -> None:
    """Add the free-energy difference between the phases to each temperature that has averages."""
    between = summary["coexistence"]
    if "error" in between:
        return
    for row in summary["temperatures"]:
        if "error" not in row:
            value, error = free_energy_difference(samples, row["temp"], between["divide"], n_blocks=between["blocks"])
            row["difference"], row["difference_error"] = float(value), float(error)


def save_figures(
    bias: Bias,
    traces: Sequence[Trace],
    samples: Samples | None,
    temps: Sequence[float],
    folder: Path,
    members: Members | None = None,
) -> list[Path]:
    """Write the figures as PNG, PDF and CSV, and return the PNGs; without samples only bias and time series."""
    from nnpal.figures.figure import write_figure
    from nnpal.momt import figures

    drawn = [figures.bias_map(bias)]
    for i, trace in enumerate(traces):
        drawn.append(figures.series(trace, "series" if len(traces) == 1 else f"series.{i}"))
    if samples is not None and not np.isnan(samples.O).any():
        drawn.append(figures.histogram(samples, units=bias.units))
        covered = covered_range(samples)
        reached = [t for t in temps if covered and covered[0] <= t <= covered[1]]
        if reached:
            drawn.append(figures.free_energies(samples, reached, members, bias.units))
    return [write_figure(folder, figure).png for figure in drawn]
