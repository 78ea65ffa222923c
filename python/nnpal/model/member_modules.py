"""Exported model whose members are separate modules: networks of any type on a list of edges."""

from collections.abc import Sequence

import torch
from torch import Tensor


class MemberModules(torch.nn.Module):
    """Interaction energy of each center by each member, eV; each member is a module that satisfies the contract.

    Members share nothing and are evaluated one at a time, forward and backward: memory is that of one member, and the
    members' gradients, which ``uq_force`` needs, come at no further cost.

    Attributes:
        self_energies: self-energy of each element, eV, float64 [n_elements]; added by the caller.
        n_active: number of members to evaluate, the first ones.
        energy_scale: eV per unit of the members' energies.
    """

    self_energies: Tensor
    n_active: int

    def __init__(self, members: Sequence[torch.nn.Module], self_energies: Tensor, energy_scale: float) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(members)
        self.n_active = len(members)
        self.energy_scale = energy_scale
        self.register_buffer("self_energies", self_energies.to(torch.float64))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of centers 0 .. n_local-1 without self-energies, eV, [n_active, n_local].

        Arguments:
            species: element index of every atom, centers first, int64 [n_atoms].
            n_local: number of centers.
            edge_index: (center, neighbor), int64 [2, n_edges], sorted by center. With message passing, these are the
                edges of all atoms within ``hops - 1`` neighbor steps of a center whose energy is wanted.
            edge_vec: r_neighbor - r_center, Å, [n_edges, 3], shorter than the cutoff.
        """
        energies: list[Tensor] = []
        for i, member in enumerate(self.members):
            if i < self.n_active:
                energies.append(member(species, n_local, edge_index, edge_vec))
        return torch.stack(energies) * self.energy_scale

    @torch.jit.export
    def member(self, k: int, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of centers by member ``k``, eV, [n_local]; arguments as for :meth:`forward`."""
        found: list[Tensor] = []
        for i, member in enumerate(self.members):
            if i == k:
                found.append(member(species, n_local, edge_index, edge_vec))
        return found[0] * self.energy_scale
