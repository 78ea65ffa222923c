"""Energies, forces and virials of configurations, and their errors, for networks of any kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torchani.nn import ANINetworks

from nnpal.model.networks import Network
from nnpal.model.schnet import SchNet
from nnpal.training.data import Batch, TrainingData
from nnpal.training.features import GraphBatch, StoredBatch
from nnpal.training.forward_pass import joint_errors, one_member, predict
from nnpal.training.loss import Errors, Members
from nnpal.training.neighbor_features import NeighborBatch
from nnpal.training.prediction import Prediction


def evaluate(network: Network, batch: Batch, *, training: bool = False) -> Prediction:
    """Evaluate configurations with one member; with ``training`` the result is differentiable in its weights.

    Raises:
        TypeError: the batch was made for another kind of network.
    """
    if isinstance(network, SchNet) and isinstance(batch, NeighborBatch):
        atomic, forces, virials = batch.evaluate(network, training=training)
        return Prediction(torch.segment_reduce(atomic, "sum", lengths=batch.rows.sizes, unsafe=True), forces, virials)
    if isinstance(network, ANINetworks) and isinstance(batch, StoredBatch | GraphBatch):
        return predict(one_member(network), batch, training=training)
    raise TypeError(f"a {type(batch).__name__} cannot be used by {type(network).__name__}")


def errors_of_members(
    networks: Sequence[Network], data: TrainingData, batches: Sequence[np.ndarray], *, training: bool
) -> tuple[Errors, Members]:
    """Return the errors of all members, each on its own configurations, and which errors belong to which member.

    ANI members are evaluated together, others one after another.

    Arguments:
        networks: members with the same description.
        data: features and reference values of all configurations.
        batches: indices of configurations for each member.
        training: whether the errors will be differentiated in the weights.
    """
    of_ani = [network for network in networks if isinstance(network, ANINetworks)]
    if len(of_ani) == len(networks):
        return joint_errors(of_ani, data, batches, training=training)
    errors = joined([_errors(*each, data, training=training) for each in zip(networks, batches, strict=True)])
    return errors, Members([len(own) for own in batches], [int(data.sizes[own].sum()) for own in batches])


def joined(found: Sequence[Errors]) -> Errors:
    """Return the concatenated errors of several members as those of one batch."""
    virials = [one.virial for one in found if one.virial is not None]
    return Errors(
        torch.cat([one.energy for one in found]),
        torch.cat([one.force for one in found]),
        torch.cat([one.n_atoms for one in found]),
        torch.cat(virials) if virials else None,
    )


def _errors(network: Network, indices: np.ndarray, data: TrainingData, *, training: bool) -> Errors:
    batch = data.features.batch(indices)
    return evaluate(network, batch, training=training).errors(data, batch.rows)
