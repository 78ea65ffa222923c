"""Figures of MOMT runs; each function returns a matplotlib Figure, which the caller saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnpal.momt.bias_file import Bias
from nnpal.momt.reweighting.members import Members, members_free_energy
from nnpal.momt.reweighting.profiles import free_energy, order_edges
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENERGY_UNITS = {"metal": "eV", "real": "kcal/mol", "lj": "ε"}


def _new(*, rows: int = 1, size: tuple[float, float] = (6.0, 4.0)) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    from nnpal.figures.figure import styled

    with styled():
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots(rows, 1, sharex=True)


def series(trace: Trace) -> Figure:
    """Draw H and O along the run, learning shaded: as Figure S3 of the data-distillation supplement."""
    figure, (top, bottom) = _new(rows=2, size=(7.0, 4.5))
    top.plot(trace.step, trace.H, lw=0.4, color="tab:blue")
    top.set_ylabel(f"H ({ENERGY_UNITS.get(trace.units, 'energy')})")
    bottom.plot(trace.step, trace.O, lw=0.4, color="tab:red")
    bottom.set_ylabel("O")
    bottom.set_xlabel("step")
    learning = trace.step[trace.phase == 0]
    if len(learning):
        for axes in (top, bottom):
            axes.axvspan(learning[0], learning[-1], color="0.92", zorder=0)
    return figure


def histogram(samples: Samples, bins: int = 60, units: str = "metal") -> Figure:
    """Draw the sampled histogram over (H, O)."""
    figure, axes = _new()
    counts, h, o = np.histogram2d(samples.H, samples.O, bins=bins)
    mesh = axes.pcolormesh(h, o, np.where(counts > 0, counts, np.nan).T)
    figure.colorbar(mesh, ax=axes, label="samples")
    axes.set(xlabel=f"H ({ENERGY_UNITS.get(units, 'energy')})", ylabel="O")
    return figure


def bias_map(bias: Bias) -> Figure:
    """Draw δH in kT0 over the visited bins, as a map on two axes or a line on one; over all where none was visited."""
    figure, axes = _new()
    first = bias.axes[0]
    kT = bias.boltz * bias.temp
    visited = bias.visited
    if not visited.any():
        visited = np.ones_like(visited)
        axes.set_title("no bin visited yet: δH on the whole grid", fontsize=9)
    if len(bias.axes) == 1:
        value = np.where(visited, bias.evaluate(**{first.name: first.centers}) / kT, np.nan)
        axes.plot(first.centers, value)
        axes.set(xlabel=first.name, ylabel="δH/kT$_0$")
        return figure
    second = bias.axes[1]
    one, two = np.meshgrid(first.centers, second.centers, indexing="ij")
    value = np.where(visited, bias.evaluate(**{first.name: one, second.name: two}) / kT, np.nan)
    mesh = axes.pcolormesh(first.edges, second.edges, value.T)
    figure.colorbar(mesh, ax=axes, label="δH/kT$_0$")
    axes.set(xlabel=first.name, ylabel=second.name)
    for set_limits, axis, other in ((axes.set_xlim, first, 1), (axes.set_ylim, second, 0)):
        seen = np.flatnonzero(visited.any(axis=other))
        set_limits(axis.edges[seen[0]], axis.edges[seen[-1] + 1])
    return figure


def free_energies(samples: Samples, temps: Sequence[float], members: Members | None = None) -> Figure:
    """Draw F(O; T)/kT at several temperatures, with statistical error bars; shaded: the error from the members."""
    figure, axes = _new()
    for temp in temps:
        profile = free_energy(samples, temp)
        bars = axes.errorbar(profile.centers, profile.value, profile.error, lw=1, elinewidth=0.6, label=f"T = {temp:g}")
        if members is None:
            continue
        try:
            error = members_free_energy(members, temp, order_edges(samples)).error
        except ValueError:  # the table says why
            continue
        low, high = profile.value - error, profile.value + error
        axes.fill_between(profile.centers, low, high, color=bars[0].get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel="O", ylabel="F/kT")
    axes.legend(frameon=False)
    return figure
