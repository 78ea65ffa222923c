"""Figure of the demo with six panels: learning curves, accuracy, uncertainty and dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nnpal.demo.dynamics import NVERun
from nnpal.evaluation import MILLI, Comparison
from nnpal.figures.figure import Figure, Value
from nnpal.figures.panels import panels
from nnpal.figures.parity import draw_parity
from nnpal.figures.style import BLUE, GREEN, PAGE, RED, number_decades
from nnpal.training import TrainedMember

COLORS = {"solid": BLUE, "liquid": RED, "cluster": GREEN}
NAMES = {"solid": "solid", "liquid": "liquid", "cluster": "cluster (not in training data)"}
DRAWN_FIRST = ("liquid", "cluster", "solid")
"""Drawing order: phases with larger forces below those with smaller ones."""
SMALLEST_SHOWN = 0.1
"""meV/Å; smaller uncertainties and errors are drawn at the edge of logarithmic axes."""
N_BINS = 50
NAME = "figure"
Columns: TypeAlias = Mapping[str, Sequence[Value] | np.ndarray]
Runs: TypeAlias = Mapping[str, NVERun]


def figure(members: Sequence[TrainedMember], comparisons: Mapping[str, Comparison], runs: Runs) -> Figure:
    """Return the figure.

    Arguments:
        members: members, for the learning curves.
        comparisons: {phase: ensemble against reference on held-out configurations}.
        runs: {phase: dynamics with ``pair_style nnp``}.
    """
    return panels(
        NAME,
        "The demo aluminum",
        [
            _learning_curves(members),
            _force_parity(comparisons),
            _uncertainty_histogram(runs),
            _energy_in_time(runs),
            _uncertainty_in_time(runs),
            _uncertainty_and_error(runs),
        ],
        columns=3,
        size=(PAGE, 4.8),
    )


def _panel(caption: str, columns: Columns, draw: Callable[[Axes], None]) -> Figure:
    return Figure(name="panel", title="", caption=caption, alt=caption.rstrip("."), columns=columns, draw=draw)


def _learning_curves(members: Sequence[TrainedMember]) -> Figure:
    def draw(axis: Axes) -> None:
        for number, member in enumerate(members):
            epochs = [record.epoch + 1 for record in member.history]
            validation = [record.validation_loss for record in member.history]
            axis.plot(epochs, validation, color=str(0.1 + 0.6 * number / len(members)), linewidth=0.8)
        axis.set_yscale("log")
        number_decades(axis.yaxis)
        axis.set(xlabel="epoch", ylabel="validation loss (eV²)")

    rows = [(member.number, record) for member in members for record in member.history]
    columns: Columns = {
        "member": [number for number, _ in rows],
        "epoch": [record.epoch + 1 for _, record in rows],
        "validation_loss_eV2": [record.validation_loss for _, record in rows],
    }
    return _panel("Validation loss, a line for each member.", columns, draw)


def _force_parity(comparisons: Mapping[str, Comparison]) -> Figure:
    order = [phase for phase in DRAWN_FIRST if phase in comparisons]
    values = [(comparisons[p].reference_forces.ravel(), comparisons[p].forces.ravel()) for p in order]
    reference, predicted = (np.concatenate(side) for side in zip(*values, strict=True))
    groups = np.repeat(order, [len(own) for own, _ in values])

    def draw(axis: Axes) -> None:
        draw_parity(axis, reference, predicted, groups, colors={p: COLORS[p] for p in order}, markersize=2)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(MaxNLocator(6, integer=True))
        mae = MILLI * np.abs(predicted - reference).mean()
        axis.text(0.97, 0.03, f"MAE {mae:.3g} meV/Å", transform=axis.transAxes, ha="right", va="bottom")
        axis.set(xlabel="EAM force (eV/Å)", ylabel="ensemble force (eV/Å)")

    columns = {"phase": groups, "EAM_force_eV_angstrom": reference, "ensemble_force_eV_angstrom": predicted}
    return _panel("Force components of held-out configurations.", columns, draw)


def _uncertainty_histogram(runs: Runs) -> Figure:
    values = {phase: _shown(run.expected_error) for phase, run in runs.items()}
    low = min(value.min() for value in values.values())
    high = max(value.max() for value in values.values())
    edges = np.geomspace(low, high, N_BINS)
    shares = {phase: np.histogram(value, edges)[0] / value.size for phase, value in values.items()}

    def draw(axis: Axes) -> None:
        for phase, value in values.items():
            axis.stairs(shares[phase], edges, fill=True, alpha=0.4, color=COLORS[phase])
            axis.axvline(float(np.median(value)), color=COLORS[phase], linewidth=0.8)
        axis.set_xscale("log")
        number_decades(axis.xaxis)
        axis.set(xlabel="error_force (meV/Å)", ylabel="share of atoms")

    columns = {"from_meV_angstrom": edges[:-1], "to_meV_angstrom": edges[1:]}
    return _panel(
        "Distribution of the error_force of atoms along NVE; lines: medians.",
        columns | {f"share_{phase}": share for phase, share in shares.items()},
        draw,
    )


def _energy_in_time(runs: Runs) -> Figure:
    deviations = {phase: MILLI * (run.total_energy - run.total_energy.mean()) for phase, run in runs.items()}

    def draw(axis: Axes) -> None:
        for phase, run in runs.items():
            axis.plot(run.time, deviations[phase], color=COLORS[phase], linewidth=1.0)
        axis.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        axis.set(xlabel="time (ps)", ylabel="energy − mean (meV/atom)")

    columns = _times(runs) | {"energy_minus_mean_meV_atom": np.concatenate(list(deviations.values()))}
    return _panel("Total energy along NVE, less its mean.", columns, draw)


def _uncertainty_in_time(runs: Runs) -> Figure:
    means, largest = (
        {phase: MILLI * of(run.expected_error, axis=1) for phase, run in runs.items()} for of in (np.mean, np.max)
    )

    def draw(axis: Axes) -> None:
        for phase, run in runs.items():
            axis.plot(run.time, means[phase], color=COLORS[phase], linewidth=1.0)
            axis.plot(run.time, largest[phase], ":", color=COLORS[phase], linewidth=1.0)
        axis.set_yscale("log")
        number_decades(axis.yaxis)
        axis.set(xlabel="time (ps)", ylabel="error_force (meV/Å)")
        handles = [Line2D([], [], color=COLORS[phase], label=NAMES[phase]) for phase in runs]
        handles += [Line2D([], [], color="0.3", linestyle=":", label="largest of all atoms (e)")]
        axis.figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))

    columns = {
        "mean_meV_angstrom": np.concatenate(list(means.values())),
        "largest_meV_angstrom": np.concatenate(list(largest.values())),
    }
    return _panel("error_force along NVE: mean of the atoms, and dotted the largest.", _times(runs) | columns, draw)


def _uncertainty_and_error(runs: Runs) -> Figure:
    expected, true = (
        {phase: _shown(values) for phase, values in side.items()}
        for side in (
            {phase: run.expected_error for phase, run in runs.items()},
            {phase: run.force_error for phase, run in runs.items()},
        )
    )

    def draw(axis: Axes) -> None:
        for phase in runs:
            axis.plot(
                expected[phase],
                true[phase],
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
        axis.set(xlim=limits, xlabel="error_force (meV/Å)", ylabel="true error (meV/Å)")

    columns = {
        "phase": np.repeat(list(runs), [len(values) for values in expected.values()]),
        "error_force_meV_angstrom": np.concatenate(list(expected.values())),
        "true_force_error_meV_angstrom": np.concatenate(list(true.values())),
    }
    return _panel("True force error over error_force of atoms along NVE; line: both are equal.", columns, draw)


def _times(runs: Runs) -> dict[str, np.ndarray]:
    return {
        "phase": np.repeat(list(runs), [len(run.time) for run in runs.values()]),
        "time_ps": np.concatenate([run.time for run in runs.values()]),
    }


def _shown(values: np.ndarray) -> np.ndarray:
    """Return all values in meV/Å, clipped at the lower limit of logarithmic axes."""
    return np.maximum(MILLI * values.ravel(), SMALLEST_SHOWN)
