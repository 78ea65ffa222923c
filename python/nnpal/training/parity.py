"""Parity plots of the best member, with training and validation configurations distinguished."""

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

    Energies are interaction energies per atom, without self-energies.
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

    # imported here, because workers need no matplotlib
    from nnpal.figures.figure import write_figure
    from nnpal.figures.parity import parity_figure

    of_energy = parity_figure(
        *energy, roles, what="interaction energy", unit="eV/atom", name="parity_energy",
        title="Best member against labels: energy without self-energies",
        columns={
            "configuration": np.arange(len(data)),
            "part": roles,
            "reference_eV_atom": energy[0],
            "model_eV_atom": energy[1],
        },
    )  # fmt: skip
    of_atom = roles[frame_of_atom]
    of_force = parity_figure(
        force[0].ravel(), force[1].ravel(), of_atom.repeat(3), what="force component", unit="eV/Å",
        name="parity_force", title="Best member against labels: force",
        columns={
            "configuration": frame_of_atom,
            "part": of_atom,
            **{f"{side}_f{x}_eV_A": one[:, k] for side, one in zip(("reference", "model"), force, strict=True)
               for k, x in enumerate("xyz")},
        },
    )  # fmt: skip
    return [path for figure in (of_energy, of_force) for path in write_figure(folder, figure).paths]
