"""Evaluate an ensemble on held-out configurations; warm_start.py uses this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from scipy.stats import spearmanr

from nnpal.evaluation.labels import Labels, read_labels
from nnpal.evaluation.metrics import MILLI, mae, rmse
from nnpal.model.denormals import denormals_flushed
from nnpal.model.description import NetworkDescription
from nnpal.training import TrainedEnsemble, TrainingData, build_training_data
from nnpal.training.evaluate import evaluate
from nnpal.training.member import in_parts

PART = 64  # configurations evaluated at a time
Point = dict[str, float]
"""Cost and errors of an ensemble; energies in meV/atom, forces in meV/Å."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out configurations."""

    data: TrainingData
    labels: Labels
    composition: np.ndarray

    @classmethod
    def of(cls, frames: Sequence[Atoms], description: NetworkDescription) -> HeldOut:
        zeros = [0.0] * len(description.symbols)
        data = build_training_data(frames, description, features="stored", self_energies=zeros)
        counts = [[frame.get_chemical_symbols().count(s) for s in description.symbols] for frame in frames]
        return cls(data, read_labels(frames), np.array(counts))

    @denormals_flushed()
    def judge(self, ensemble: TrainedEnsemble) -> Point:
        """Return the errors of the ensemble's mean, and how well its spread predicts them."""
        energies, forces = [], []
        for member in ensemble.members:
            parts = in_parts(np.arange(len(self.data)), PART)
            found = [evaluate(member.network, self.data.features.batch(part)) for part in parts]
            energies.append(torch.cat([own.energies.detach() for own in found]).double().numpy())
            forces.append(torch.cat([own.forces.detach() for own in found]).double().numpy())
        energy_error = np.mean(energies, 0) + self.composition @ ensemble.result.self_energies - self.labels.energies
        energy_error *= MILLI / self.labels.n_atoms
        of_members = MILLI * (np.array(forces) - self.labels.forces)
        force_error = of_members.mean(0)
        spread = np.sqrt(of_members.var(0).sum(-1))
        size = np.linalg.norm(force_error, axis=-1)
        in_sigmas = np.abs(force_error) / (spread / np.sqrt(3))[:, None]
        bests = [member.history[member.best_epoch] for member in ensemble.members]
        validation = MILLI * float(np.mean([best.validation_force_mae for best in bests]))
        return {
            "energy_rmse": rmse(energy_error),
            "energy_mae": mae(energy_error),
            "force_rmse": rmse(force_error),
            "force_mae": mae(force_error),
            "spread": rmse(spread),
            "ratio": rmse(size) / rmse(spread),
            "spearman": float(spearmanr(size, spread).statistic),
            "within_1": 100 * float((in_sigmas < 1).mean()),
            "within_2": 100 * float((in_sigmas < 2).mean()),
            "members_force_mae": mae(of_members),
            "members_validation_force_mae": validation,
            "validation_over_held_out": validation / mae(of_members),
        }
