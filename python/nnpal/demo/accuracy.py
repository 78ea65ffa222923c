"""Errors of energies and forces against reference values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.calculator import NNPCalculator

MILLI = 1e3
"""From eV to meV."""


@dataclass(frozen=True)
class Comparison:
    """Values of a model beside the reference, for configurations of one phase.

    Attributes:
        energies, reference_energies: per atom, eV, [n_frames].
        forces, reference_forces: eV/Å, [n_frames * n_atoms, 3].
    """

    energies: np.ndarray
    reference_energies: np.ndarray
    forces: np.ndarray
    reference_forces: np.ndarray

    def errors(self) -> dict[str, float]:
        """Return MAE and RMSE of the energy (meV/atom) and of force components (meV/Å)."""
        energy = MILLI * (self.energies - self.reference_energies)
        force = MILLI * (self.forces - self.reference_forces)
        return {
            "energy_mae": float(np.abs(energy).mean()),
            "energy_rmse": float(np.sqrt(np.square(energy).mean())),
            "force_mae": float(np.abs(force).mean()),
            "force_rmse": float(np.sqrt(np.square(force).mean())),
        }


def compare(model: Path, frames: Sequence[Atoms]) -> Comparison:
    """Evaluate an exported model on labelled configurations."""
    calculator = NNPCalculator(model)
    energies, forces = [], []
    for frame in frames:
        atoms = frame.copy()
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy() / len(atoms))
        forces.append(atoms.get_forces())
    return Comparison(
        energies=np.array(energies),
        reference_energies=np.array([f.get_potential_energy() / len(f) for f in frames]),
        forces=np.concatenate(forces),
        reference_forces=np.concatenate([frame.get_forces() for frame in frames]),
    )
