"""Custom modules that follow the contract: a correct one, and variants with one fault each."""

from __future__ import annotations

import torch
from torch import Tensor


class Pairs(torch.nn.Module):
    """E_i = sum_j w_i w_j exp(-r_ij) f(r_ij) + w_i v, and with ``rounds = 2`` sum_j exp(-r_ij) f(r_ij) of those.

    ``fault`` names the fault; empty for the correct module.
    """

    def __init__(self, n_elements: int, cutoff: float, *, rounds: int = 1, fault: str = "", seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights = torch.nn.Parameter(1.0 + torch.rand(n_elements, generator=generator))
        self.cutoff, self.rounds, self.fault = cutoff, rounds, fault

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        center, neighbor = edge_index[0], edge_index[1]
        weights = self.weights[species]
        if self.fault == "changes its input":
            species += 1
        elif self.fault == "changes edge vectors":
            edge_vec.detach().mul_(0.9)
        elif self.fault == "works in place":
            edge_vec *= 1.0
        r = torch.linalg.vector_norm(edge_vec, dim=1)
        if self.fault == "steps":
            smooth = torch.ones_like(r)
        elif self.fault == "kinks":
            smooth = 1.0 - r / self.cutoff
        else:
            smooth = 0.5 + 0.5 * torch.cos(torch.pi * r / self.cutoff)
        value = torch.exp(-r) * smooth
        if self.fault == "drops":
            value = torch.nn.functional.dropout(value, 0.1, True)
        elif self.fault == "detaches":
            value = value + 0.01 * value.detach()
        elif self.fault == "rounds":
            value = value.float().to(edge_vec.dtype)
        elif self.fault == "cancels":
            value = (value + 1e4) - 1e4
        elif self.fault == "sees direction":
            value = value + 0.01 * edge_vec[:, 0] * smooth
        elif self.fault == "counts places":
            first = torch.searchsorted(center, center)
            value = value * (1.0 + 0.01 * (torch.arange(len(center)) - first))
        elif self.fault == "keeps one edge of a pair":
            dense = torch.zeros((len(species), len(species)), dtype=value.dtype).index_put((center, neighbor), value)
            value = dense[center, neighbor]
        nothing = torch.zeros_like(weights)
        if self.fault == "makes float32":
            nothing = torch.zeros(len(species))
        energies = 0.1 * weights + weights * nothing.index_add(0, center, value * weights[neighbor])
        if self.fault == "sees chirality":
            a, b, c = [
                torch.zeros((len(species), 3), dtype=value.dtype).index_add(
                    0, center, (value * r**k)[:, None] * edge_vec
                )
                for k in (0, 1, 2)
            ]
            energies = energies + (a * torch.linalg.cross(b, c)).sum(1)
        elif self.fault == "uses indices":
            energies = energies + 0.01 * torch.arange(len(species))
        elif self.fault == "subtracts the mean":
            energies = energies - energies.mean()
        elif self.fault == "divides by neighbors":
            energies = energies / nothing.index_add(0, center, torch.ones_like(value))
        for _ in range(1, self.rounds):
            energies = energies + nothing.index_add(0, center, value * energies[neighbor])
        if self.fault == "is constant":
            return torch.ones(n_local, dtype=edge_vec.dtype)
        if self.fault == "gives all atoms":
            return energies
        if self.fault == "gives columns":
            return energies[:n_local, None]
        return energies[:n_local]


class Embedded(torch.nn.Module):
    """E_i = -w_i sqrt(density_i) with a density of the neighbors: a module of another type than :class:`Pairs`."""

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        r = torch.linalg.vector_norm(edge_vec, dim=1)
        density = torch.zeros(len(species), dtype=r.dtype, device=r.device)
        density = density.index_add(0, edge_index[0], torch.exp(-r) * (1 - r / self.cutoff) ** 3)
        return -self.weight * torch.sqrt(density[:n_local] + 0.01)
