"""Reference results: a TorchANI `ANI` model evaluated for one frame, without nnpal's export.

    E = sum_i mean_m e_im,   F = -dE/dr,   W = -dE/d(strain)     (W_ab = sum_i r_a f_b)
    uq_energy_i = sqrt(mean_m (e_im - mean_m e_im)^2)
    uq_force_i  = sqrt(mean_m |F_im - mean_m F_im|^2)

With M members and n atoms; float64, eV and Å. TorchANI's hartree is converted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers
from torchani.units import HARTREE_TO_EV

from lmp_systems import System


@dataclass(frozen=True)
class ExportedModel:
    """A model file and the TorchANI model that it was exported from.

    Attributes:
        path: model file.
        model: the TorchANI `ANI` model, float64.
        elements: elements, in the order of the model.
        n_members: number of ensemble members.
    """

    path: Path
    model: torch.nn.Module
    elements: tuple[str, ...]
    n_members: int


@dataclass(frozen=True)
class Reference:
    """TorchANI's results for one system.

    Attributes:
        member_energies: atomic energies of each member, including self-energies, eV, [M, n].
        member_forces: forces of each member, eV/Å, [M, n, 3].
        virial: virial of the mean energy, eV, [3, 3].
    """

    member_energies: np.ndarray
    member_forces: np.ndarray
    virial: np.ndarray

    @property
    def atomic_energies(self) -> np.ndarray:
        return self.member_energies.mean(0)

    @property
    def energy(self) -> float:
        return float(self.atomic_energies.sum())

    @property
    def forces(self) -> np.ndarray:
        return self.member_forces.mean(0)

    @property
    def uq_energy(self) -> np.ndarray:
        return self.member_energies.std(0)

    @property
    def uq_force(self) -> np.ndarray:
        deviation = self.member_forces - self.forces
        return np.sqrt((deviation**2).sum(-1).mean(0))

    @property
    def summary(self) -> np.ndarray:
        """The four values of `compute pair`, see the page on the pair style."""
        n_atoms = self.member_energies.shape[1]
        total_std = self.member_energies.sum(1).std()
        return np.array(
            [
                self.uq_energy.max(),
                self.uq_energy.mean(),
                total_std / np.sqrt(n_atoms),
                self.uq_force.max(),
            ]
        )


def evaluate(model: torch.nn.Module, system: System, members: int | None = None) -> Reference:
    """Evaluate `system` with the first `members` members (default all) of a float64 ANI model."""
    numbers = torch.tensor([[atomic_numbers[symbol] for symbol in system.symbols]])
    strain = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    deform = torch.eye(3, dtype=torch.float64) + strain
    rest = torch.tensor(system.positions - system.origin, requires_grad=True)
    cell = torch.tensor(system.cell) @ deform if system.periodic else None
    pbc = torch.tensor([True] * 3) if system.periodic else None
    with torch.enable_grad():
        energies = model(
            (numbers, (rest @ deform)[None]),
            cell=cell,
            pbc=pbc,
            atomic=True,
            ensemble_values=True,
        ).energies[:members, 0]
        forces = [-torch.autograd.grad(e.sum(), rest, retain_graph=True)[0] for e in energies]
        virial = -torch.autograd.grad(energies.mean(0).sum(), strain)[0]
    return Reference(
        energies.detach().numpy() * HARTREE_TO_EV,
        torch.stack(forces).numpy() * HARTREE_TO_EV,
        virial.numpy() * HARTREE_TO_EV,
    )


def charges_of(model: torch.nn.Module, atoms: Atoms) -> np.ndarray:
    """Return the charges of atoms by a float64 ANIq model, e, [n_atoms]."""
    numbers, positions = torch.tensor(atoms.numbers)[None], torch.tensor(atoms.positions)[None]
    periodic = bool(atoms.pbc.any())
    cell = torch.tensor(atoms.cell.array) if periodic else None
    pbc = torch.tensor(atoms.pbc) if periodic else None
    with torch.no_grad():
        return model((numbers, positions), cell=cell, pbc=pbc).atomic_charges[0].numpy()
