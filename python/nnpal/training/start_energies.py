"""What the networks that a training starts from make of its configurations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.training.features import Batch, Features

_CHUNK = 64
"""Configurations at a time."""


def mean_energies(networks: Sequence[ANINetworks], features: Features, n_data: int) -> np.ndarray:
    """Return the mean over networks of the energies of configurations.

    Arguments:
        networks: at least one, eV, on the CPU.
        features: of ``n_data`` configurations, on the CPU.

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


def _atomic_energies(network: ANINetworks, batch: Batch) -> Tensor:
    energies = torch.zeros(len(batch.species), dtype=torch.float64)
    for element, symbol in enumerate(network.atomics):
        rows = (batch.species == element).nonzero()[:, 0]
        energies[rows] = network.atomics[symbol](batch.aev[rows])[:, 0].double()
    return energies
