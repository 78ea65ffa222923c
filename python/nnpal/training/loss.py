"""The loss of energies, forces and stresses, and its variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nnpal.training.rows import upload
from nnpal.training.settings import LossSettings


@dataclass(frozen=True)
class Errors:
    """Predictions minus reference values of some configurations.

    Attributes:
        energy: errors of total energies, eV, [n_data].
        force: errors of forces, eV/Å, [sum of n_atoms, 3], atoms in data order.
        n_atoms: number of atoms of each configuration, int64 [n_data].
        virial: errors of stress times volume, eV, [n_data, 3, 3], NaN for configurations without a stress; None
            without a stress term.
    """

    energy: Tensor
    force: Tensor
    n_atoms: Tensor
    virial: Tensor | None = None


@dataclass(frozen=True)
class Members:
    """The parts of concatenated errors that belong to each member.

    Attributes:
        n_data: number of configurations of each member.
        n_atoms: number of atoms of each member.
    """

    n_data: list[int]
    n_atoms: list[int]


def energy_force_loss(
    errors: Errors,
    force_weight: float,
    *,
    stress_weight: float = 0.0,
    huber_energy: float | None = None,
    huber_force: float | None = None,
    huber_stress: float | None = None,
) -> Tensor:
    """Return the loss, eV², equation (3) of the supplementary text of Jung et al. on data distillation.

    Loss = 1/N_data Σ (E_NNP - E_ref)² / √N_atom + α/N_data Σ |F_NNP - F_ref|² / N_atom
           + γ/N_stress Σ |V (σ_NNP - σ_ref)|² / N_atom                                    (our addition)

    | symbol        | variable                                                                      |
    |---------------|-------------------------------------------------------------------------------|
    | E_NNP - E_ref | ``errors.energy``                                                             |
    | F_NNP - F_ref | ``errors.force``, summed over the atoms and components of a configuration      |
    | V (σ - σ_ref) | ``errors.virial``, summed over all nine components                            |
    | N_atom        | ``errors.n_atoms``                                                            |
    | N_stress      | configurations that have a stress                                             |
    | α, γ          | ``force_weight`` (Å²), ``stress_weight``                                      |

    With ``huber_energy`` (eV/atom), ``huber_force`` (eV/Å) or ``huber_stress`` (V σ, eV/atom) as δ, the square x² of an
    error (of a component, for forces and stresses) becomes 2δ|x| - δ² beyond δ, with a continuous slope:
    twice Huber's function (doi:10.1214/aoms/1177703732).

    Arguments:
        errors: predictions minus reference values.
        force_weight: α, Å².
        stress_weight: γ, without unit.
        huber_energy: δ for energies, eV/atom; None: squares throughout.
        huber_force: δ for force components, eV/Å; None: squares throughout.
        huber_stress: δ for components of V σ, eV/atom; None: squares throughout.
    """
    members = Members([len(errors.energy)], [len(errors.force)])
    return energy_force_losses(
        errors,
        members,
        force_weight,
        stress_weight=stress_weight,
        huber_energy=huber_energy,
        huber_force=huber_force,
        huber_stress=huber_stress,
    )[0]


def energy_force_losses(
    errors: Errors,
    members: Members,
    force_weight: float,
    *,
    stress_weight: float = 0.0,
    huber_energy: float | None = None,
    huber_force: float | None = None,
    huber_stress: float | None = None,
) -> Tensor:
    """Return :func:`energy_force_loss` of each member, eV², [n_members], without waiting for a GPU."""
    n_atoms = errors.n_atoms.to(errors.energy.dtype)  # the square root of an integer tensor is in single precision
    bound = None if huber_energy is None else huber_energy * n_atoms
    energy = sums(_square(errors.energy, bound) / n_atoms.sqrt(), members.n_data)
    size = n_atoms.repeat_interleave(errors.n_atoms, output_size=len(errors.force))
    force = sums(_square(errors.force, huber_force).sum(dim=1) / size, members.n_atoms)
    loss = _divided(energy + force_weight * force, members.n_data)
    if errors.virial is not None:
        known = errors.virial.isfinite().all(-1).all(-1)
        virial = errors.virial.masked_fill(~known[:, None, None], 0.0)
        bound = None if huber_stress is None else huber_stress * n_atoms[:, None, None]
        stress = sums(_square(virial, bound).sum(dim=(1, 2)) / n_atoms, members.n_data)
        loss = loss + stress_weight * stress / sums(known, members.n_data).clamp(min=1)
    return loss


@dataclass(frozen=True)
class Weights:
    """Factors of squared errors in the sum of all members' losses, and where Huber's tangents begin, [n_data] each.

    Attributes:
        energy: factors of energies, 1/(N_data √N_atom).
        energy_bound: error of an energy where the tangent begins, eV, or None.
        force: factors of force components, α/(N_data N_atom).
        virial: factors of virial components, γ/(N_stress N_atom), 0 without a stress; None without a stress term.
        virial_bound: error of a virial component where the tangent begins, eV, or None.
    """

    energy: Tensor
    energy_bound: Tensor | None
    force: Tensor
    virial: Tensor | None
    virial_bound: Tensor | None


def loss_weights(
    n_atoms: Tensor, virials: Tensor | None, members: Members, loss: LossSettings, dtype: torch.dtype
) -> Weights:
    """Return the factors of squared errors in the losses of :func:`energy_force_losses`.

    Arguments:
        n_atoms: number of atoms of each configuration, int64 [n_data].
        virials: reference values, eV, [n_data, 3, 3], NaN without a stress; None without a stress term.
        members: number of configurations and atoms of each member.
        loss: settings of the loss.
        dtype: floating-point type of the factors.
    """
    size = n_atoms.to(dtype)
    n_data = _for_each(members.n_data, members.n_data, size)
    virial = virial_bound = None
    if virials is not None:
        known = virials.isfinite().all(-1).all(-1)
        n_known = sums(known, members.n_data).clamp(min=1).tolist()
        virial = loss.stress_weight * known.to(dtype) / (_for_each(n_known, members.n_data, size) * size)
        virial_bound = None if loss.huber_stress is None else loss.huber_stress * size
    return Weights(
        energy=1.0 / (n_data * size.sqrt()),
        energy_bound=None if loss.huber_energy is None else loss.huber_energy * size,
        force=loss.force_weight / (n_data * size),
        virial=virial,
        virial_bound=virial_bound,
    )


def slope(error: Tensor, weight: Tensor, bound: Tensor | None) -> Tensor:
    """Return the derivative of weight · error² with respect to the error; beyond ``bound`` that of the tangent."""
    return 2.0 * weight * (error if bound is None else error.clamp(-bound, bound))


def _for_each(values: Sequence[int], lengths: Sequence[int], like: Tensor) -> Tensor:
    return like.new_tensor(np.repeat(values, lengths).tolist())


def sums(values: Tensor, lengths: list[int]) -> Tensor:
    """Return the sums of consecutive runs of ``lengths`` values along the first dimension, [n_runs]."""
    if len(set(lengths)) == 1:
        return values.reshape(len(lengths), -1).sum(1)
    return torch.stack([part.sum() for part in values.split(lengths)])


def _divided(values: Tensor, numbers: list[int]) -> Tensor:
    if len(set(numbers)) == 1:
        return values / numbers[0]
    return values / upload(np.array(numbers), values.device)


def _square(error: Tensor, bound: float | Tensor | None) -> Tensor:
    """Return error², continued by its tangent beyond ``bound``."""
    if bound is None:
        return error.square()
    size = error.abs()
    inside = size.clamp(max=bound)
    return inside.square() + 2.0 * bound * (size - inside)
