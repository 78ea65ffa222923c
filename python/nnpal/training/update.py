"""Derivative of the loss with respect to the weights, for one update of one or more members."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.model.networks import Network
from nnpal.training.data import TrainingData
from nnpal.training.evaluate import errors_of_members, joined
from nnpal.training.features import Columns, StoredBatch, StoredFeatures
from nnpal.training.forward_pass import atomic_values
from nnpal.training.jacobian import VOIGT
from nnpal.training.loss import Errors, Members, Weights, energy_force_losses, loss_weights, slope
from nnpal.training.settings import LossSettings


def losses_of(errors: Errors, members: Members, loss: LossSettings) -> Tensor:
    """Return the loss of each member, eV², [n_members]."""
    return energy_force_losses(errors, members, **loss.model_dump())


def learn(
    networks: Sequence[Network], data: TrainingData, batches: Sequence[np.ndarray], loss: LossSettings
) -> tuple[Errors, Members, Tensor]:
    """Add the gradients of the members' losses to their parameters' ``grad``.

    Stored derivatives on a CPU are read once: the force term of a configuration depends on its forces alone, so it is
    backpropagated while the configuration's derivatives are in the cache. Networks other than ANI are differentiated
    one after another, to limit memory to that of one.

    Arguments:
        networks: members with the same description.
        data: features and reference values of all configurations.
        batches: indices of configurations for each member.
        loss: settings of the loss.

    Returns:
        Errors of the configurations, the members they belong to, and the members' losses, eV², all without a gradient.
    """
    if isinstance(data.features, StoredFeatures):
        batch = data.features.batch(np.concatenate(batches))
        of_ani = [network for network in networks if isinstance(network, ANINetworks)]
        if batch.is_compiled and len(of_ani) == len(networks):
            return _learn_stored(of_ani, data, batches, batch, loss)
    if all(isinstance(network, ANINetworks) for network in networks):
        return _learn(networks, data, batches, loss)
    found = [_learn([network], data, [own], loss) for network, own in zip(networks, batches, strict=True)]
    members = Members([n for _, own, _ in found for n in own.n_data], [n for _, own, _ in found for n in own.n_atoms])
    return joined([errors for errors, _, _ in found]), members, torch.cat([losses for _, _, losses in found])


def _learn(
    networks: Sequence[Network], data: TrainingData, batches: Sequence[np.ndarray], loss: LossSettings
) -> tuple[Errors, Members, Tensor]:
    errors, members = errors_of_members(networks, data, batches, training=True)
    losses = losses_of(errors, members, loss)
    losses.sum().backward()
    virial = None if errors.virial is None else errors.virial.detach()
    return Errors(errors.energy.detach(), errors.force.detach(), errors.n_atoms, virial), members, losses.detach()


def _learn_stored(
    networks: Sequence[ANINetworks],
    data: TrainingData,
    batches: Sequence[np.ndarray],
    batch: StoredBatch,
    loss: LossSettings,
) -> tuple[Errors, Members, Tensor]:
    members = Members([len(own) for own in batches], [int(data.sizes[own].sum()) for own in batches])
    rows = batch.rows
    atomic, gradient = atomic_values(networks, members.n_atoms, batch, training=True)
    with torch.no_grad():
        virials = None if data.virials is None else data.virials[rows.configurations]
        factors = _factors(batch, virials, members, loss)
        targets = Columns(data.forces.index_select(0, rows.atoms), _voigt(virials))
        fit = batch.fit(gradient.detach(), targets, factors.weights, factors.bounds)
        energies = torch.segment_reduce(atomic.detach(), "sum", lengths=rows.sizes, unsafe=True)
        energy = energies - data.energies[rows.configurations]
        seeds = slope(energy, factors.of_loss.energy, factors.of_loss.energy_bound).index_select(
            0, rows.configuration_of_atom
        )
        virial = None if virials is None or fit.strain is None else fit.strain + 0.0 * virials  # NaN where unknown
        errors = Errors(energy, fit.forces, rows.sizes, virial)
        losses = losses_of(errors, members, loss)
    torch.autograd.backward((atomic, gradient), (seeds, fit.direction))
    return errors, members, losses


@dataclass(frozen=True)
class _Factors:
    """Weights and bounds of errors, per configuration and in the form for :meth:`StoredBatch.fit`."""

    of_loss: Weights
    weights: Columns
    bounds: Columns | None


def _factors(batch: StoredBatch, virials: Tensor | None, members: Members, loss: LossSettings) -> _Factors:
    if virials is None:
        return _factors_without_stress(tuple(batch.sizes), tuple(members.n_data), loss, batch.aev.dtype)
    return _made_factors(batch.rows.sizes, virials, members, loss, batch.aev.dtype)


@functools.lru_cache(maxsize=8)
def _factors_without_stress(
    sizes: tuple[int, ...], n_data: tuple[int, ...], loss: LossSettings, dtype: torch.dtype
) -> _Factors:
    """Return the factors, which are the same for all batches with the same ``sizes``."""
    members = Members(list(n_data), [])
    return _made_factors(torch.tensor(sizes), None, members, loss, dtype)


def _made_factors(
    sizes: Tensor, virials: Tensor | None, members: Members, loss: LossSettings, dtype: torch.dtype
) -> _Factors:
    own = loss_weights(sizes, virials, members, loss, dtype)
    of_force = own.force.repeat_interleave(sizes)[:, None].expand(-1, 3).contiguous()
    of_strain = None if own.virial is None else own.virial[:, None] * _twice_off_diagonal(own.virial)
    bounds = None
    if loss.huber_force is not None or own.virial_bound is not None:
        bound = torch.full_like(of_force, torch.inf if loss.huber_force is None else loss.huber_force)
        strain_bound = None
        if of_strain is not None:
            strain_bound = torch.full_like(of_strain, torch.inf)
            if own.virial_bound is not None:
                strain_bound = own.virial_bound[:, None].expand_as(of_strain)
        bounds = Columns(bound, strain_bound)
    return _Factors(own, Columns(of_force, of_strain), bounds)


def _twice_off_diagonal(like: Tensor) -> Tensor:
    """Return the multiplicity of each Voigt component in a symmetric matrix."""
    return like.new_tensor([1.0 if a == b else 2.0 for a, b in VOIGT])


def _voigt(virials: Tensor | None) -> Tensor | None:
    """Return symmetric matrices [n, 3, 3] as [n, 6], zero where unknown."""
    if virials is None:
        return None
    return torch.stack([virials[:, a, b] for a, b in VOIGT], 1).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
