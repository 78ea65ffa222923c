"""Reference for message-passing models, without nnpal: brute-force periodic images and plain torch.

The graph contains every atom of the periodic system once, without ghosts, ranks or tiles. Derivatives are with respect
to positions and strain; a test compares them with finite differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lmp_systems import System
from torchani_reference import ExportedModel, Reference


def evaluate(
    model: ExportedModel,
    system: System,
    *,
    periodic: Sequence[bool] | None = None,
    members: int | None = None,
    self_energies: float = 0.0,
) -> Reference:
    """Evaluate ``system`` with the first ``members`` members (default all) of :func:`message_modules.message_model`.

    Arguments:
        periodic: whether each box vector is periodic; by default that of the system.
        self_energies: self-energy added to every atom, eV.
    """
    repeats = [system.periodic] * 3 if periodic is None else list(periodic)
    species = torch.tensor([model.elements.index(symbol) for symbol in system.symbols])
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor(system.positions, requires_grad=True)
    energies, forces = [], []
    for member in list(model.model)[:members]:
        edge_index, shifts = images(system, member.cutoff, repeats)
        center, neighbor = edge_index
        vectors = positions[neighbor] - positions[center] + shifts
        with torch.enable_grad():
            one = member(species, len(species), edge_index, vectors + vectors @ strain)
        energies.append(one)
        forces.append(-torch.autograd.grad(one.sum(), positions, retain_graph=True)[0])
    stacked = torch.stack(energies)
    virial = -torch.autograd.grad(stacked.mean(0).sum(), strain)[0]
    return Reference(stacked.detach().numpy() + self_energies, torch.stack(forces).numpy(), virial.numpy())


def images(system: System, cutoff: float, periodic: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Return edges (center, neighbor) [2, n_edges], sorted by center, and the lattice vector to add to each, Å."""
    heights = np.abs(np.linalg.det(system.cell)) / np.linalg.norm(
        np.cross(np.roll(system.cell, -1, 0), np.roll(system.cell, -2, 0)), axis=1
    )
    outside = np.floor((system.positions - system.origin) @ np.linalg.inv(system.cell)) * np.array(periodic)
    wrapped = system.positions - outside @ system.cell
    n_images = [
        int(np.ceil(cutoff / height)) if repeats else 0 for height, repeats in zip(heights, periodic, strict=True)
    ]
    numbers = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in n_images), indexing="ij"), -1).reshape(-1, 3)
    vectors = wrapped[None, :, None] + (numbers @ system.cell)[None, None] - wrapped[:, None, None]
    distances = np.linalg.norm(vectors, axis=-1)
    center, neighbor, image = np.nonzero((distances > 1e-9) & (distances < cutoff))
    shifts = (numbers[image] + outside[center] - outside[neighbor]) @ system.cell
    return torch.tensor(np.stack((center, neighbor))), torch.tensor(shifts)
