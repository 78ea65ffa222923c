"""A small message-passing module and its model files, for tests of message passing in LAMMPS."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nnpal.model import export_module
from torchani_reference import ExportedModel


class Rounds(torch.nn.Module):
    """Module that mixes features with those of neighbors in ``hops`` rounds; smooth to second order at the cutoff.

        h_i <- tanh(A h_i + B (sum_j w h_j, sum_j w x h_j, |sum_j w r_ij h_j|²/10 r_c²)),   w = (1 - x)³, x = r²/r_c²

    The sum of vectors detects mirrored edges.
    """

    def __init__(self, n_elements: int, cutoff: float, hops: int, seed: int, width: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.cutoff, self.hops, self.width = cutoff, hops, width

        def random(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64))

        self.start = random(n_elements, width)
        self.own = random(hops, width, width)
        self.others = torch.nn.Parameter(0.3 * random(hops, 3 * width, width).detach())
        self.readout = random(width)

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of the centers, eV, [n_local]."""
        center, neighbor = edge_index[0], edge_index[1]
        x = (edge_vec / self.cutoff).square().sum(1, keepdim=True)
        weights = (1 - x).pow(3) * torch.cat((torch.ones_like(x), x, edge_vec / self.cutoff), 1)
        features = self.start.index_select(0, species)
        for k in range(self.hops):
            sent = (weights.unsqueeze(2) * features.index_select(0, neighbor).unsqueeze(1)).flatten(1)
            sums = features.new_zeros((features.shape[0], 5 * self.width)).index_add(0, center, sent)
            vectors = sums[:, 2 * self.width :].view(-1, 3, self.width)
            received = torch.cat((sums[:, : 2 * self.width], 0.1 * vectors.square().sum(1)), 1)
            features = torch.tanh(features @ self.own[k] + received @ self.others[k])
        return features[:n_local] @ self.readout


def message_model(
    path: Path,
    elements: tuple[str, ...] = ("Al",),
    *,
    cutoff: float = 3.6,
    hops: int = 3,
    n_members: int = 3,
    self_energy: float = 0.0,
) -> ExportedModel:
    """Write an ensemble of :class:`Rounds` with random weights, float64."""
    members = [Rounds(len(elements), cutoff, hops, seed) for seed in range(n_members)]
    alone = dict.fromkeys(elements, self_energy)
    export_module(members, path, elements=elements, cutoff=cutoff, hops=hops, self_energies=alone)
    return ExportedModel(path, torch.nn.ModuleList(members), elements, n_members)
