"""Predicted over reference values of the best member, training and validation part apart."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from torchani.nn import ANINetworks

from nnpal.denormals import denormals_flushed
from nnpal.files import aside
from nnpal.training.data import TrainingData
from nnpal.training.member import in_parts
from nnpal.training.prediction import one_member, predict
from nnpal.training.split import Split


def save_parity(folder: Path, network: ANINetworks, data: TrainingData, split: Split, batch_size: int) -> list[Path]:
    """Write ``parity_energy`` and ``parity_force``, each as ``.png``, ``.pdf`` and ``.csv``, and return their paths.

    Energies are interaction energies by atom, self-energies taken off.
    """
    energies, forces = [], []
    for part in in_parts(np.arange(len(data)), batch_size):
        with denormals_flushed():
            found = predict(one_member(network), data.features.batch(part))
        energies.append(found.energies.detach().numpy())
        forces.append(found.forces.detach().numpy())
    roles = np.where(np.isin(np.arange(len(data)), split.validation), "validation", "training")
    energy = (data.energies.numpy() / data.sizes, np.concatenate(energies) / data.sizes)
    frame_of_atom = np.arange(len(data)).repeat(data.sizes)
    force = (data.forces.numpy(), np.concatenate(forces))

    paths = _save(folder / "parity_energy", *energy, roles, "energy without self-energies (eV/atom)")
    header = ["configuration", "part", "reference_eV_atom", "model_eV_atom"]
    paths.append(_write(folder / "parity_energy.csv", header, zip(range(len(data)), roles, *energy, strict=True)))

    of_component = roles[frame_of_atom].repeat(3)
    paths += _save(folder / "parity_force", force[0].ravel(), force[1].ravel(), of_component, "force (eV/Å)")
    header = ["configuration", "part", *(f"{side}_f{x}_eV_A" for side in ("reference", "model") for x in "xyz")]
    vectors = np.hstack(force).tolist()
    rows = ([frame, role, *v] for frame, role, v in zip(frame_of_atom, roles[frame_of_atom], vectors, strict=True))
    paths.append(_write(folder / "parity_force.csv", header, rows))
    return paths


def _save(stem: Path, reference: np.ndarray, predicted: np.ndarray, roles: np.ndarray, name: str) -> list[Path]:
    from nnpal.evaluate.figures import parity  # matplotlib and more, which workers would load too

    figure = parity(reference, predicted, roles, name)
    paths = [stem.with_suffix(suffix) for suffix in (".png", ".pdf")]
    for path in paths:
        with aside(path) as temporary:
            figure.savefig(temporary)
    return paths


def _write(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> Path:
    with aside(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
