"""Figures of an evaluation, each with its data in a CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nnpal.evaluation.calibration import Calibration
from nnpal.evaluation.labels import Labels
from nnpal.evaluation.metrics import MILLI
from nnpal.evaluation.prediction import Predictions
from nnpal.figures.figure import save, styled, write_rows
from nnpal.figures.parity import PARITY_SIZE, parity_canvas
from nnpal.figures.style import DOTS, number_decades

SMALLEST_SHOWN = 1e-3
"""meV or meV/Å; smaller uncertainties and errors stand at the edge of logarithmic axes."""


def save_figures(
    folder: Path, predictions: Predictions, labels: Labels, calibrations: Sequence[Calibration]
) -> list[Path]:
    """Write parity of energies and forces, and error against each uncertainty, as PNG and CSV; return the PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    n_atoms, frame = labels.n_atoms, predictions.frame_of_atom
    energies = (labels.energies / n_atoms, predictions.energies / n_atoms)
    paths = [*save(parity_canvas(*energies, labels.tags, "energy (eV/atom)"), folder / "parity_energy.png")]
    rows: Iterable[Sequence[Any]] = zip(range(len(n_atoms)), labels.tags, n_atoms, *energies, strict=True)
    write_rows(folder / "parity_energy.csv", ("frame", "tag", "n_atoms", "reference_eV_atom", "model_eV_atom"), rows)

    of_component = np.repeat(labels.tags[frame], 3)
    figure = parity_canvas(labels.forces.ravel(), predictions.forces.ravel(), of_component, "force component (eV/Å)")
    paths += save(figure, folder / "parity_force.png")
    header = ("frame", "tag", "element", *(f"{side}_f{x}_eV_A" for side in ("reference", "model") for x in "xyz"))
    vectors = np.hstack((labels.forces, predictions.forces)).tolist()
    rows = ((f, t, s, *v) for f, t, s, v in zip(frame, labels.tags[frame], labels.symbols, vectors, strict=True))
    write_rows(folder / "parity_force.csv", header, rows)

    for found in calibrations:
        name = f"error_{found.error}_{found.uncertainty}"
        paths += save(error_against_uncertainty(found), folder / f"{name}.png")
        rows = zip(found.frame, MILLI * found.uncertainties, MILLI * found.errors, strict=True)
        write_rows(folder / f"{name}.csv", ("frame", f"{found.uncertainty}_meV", f"{found.error}_error_meV"), rows)
    return paths


def error_against_uncertainty(found: Calibration) -> Figure:
    """Draw |error| over uncertainty on logarithmic axes, with the RMS of bins and, in like units, y = x."""
    with styled():
        figure = Figure(figsize=PARITY_SIZE, layout="constrained")
        _draw_errors(figure.subplots(), found)
    return figure


def _draw_errors(axes: Axes, found: Calibration) -> None:
    axes.plot(_shown(found.uncertainties), _shown(found.errors), markersize=3, alpha=0.3, color="0.5", **DOTS)
    axes.plot(_shown(found.bins.uncertainty), _shown(found.bins.error), "o-", markersize=4, label="RMS of bins")
    axes.set(xscale="log", yscale="log")
    number_decades(axes.xaxis)
    number_decades(axes.yaxis)
    if found.ratio is not None:
        edge = float(_shown(found.uncertainties).min())
        axes.axline((edge, edge), (10 * edge, 10 * edge), color="0.4", linewidth=0.6, label="calibrated")
    units = {"force": "meV/Å", "energy": "meV/atom"}
    axes.set(
        xlabel=f"{found.uncertainty} ({'meV' if found.uncertainty == 'uq_energy' else units[found.error]})",
        ylabel=f"{found.error} error ({units[found.error]})",
        title=f"rank correlation {found.spearman:.2f} ± {found.spearman_error:.2f}",
    )
    axes.legend()


def _shown(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values in thousandths, none below what a logarithmic axis shows."""
    return np.maximum(MILLI * values, SMALLEST_SHOWN)
