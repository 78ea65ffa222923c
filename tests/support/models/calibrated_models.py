"""Model files with a handwritten calibration, and a reference implementation of the calibration.

With x_i = uq_force_i / knee, knee, a and b (error_at_knee, exponent) of the atom's element, E_m the total energies::

    error_force_i = a x_i^b          where x_i < 1
                    a x_i            elsewhere
    error_energy  = factor std_m(E_m), or inf if std_m(E_m)/N or max_i(x_i) exceeds the calibrated range
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchani_reference import ExportedModel, Reference

Recipe = dict[str, Any]


def recipe(
    knee: Sequence[float],
    error_at_knee: Sequence[float],
    exponent: Sequence[float],
    energy: tuple[float, float, float] | None = None,
) -> Recipe:
    """Return the value of ``calibration`` in nnpal.json; ``energy`` is (factor, largest_per_atom, largest)."""
    force = {"knee": list(knee), "error_at_knee": list(error_at_knee), "exponent": list(exponent)}
    names = ("factor", "largest_per_atom", "largest")
    return {
        "force": force,
        "energy": None if energy is None else dict(zip(names, energy, strict=True), undetermined=[]),
        "evidence": {},
    }


def resaved(source: Path, target: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a copy of a model file with an edited nnpal.json."""
    extra = {"nnpal.json": ""}
    module = torch.jit.load(str(source), _extra_files=extra)
    metadata = json.loads(extra["nnpal.json"])
    edit(metadata)
    torch.jit.save(module, str(target), _extra_files={"nnpal.json": json.dumps(metadata)})
    return target


def calibrated(model: ExportedModel, path: Path, calibration: Recipe | None) -> ExportedModel:
    """Write the model with this calibration, or without one, as a file of format 2."""
    resaved(model.path, path, lambda m: m.update(format_version=2, calibration=calibration))
    return ExportedModel(path, model.model, model.elements, model.n_members)


def of_format_1(model: ExportedModel, path: Path) -> ExportedModel:
    """Write the model as a file of format 1, as earlier versions did."""

    def edit(metadata: dict[str, Any]) -> None:
        metadata.pop("calibration", None)
        metadata["format_version"] = 1

    resaved(model.path, path, edit)
    return ExportedModel(path, model.model, model.elements, model.n_members)


def calibration_of(model: ExportedModel) -> Recipe:
    """Return the calibration in the file of a model."""
    with zipfile.ZipFile(model.path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/nnpal.json")]
        found: Recipe = json.loads(archive.read(name))["calibration"]
    return found


def relative(calibration: Recipe, spread: np.ndarray, species: Sequence[int]) -> list[float]:
    """Return x_i of each atom; ``spread`` is uq_force, eV/Å."""
    return [s / calibration["force"]["knee"][e] for s, e in zip(spread, species, strict=True)]


def error_force(calibration: Recipe, spread: np.ndarray, species: Sequence[int]) -> np.ndarray:
    """Return error_force, eV/Å, [n_atoms]."""
    force = calibration["force"]
    errors = []
    for x, e in zip(relative(calibration, spread, species), species, strict=True):
        errors.append(force["error_at_knee"][e] * (x ** force["exponent"][e] if x < 1 else x))
    return np.array(errors)


def error_energy(calibration: Recipe, expected: Reference, species: Sequence[int]) -> float:
    """Return error_energy, eV, or inf."""
    energy = calibration["energy"]
    x = relative(calibration, expected.uq_force, species)
    deviation = float(expected.member_energies.sum(1).std())
    composition = np.bincount(species, minlength=len(calibration["force"]["knee"]))
    if energy is not None and any(abs(np.dot(row, composition)) > 1e-6 for row in energy["undetermined"]):
        return math.inf
    if energy is None or deviation / len(x) > energy["largest_per_atom"] or max(x) > energy["largest"]:
        return math.inf
    return float(energy["factor"] * deviation)
