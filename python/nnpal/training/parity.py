"""Predicted over reference values of the best member, training and validation part apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnpal.model.denormals import denormals_flushed
from nnpal.model.networks import Network
from nnpal.training.data import TrainingData
from nnpal.training.evaluate import evaluate
from nnpal.training.member import in_parts
from nnpal.training.split import Split


def save_parity(folder: Path, network: Network, data: TrainingData, split: Split, batch_size: int) -> list[Path]:
    """Write ``parity_energy`` and ``parity_force``, each as ``.png``, ``.pdf`` and ``.csv``, and return their paths.

    Energies are interaction energies by atom, self-energies subtracted.
    """
    energies, forces = [], []
    for part in in_parts(np.arange(len(data)), batch_size):
        with denormals_flushed():
            found = evaluate(network, data.features.batch(part))
        energies.append(found.energies.detach().numpy())
        forces.append(found.forces.detach().numpy())
    roles = np.where(np.isin(np.arange(len(data)), split.validation), "validation", "training")
    energy = (data.energies.numpy() / data.sizes, np.concatenate(energies) / data.sizes)
    frame_of_atom = np.arange(len(data)).repeat(data.sizes)
    force = (data.forces.numpy(), np.concatenate(forces))

    # matplotlib and more, which workers would load too
    from nnpal.figures.figure import save, write_rows
    from nnpal.figures.parity import parity_canvas

    figure = parity_canvas(*energy, roles, "energy without self-energies (eV/atom)")
    paths = save(figure, folder / "parity_energy.png", folder / "parity_energy.pdf")
    header = ["configuration", "part", "reference_eV_atom", "model_eV_atom"]
    paths.append(write_rows(folder / "parity_energy.csv", header, zip(range(len(data)), roles, *energy, strict=True)))

    of_component = roles[frame_of_atom].repeat(3)
    figure = parity_canvas(force[0].ravel(), force[1].ravel(), of_component, "force (eV/Å)")
    paths += save(figure, folder / "parity_force.png", folder / "parity_force.pdf")
    header = ["configuration", "part", *(f"{side}_f{x}_eV_A" for side in ("reference", "model") for x in "xyz")]
    vectors = np.hstack(force).tolist()
    rows = ([frame, role, *v] for frame, role, v in zip(frame_of_atom, roles[frame_of_atom], vectors, strict=True))
    paths.append(write_rows(folder / "parity_force.csv", header, rows))
    return paths
