"""The demo's figure: learning curves, accuracy, uncertainty and dynamics, six panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nnpal.demo.dynamics import NVERun
from nnpal.evaluation import MILLI, Comparison
from nnpal.figures.figure import save, styled
from nnpal.figures.parity import draw_parity
from nnpal.figures.style import BLUE, GREEN, RED, number_decades
from nnpal.training import TrainedMember

COLORS = {"solid": BLUE, "liquid": RED, "cluster": GREEN}
NAMES = {"solid": "solid", "liquid": "liquid", "cluster": "cluster (not in training data)"}
DRAWN_FIRST = ("liquid", "cluster", "solid")
"""Larger forces below smaller ones."""
SMALLEST_SHOWN = 0.1
"""meV/Å; smaller uncertainties and errors stand at the edge of logarithmic axes."""


def draw(
    path: Path,
    members: Sequence[TrainedMember],
    comparisons: Mapping[str, Comparison],
    runs: Mapping[str, NVERun],
) -> None:
    """Write the figure as PNG.

    Arguments:
        path: of the file.
        members: for the learning curves.
        comparisons: phase -> held-out configurations, ensemble against reference.
        runs: phase -> dynamics under ``pair_style nnp``.
    """
    with styled({"font.size": 8, "legend.fontsize": 7, "lines.linewidth": 1.0}):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.subplots(2, 3).ravel()
        _learning_curves(axes[0], members)
        _force_parity(axes[1], comparisons)
        _uncertainty_histogram(axes[2], runs)
        _energy_in_time(axes[3], runs)
        _uncertainty_in_time(axes[4], runs)
        _uncertainty_and_error(axes[5], runs)
        for letter, axis in zip("abcdef", axes, strict=True):
            axis.set_title(letter, loc="left", fontweight="bold", fontsize=9)
        handles = [Line2D([], [], color=COLORS[phase], label=NAMES[phase]) for phase in runs]
        handles += [Line2D([], [], color="0.3", linestyle=":", label="largest of all atoms (e)")]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        save(figure, path, dpi=200)


def _learning_curves(axis: Axes, members: Sequence[TrainedMember]) -> None:
    for number, member in enumerate(members):
        epochs = [record.epoch + 1 for record in member.history]
        validation = [record.validation_loss for record in member.history]
        axis.plot(epochs, validation, color=str(0.1 + 0.6 * number / len(members)), linewidth=0.8)
    axis.set_yscale("log")
    number_decades(axis.yaxis)
    axis.set(xlabel="epoch", ylabel="validation loss (eV²)")
    axis.text(0.95, 0.95, "one line a member", transform=axis.transAxes, ha="right", va="top")


def _force_parity(axis: Axes, comparisons: Mapping[str, Comparison]) -> None:
    order = [phase for phase in DRAWN_FIRST if phase in comparisons]
    values = [(comparisons[p].reference_forces.ravel(), comparisons[p].forces.ravel()) for p in order]
    reference, predicted = (np.concatenate(side) for side in zip(*values, strict=True))
    groups = np.repeat(order, [len(own) for own, _ in values])
    draw_parity(axis, reference, predicted, groups, colors={p: COLORS[p] for p in order}, markersize=2)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(6, integer=True))
    axis.set(xlabel="EAM force (eV/Å)", ylabel="ensemble force (eV/Å)")


def _uncertainty_histogram(axis: Axes, runs: Mapping[str, NVERun]) -> None:
    values = {phase: _shown(run.expected_error) for phase, run in runs.items()}
    low = min(value.min() for value in values.values())
    high = max(value.max() for value in values.values())
    bins = np.geomspace(low, high, 50).tolist()
    for phase, value in values.items():
        share = np.full(value.size, 1.0 / value.size)
        axis.hist(value, bins=bins, weights=share, alpha=0.4, color=COLORS[phase])
        axis.axvline(float(np.median(value)), color=COLORS[phase], linewidth=0.8)
    axis.set_xscale("log")
    number_decades(axis.xaxis)
    axis.set(xlabel="error_force of an atom (meV/Å)", ylabel="share of atoms")


def _energy_in_time(axis: Axes, runs: Mapping[str, NVERun]) -> None:
    for phase, run in runs.items():
        deviation = MILLI * (run.total_energy - run.total_energy.mean())
        axis.plot(run.time, deviation, color=COLORS[phase])
    axis.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    axis.set(xlabel="time (ps)", ylabel="NVE energy − mean (meV/atom)")


def _uncertainty_in_time(axis: Axes, runs: Mapping[str, NVERun]) -> None:
    for phase, run in runs.items():
        axis.plot(run.time, MILLI * run.expected_error.mean(axis=1), color=COLORS[phase])
        axis.plot(run.time, MILLI * run.expected_error.max(axis=1), ":", color=COLORS[phase])
    axis.set_yscale("log")
    number_decades(axis.yaxis)
    axis.set(xlabel="time (ps)", ylabel="error_force: mean, largest (meV/Å)")


def _uncertainty_and_error(axis: Axes, runs: Mapping[str, NVERun]) -> None:
    for phase, run in runs.items():
        axis.plot(
            _shown(run.expected_error),
            _shown(run.force_error),
            ".",
            markersize=1.5,
            alpha=0.3,
            markeredgewidth=0,
            color=COLORS[phase],
            rasterized=True,
        )
    axis.set_xscale("log")
    number_decades(axis.xaxis)
    axis.set_yscale("log")
    number_decades(axis.yaxis)
    limits = axis.get_xlim()
    axis.plot(limits, limits, color="0.4", linewidth=0.6)
    axis.set(xlim=limits, xlabel="error_force of an atom (meV/Å)", ylabel="true force error (meV/Å)")


def _shown(values: np.ndarray) -> np.ndarray:
    """Return all values in meV/Å, none below what a logarithmic axis shows."""
    return np.maximum(MILLI * values.ravel(), SMALLEST_SHOWN)
