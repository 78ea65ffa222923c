"""The loss of the second seed: squared errors of total energies and forces."""

from __future__ import annotations

from torch import Tensor


def energy_force_loss(energy_error: Tensor, force_error: Tensor, n_atoms: Tensor, force_weight: float) -> Tensor:
    """Return equation (3) of the supplementary text of Jung et al. on data distillation.

    Loss = 1/N_data Σ (E_NNP - E_ref)² / √N_atom + α/N_data Σ (F_NNP - F_ref)² / N_atom

    | symbol        | variable                                                        |
    |---------------|-----------------------------------------------------------------|
    | E_NNP - E_ref | ``energy_error``, eV, [n_data]                                  |
    | F_NNP - F_ref | ``force_error``, eV/Å, [sum of n_atoms, 3], atoms in data order |
    | N_atom        | ``n_atoms``, int64 [n_data]                                     |
    | α             | ``force_weight``, Å²                                            |

    Energies are those of the whole configuration; the squared force error sums over its atoms and
    components.
    """
    energy_term = (energy_error.square() / n_atoms.sqrt()).mean()
    per_atom = force_error.square().sum(dim=1) / n_atoms.repeat_interleave(n_atoms)
    return energy_term + force_weight * per_atom.sum() / n_atoms.shape[0]
