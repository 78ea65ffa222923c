"""Figures of an evaluation, each with the numbers it shows in a CSV file beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nnpal.evaluate.calibration import Calibration
from nnpal.evaluate.labels import Labels
from nnpal.evaluate.metrics import MILLI
from nnpal.evaluate.prediction import Predictions
from nnpal.files import aside

SIZE = (4.2, 3.8)
DOTS: dict[str, Any] = {"linestyle": "", "marker": ".", "markeredgewidth": 0, "rasterized": True}
SMALLEST_SHOWN = 1e-3
"""meV or meV/Å; smaller uncertainties and errors stand at the edge of logarithmic axes."""


def save_figures(
    folder: Path, predictions: Predictions, labels: Labels, calibrations: Sequence[Calibration]
) -> list[Path]:
    """Write parity of energies and forces, and error against each uncertainty, as PNG and CSV; return the PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    n_atoms, frame = labels.n_atoms, predictions.frame_of_atom
    energies = (labels.energies / n_atoms, predictions.energies / n_atoms)
    paths = [_save(folder / "parity_energy.png", parity(*energies, labels.tags, "energy (eV/atom)"))]
    rows: Iterable[Sequence[Any]] = zip(range(len(n_atoms)), labels.tags, n_atoms, *energies, strict=True)
    _write(folder / "parity_energy.csv", ("frame", "tag", "n_atoms", "reference_eV_atom", "model_eV_atom"), rows)

    of_component = np.repeat(labels.tags[frame], 3)
    figure = parity(labels.forces.ravel(), predictions.forces.ravel(), of_component, "force component (eV/Å)")
    paths.append(_save(folder / "parity_force.png", figure))
    header = ("frame", "tag", "element", *(f"{side}_f{x}_eV_A" for side in ("reference", "model") for x in "xyz"))
    vectors = np.hstack((labels.forces, predictions.forces)).tolist()
    rows = ((f, t, s, *v) for f, t, s, v in zip(frame, labels.tags[frame], labels.symbols, vectors, strict=True))
    _write(folder / "parity_force.csv", header, rows)

    for found in calibrations:
        name = f"error_{found.error}_{found.uncertainty}"
        paths.append(_save(folder / f"{name}.png", error_against_uncertainty(found)))
        rows = zip(found.frame, MILLI * found.uncertainties, MILLI * found.errors, strict=True)
        _write(folder / f"{name}.csv", ("frame", f"{found.uncertainty}_meV", f"{found.error}_error_meV"), rows)
    return paths


def parity(reference: np.ndarray, predicted: np.ndarray, tags: np.ndarray, name: str) -> Figure:
    """Draw predicted over reference values, a colour for each tag; all are [n_values]."""
    figure = Figure(figsize=SIZE, dpi=150, layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(tags.tolist()))
    for tag in names:
        chosen = tags == tag
        axes.plot(reference[chosen], predicted[chosen], label=tag, markersize=4, alpha=0.6, **DOTS)
    axes.axline((float(reference[0]), float(reference[0])), slope=1.0, color="0.4", linewidth=0.6, zorder=0)
    axes.set(xlabel=f"reference {name}", ylabel=f"model {name}")
    if len(names) > 1:
        axes.legend(frameon=False, markerscale=2)
    return figure


def error_against_uncertainty(found: Calibration) -> Figure:
    """Draw |error| over uncertainty on logarithmic axes, with the RMS of bins and, in like units, y = x."""
    figure = Figure(figsize=SIZE, dpi=150, layout="constrained")
    axes = figure.subplots()
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
    axes.legend(frameon=False)
    return figure


def number_decades(axis: Axis) -> None:
    """Put plain numbers at 1, 2 and 5 of each decade of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _shown(values: np.ndarray) -> np.ndarray:
    """Return values in thousandths, none below what a logarithmic axis shows."""
    return np.maximum(MILLI * values, SMALLEST_SHOWN)


def _save(path: Path, figure: Figure) -> Path:
    with aside(path) as temporary:
        figure.savefig(temporary)
    return path


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with aside(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
