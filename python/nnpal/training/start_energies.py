"""Energies of the training data from the networks that a training starts from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.model.networks import Network, all_of
from nnpal.model.schnet import SchNet
from nnpal.training.features import AEVBatch, AEVFeatures
from nnpal.training.neighbor_features import NeighborBatch, NeighborFeatures

_CHUNK = 64
"""Number of configurations at a time."""


def mean_energies(networks: Sequence[Network], features: AEVFeatures | NeighborFeatures, n_data: int) -> np.ndarray:
    """Return the energies of configurations, averaged over networks.

    Arguments:
        networks: networks to average over, at least one, eV, on the CPU.
        features: features of the ``n_data`` configurations, on the CPU.

    Returns:
        Energies without self-energies, eV, float64 [n_data].
    """
    means = np.empty(n_data)
    with torch.no_grad():
        for indices in np.array_split(np.arange(n_data), -(-n_data // _CHUNK)):
            batch = features.batch(indices)
            atomic = torch.stack([_atomic_energies(network, batch) for network in networks]).mean(0)
            means[indices] = torch.segment_reduce(atomic, "sum", lengths=batch.rows.sizes).numpy()
    return means


def _atomic_energies(network: Network, batch: AEVBatch | NeighborBatch) -> Tensor:
    if isinstance(batch, NeighborBatch):
        (of_schnet,) = all_of(SchNet, [network])
        return batch.atomic_energies(of_schnet).double()
    (of_ani,) = all_of(ANINetworks, [network])
    energies = torch.zeros(len(batch.species), dtype=torch.float64)
    for element, symbol in enumerate(of_ani.atomics):
        rows = (batch.species == element).nonzero()[:, 0]
        energies[rows] = of_ani.atomics[symbol](batch.aev[rows])[:, 0].double()
    return energies
