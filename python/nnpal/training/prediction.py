"""Predictions of a member, and their errors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nnpal.training.data import TrainingData
from nnpal.training.loss import Errors
from nnpal.training.rows import Rows


@dataclass(frozen=True)
class Prediction:
    """Predicted energies [n_data] (eV), forces [sum of n_atoms, 3] (eV/Å), virials [n_data, 3, 3] (eV) or None."""

    energies: Tensor
    forces: Tensor
    virials: Tensor | None

    def errors(self, data: TrainingData, rows: Rows) -> Errors:
        """Return predictions minus reference values for the configurations ``rows`` of ``data``."""
        virial = None
        if self.virials is not None and data.virials is not None:
            virial = self.virials - data.virials[rows.configurations]
        energy = self.energies - data.energies[rows.configurations]
        return Errors(energy, self.forces - data.forces[rows.atoms], rows.sizes, virial)
