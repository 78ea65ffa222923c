"""Figures of MOMT runs, each with its data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nnpal.figures.figure import Figure
from nnpal.figures.style import COLUMN, ENERGY, LEARNING, LENGTH, PRODUCTION, TIME, column_name, number_decades, shades
from nnpal.figures.time_series import MOST_SHOWN
from nnpal.momt.bias_file import Bias
from nnpal.momt.reweighting.members import Members, members_free_energy
from nnpal.momt.reweighting.profiles import free_energy, order_edges
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.trace import Trace

PHASES = {0: ("learning", LEARNING), 1: ("production", PRODUCTION)}
MAP_SIZE = (COLUMN, 2.7)


def series(trace: Trace, name: str = "series") -> Figure:
    """Return a figure of H and O along a run, as Figure S3 of the distillation supplement; a color for each phase.

    The axis is time if each row of the trace has one, otherwise the LAMMPS step.

    Arguments:
        trace: trace of one walker.
        name: name of the figure's files.
    """
    factor, unit = TIME.get(trace.units, (1.0, "time units"))
    energy = ENERGY.get(trace.units, "energy units")
    shown = np.linspace(0, len(trace) - 1, min(len(trace), MOST_SHOWN)).round().astype(np.int64)
    has_time = trace.time is not None
    label = f"time ({unit})" if has_time else "step"
    at, phase = (trace.step if trace.time is None else factor * trace.time)[shown], trace.phase[shown]
    ways = {"H": (trace.H[shown], f"enthalpy H ({energy})"), "O": (trace.O[shown], "order parameter O")}

    def draw(*panels: Axes) -> None:
        for axes, (values, said) in zip(panels, ways.values(), strict=True):
            for part, of in _stretches(phase):
                named, color = PHASES[of]
                axes.plot(at[part], values[part], color=color, linewidth=0.5, label=named)
            axes.set_ylabel(said)
        panels[0].tick_params(labelbottom=False)
        panels[0].sharex(panels[1])
        panels[-1].set_xlabel(label)
        handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
        legend = panels[0].figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2)
        for line in legend.get_lines():
            line.set_linewidth(2.0)

    learned = int((trace.phase == 0).sum())
    thinned = f" {len(shown):,} evenly spaced rows of {len(trace):,} are drawn." if len(shown) < len(trace) else ""
    return Figure(
        name=name,
        title="Enthalpy and order along the run",
        caption=f"Enthalpy without kinetic energy ({energy}) and order parameter against {label}; colors: learning of "
        f"the bias, and production, in which it is fixed.{thinned}",
        alt=f"{learned:,} rows of learning and {len(trace) - learned:,} of production",
        columns={
            "step": trace.step[shown],
            **({f"time_{column_name(unit)}": at} if has_time else {}),
            f"H_{column_name(energy)}": trace.H[shown],
            "O": trace.O[shown],
            "production": phase,
        },
        draw=draw,
        grid=(2, 1),
        size=(COLUMN, 3.4),
    )


def _stretches(phase: NDArray[np.int64]) -> list[tuple[slice, int]]:
    """Return row ranges of learning and production, each with the first row of the next, and their phases."""
    bounds = [0, *(np.flatnonzero(np.diff(phase)) + 1).tolist(), len(phase)]
    return [(slice(low, high + 1), int(phase[low])) for low, high in pairwise(bounds) if high > low]


def histogram(samples: Samples, bins: int = 60, units: str = "metal") -> Figure:
    """Return a histogram of samples over H and O.

    Arguments:
        samples: rows with O.
        bins: number of bins along each axis.
        units: LAMMPS unit style.
    """
    counts, h, o = np.histogram2d(samples.H, samples.O, bins=bins)
    rows, cols = np.nonzero(counts)
    energy = ENERGY.get(units, "energy units")

    def draw(axes: Axes) -> None:
        norm = LogNorm(1, max(2, counts.max()))
        mesh = axes.pcolormesh(h, o, np.where(counts > 0, counts, np.nan).T, norm=norm, rasterized=True)
        bar = axes.figure.colorbar(mesh, ax=axes, label="samples")
        number_decades(bar.ax.yaxis)
        axes.xaxis.set_major_locator(MaxNLocator(4))  # more labels would not fit next to the color bar
        axes.set(xlabel=f"enthalpy H ({energy})", ylabel="order parameter O")

    return Figure(
        name="histogram",
        title="Samples over enthalpy and order",
        caption=f"Number of production samples in each of {bins} × {bins} bins of enthalpy ({energy}) and order "
        "parameter, not reweighted.",
        alt=f"{len(samples):,} samples in {len(rows):,} bins",
        columns={
            f"H_{column_name(energy)}": 0.5 * (h[1:] + h[:-1])[rows],
            "O": 0.5 * (o[1:] + o[:-1])[cols],
            "samples": counts[rows, cols].astype(np.int64),
        },
        draw=draw,
        size=MAP_SIZE,
    )


def bias_map(bias: Bias) -> Figure:
    """Return a map of δH in kT0 over two axes, or a line over one, for visited bins, or for all if none was visited."""
    kT = bias.boltz * bias.temp
    visited = bias.visited
    nothing = not visited.any()
    if nothing:
        visited = np.ones_like(visited)
    names = [axis.name for axis in bias.axes]
    centers = np.meshgrid(*(axis.centers for axis in bias.axes), indexing="ij")
    value = np.where(visited, bias.evaluate(**dict(zip(names, centers, strict=True))) / kT, np.nan)
    labels = {name: _axis_label(name, bias.units) for name in names}

    def draw(axes: Axes) -> None:
        if nothing:
            axes.set_title("no bin visited yet: δH on the whole grid")
        axes.set_xlabel(labels[names[0]])
        if len(names) == 1:
            axes.plot(centers[0], value)
            axes.set_ylabel("bias δH (kT$_0$)")
            return
        first, second = bias.axes
        mesh = axes.pcolormesh(first.edges, second.edges, value.T, rasterized=True)
        axes.figure.colorbar(mesh, ax=axes, label="bias δH (kT$_0$)")
        axes.set_ylabel(labels[names[1]])
        for set_limits, axis, other in ((axes.set_xlim, first, 1), (axes.set_ylim, second, 0)):
            seen = np.flatnonzero(visited.any(axis=other))
            set_limits(axis.edges[seen[0]], axis.edges[seen[-1] + 1])

    return Figure(
        name="bias",
        title="Bias",
        caption=f"Bias δH in units of kT₀ at T₀ = {bias.temp:g}{' K' if bias.units != 'lj' else ''}"
        f"{'' if nothing else ', over the bins that the run has visited'}.",
        alt=f"δH from {np.nanmin(value):.3g} to {np.nanmax(value):.3g} kT₀",
        columns={
            **{_column(name, bias.units): center[visited] for name, center in zip(names, centers, strict=True)},
            "dH_kT0": value[visited],
        },
        draw=draw,
        size=MAP_SIZE,
    )


def free_energies(
    samples: Samples, temps: Sequence[float], members: Members | None = None, units: str = "metal"
) -> Figure:
    """Return a figure of F(O; T)/kT with statistical error bars; shading shows the error from the members.

    Arguments:
        samples: production rows with O.
        temps: temperatures, K (reduced in ``units lj``).
        members: energies of saved frames under each member; None: no error from the members.
        units: LAMMPS unit style.
    """
    kelvin = "" if units == "lj" else " K"
    profiles = [free_energy(samples, temp) for temp in temps]
    spreads = [_spread(samples, members, temp, len(one.value)) for temp, one in zip(temps, profiles, strict=True)]
    has_members = bool(np.isfinite(spreads).any())

    def draw(axes: Axes) -> None:
        for temp, one, spread, color in zip(temps, profiles, spreads, shades(len(temps)), strict=True):
            axes.errorbar(
                one.centers, one.value, one.error, color=color, elinewidth=0.6, capsize=0, label=f"T = {temp:g}{kelvin}"
            )
            axes.fill_between(one.centers, one.value - spread, one.value + spread, color=color, alpha=0.2, linewidth=0)
        axes.set(xlabel="order parameter O", ylabel="free energy F/kT")
        axes.legend()

    said = f"; shaded: the error from the {len(members.deviations)} members" if has_members and members else ""
    columns = {
        "temp_K" if kelvin else "temp": np.repeat(np.asarray(temps, dtype=float), [len(one.value) for one in profiles]),
        "O": np.concatenate([one.centers for one in profiles]),
        "F_kT": np.concatenate([one.value for one in profiles]),
        "standard_error_kT": np.concatenate([one.error for one in profiles]),
    }
    if has_members:
        columns["members_error_kT"] = np.concatenate(spreads)
    return Figure(
        name="free_energy",
        title="Free energy over the order parameter",
        caption=f"Free energy by reweighting, in units of kT, up to a constant; bars: standard error{said}.",
        alt=f"Free energy profiles at {', '.join(f'{temp:g}' for temp in temps)}{kelvin}",
        columns=columns,
        draw=draw,
    )


def _spread(samples: Samples, members: Members | None, temp: float, n: int) -> NDArray[np.float64]:
    """Return the error from the members, kT, NaN if undefined; the table of the report gives the reason."""
    if members is not None:
        try:
            return members_free_energy(members, temp, order_edges(samples)).error
        except ValueError:
            pass
    return np.full(n, np.nan)


def _axis_label(name: str, units: str) -> str:
    energy, length = ENERGY.get(units, "energy units"), LENGTH.get(units, "length units")
    return {"H": f"enthalpy H ({energy})", "V": f"volume V ({length}³)", "O": "order parameter O"}[name]


def _column(name: str, units: str) -> str:
    unit = {"H": ENERGY.get(units, "energy"), "V": LENGTH.get(units, "length") + "³", "O": ""}[name]
    return f"{name}_{column_name(unit)}" if unit else name
