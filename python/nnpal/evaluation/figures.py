"""Figures of an evaluation, each as PNG and PDF, with its data in a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units

from nnpal.calibration.reliability import reliability_curve
from nnpal.evaluation.calibration import Calibration
from nnpal.evaluation.error_against_uncertainty import error_against_uncertainty
from nnpal.evaluation.labels import Labels
from nnpal.evaluation.metrics import MILLI
from nnpal.evaluation.prediction import Predictions
from nnpal.figures.figure import Figure, write_figure
from nnpal.figures.parity import parity_figure
from nnpal.figures.reliability import NOMINAL, reliability_figure
from nnpal.figures.structures import Snapshot, structures
from nnpal.figures.style import three_digits

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
MOST_UNCERTAIN = 6
"""Number of structures drawn."""


def save_figures(
    folder: Path,
    frames: Sequence[Atoms],
    predictions: Predictions,
    labels: Labels,
    calibrations: Sequence[Calibration],
) -> list[Path]:
    """Write all figures of an evaluation as PNG, PDF and CSV; return the PNGs.

    Arguments:
        folder: folder to write to.
        frames: the configurations.
        predictions, labels: predictions and labels of the configurations.
        calibrations: results of :func:`nnpal.evaluation.calibrations`; empty for a model with one member.
    """
    return [write_figure(folder, figure).png for figure in _figures(frames, predictions, labels, calibrations)]


def _figures(
    frames: Sequence[Atoms], predictions: Predictions, labels: Labels, calibrations: Sequence[Calibration]
) -> Iterator[Figure]:
    yield energy_parity(predictions, labels)
    yield force_parity(predictions, labels)
    if np.isfinite(labels.stresses).any():
        yield stress_parity(predictions, labels)
    yield from map(error_against_uncertainty, calibrations)
    if predictions.error_force is not None:
        yield force_reliability(predictions, labels)
    if predictions.n_members > 1:
        yield most_uncertain(frames, predictions, labels)


def energy_parity(predictions: Predictions, labels: Labels) -> Figure:
    """Return the parity plot of energies per atom."""
    reference, model = labels.energies / labels.n_atoms, predictions.energies / labels.n_atoms
    return parity_figure(
        reference, model, labels.tags, what="energy", unit="eV/atom", name="parity_energy",
        title="Model against labels: energy",
        columns={
            "frame": np.arange(len(reference)),
            "tag": labels.tags,
            "n_atoms": labels.n_atoms,
            "reference_eV_atom": reference,
            "model_eV_atom": model,
        },
    )  # fmt: skip


def force_parity(predictions: Predictions, labels: Labels) -> Figure:
    """Return the parity plot of force components."""
    frame = predictions.frame_of_atom
    sides = {"reference": labels.forces, "model": predictions.forces}
    return parity_figure(
        labels.forces.ravel(), predictions.forces.ravel(), np.repeat(labels.tags[frame], 3),
        what="force component", unit="eV/Å", name="parity_force", title="Model against labels: force",
        columns={
            "frame": frame,
            "tag": labels.tags[frame],
            "element": labels.symbols,
            **{f"{side}_f{x}_eV_A": forces[:, k] for side, forces in sides.items() for k, x in enumerate("xyz")},
        },
    )  # fmt: skip


def stress_parity(predictions: Predictions, labels: Labels) -> Figure:
    """Return the parity plot of stress components, for configurations with predicted and labeled stress."""
    sides = {"reference": labels.stresses / units.GPa, "model": predictions.stresses / units.GPa}
    return parity_figure(
        sides["reference"].ravel(), sides["model"].ravel(), np.repeat(labels.tags, 6),
        what="stress component", unit="GPa", name="parity_stress", title="Model against labels: stress",
        columns={
            "frame": np.arange(len(labels.n_atoms)),
            "tag": labels.tags,
            **{f"{side}_{xy}_GPa": stress[:, k] for side, stress in sides.items() for k, xy in enumerate(VOIGT)},
        },
    )  # fmt: skip


def force_reliability(predictions: Predictions, labels: Labels) -> Figure:
    """Return a figure of observed against nominal coverage of force components, from calibrated error bars."""
    sigma = predictions.error_force
    if sigma is None:
        raise ValueError("force_reliability: the predictions have no error_force; give those of a calibrated model")
    known = np.isfinite(sigma) & (sigma > 0)
    curves = {}
    if known.any():
        curves["error_force"] = reliability_curve((predictions.forces - labels.forces)[known], sigma[known], NOMINAL)
    atoms = f"{known.sum():,} atoms"
    return reliability_figure(
        curves, f"Fraction of the force components of {atoms} within the interval of each nominal coverage."
    )


def most_uncertain(frames: Sequence[Atoms], predictions: Predictions, labels: Labels) -> Figure:
    """Return pictures of the configurations with the most uncertain atoms."""
    name, unit, uq = "uq_force", "meV/Å", predictions.uq_force
    if uq is None:
        name, unit, uq = "uq_energy", "meV", predictions.uq_energy
    starts = np.concatenate(([0], np.cumsum(labels.n_atoms)[:-1]))
    largest = np.maximum.reduceat(uq, starts)
    error = np.linalg.norm(predictions.forces - labels.forces, axis=1)
    shown = []
    for frame in np.argsort(-largest, kind="stable")[:MOST_UNCERTAIN].tolist():
        atom = int(starts[frame] + uq[starts[frame] :][: labels.n_atoms[frame]].argmax())
        u, of_force = (three_digits(MILLI * values[atom]) for values in (uq, error))
        text = f"frame {frame}\nu {u} {unit}\n|ΔF| {of_force} meV/Å"
        shown.append(Snapshot(frames[frame], text, (atom - int(starts[frame]),)))
    return structures(
        shown,
        name="structures_uncertain",
        marked="most uncertain atom",
        title="Most uncertain configurations",
        caption=f"Configurations with the largest uncertainty u ({name}) of an atom, and the true error of that "
        "atom's force",
    )
