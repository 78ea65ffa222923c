"""Exported model: TorchANI's own terms and networks on a list of edges.

Only centers get an AEV and an energy; other atoms are only neighbors. Positions do not enter, so the gradient in the
edge vectors gives pair-resolved forces, and with them every virial.
"""

import torch
from torch import Tensor
from torchani.aev import AEVComputer
from torchani.potentials import RepulsionXTB, TwoBodyDispersionD3

from nnpal.model.charges import Charges
from nnpal.model.dispersion import Dispersion
from nnpal.model.repulsion import Repulsion


class EnsembleModule(torch.nn.Module):
    """Interaction energy of each center by each ensemble member, eV.

    The AEV is that of ANI (doi:10.1039/C6SC05720A, equations 3 and 4) in TorchANI's layout: radial terms by the
    neighbor's element, then angular terms by the pair of the neighbors' elements.

    Attributes:
        self_energies: self-energy of each element, eV, float64 [n_elements]; added by the caller.
        n_active: number of members to evaluate, the first ones.
        repulsion, dispersion: further terms in every member's energies, or None. With dispersion, edges of the centers'
            neighbors are needed, too.
        charge_part: charge networks, or None.
    """

    self_energies: Tensor
    triu_index: Tensor
    n_active: int

    def __init__(
        self,
        aev_computer: AEVComputer,
        members: list[torch.nn.Module],
        self_energies: Tensor,
        energy_scale: float,
        repulsion: RepulsionXTB | None = None,
        dispersion: TwoBodyDispersionD3 | None = None,
        charges: Charges | None = None,
    ) -> None:
        super().__init__()
        self.radial = aev_computer.radial
        self.angular = aev_computer.angular
        self.members = torch.nn.ModuleList(members)
        self.n_species = int(aev_computer.num_species)
        self.n_species_pairs = int(aev_computer.num_species_pairs)
        self.n_radial = int(aev_computer.radial.num_feats)
        self.n_angular = int(aev_computer.angular.num_feats)
        self.radial_cutoff = float(aev_computer.radial.cutoff)
        self.angular_cutoff = float(aev_computer.angular.cutoff)
        self.repulsion = Repulsion(repulsion, self.radial_cutoff, energy_scale) if repulsion is not None else None
        self.dispersion = Dispersion(dispersion, energy_scale) if dispersion is not None else None
        self.has_further_edges = self.dispersion is not None or (
            self.repulsion is not None and self.repulsion.cutoff > self.radial_cutoff
        )
        self.charge_part = charges
        self.energy_scale = energy_scale
        self.n_active = len(members)
        self.register_buffer("triu_index", aev_computer.triu_index)
        self.register_buffer("self_energies", self_energies.to(torch.float64))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Evaluate centers 0 .. n_local-1.

        Arguments:
            species: element index of every atom, centers first, int64 [n_atoms].
            n_local: number of centers.
            edge_index: (center, neighbor), int64 [2, n_edges], sorted by center.
            edge_vec: r_neighbor - r_center, Å, [n_edges, 3], shorter than the radial cutoff, or that of a pair term if
                larger.

        Returns:
            Energies without self-energies, eV, [n_active, n_local].
        """
        aev = self.aev(species, n_local, edge_index, edge_vec).unsqueeze(0)
        local_species = species[:n_local].unsqueeze(0)
        energies: list[Tensor] = []
        for i, member in enumerate(self.members):
            if i < self.n_active:
                energies.append(member(local_species, aev, atomic=True).view(-1))
        of_networks = torch.stack(energies) * self.energy_scale
        if self.repulsion is not None:
            of_networks = of_networks + self.repulsion(species, n_local, edge_index, edge_vec)
        if self.dispersion is not None:
            of_networks = of_networks + self.dispersion(species, n_local, edge_index, edge_vec)
        return of_networks

    @torch.jit.export
    def charges(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw charges, e, and weights, float64 [n_local] both: see :mod:`nnpal.model.charges`."""
        if self.charge_part is not None:
            return self.charge_part(species[:n_local], self.aev(species, n_local, edge_index, edge_vec))
        raise RuntimeError("this model has no charge networks")

    def aev(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the AEVs of the centers, [n_local, n_features]; arguments as for :meth:`forward`."""
        if self.has_further_edges:
            is_near = (edge_vec.norm(2, -1) < self.radial_cutoff) & (edge_index[0] < n_local)
            near = is_near.nonzero().view(-1)
            edge_index, edge_vec = edge_index.index_select(1, near), edge_vec.index_select(0, near)
        center = edge_index[0]
        neighbor_species = species.index_select(0, edge_index[1])
        distance = edge_vec.norm(2, -1)
        radial_aev = self._radial_aev(n_local, center, neighbor_species, distance)
        angular_aev = self._angular_aev(n_local, center, neighbor_species, distance, edge_vec)
        return torch.cat((radial_aev, angular_aev), -1)

    def _radial_aev(self, n_local: int, center: Tensor, neighbor_species: Tensor, distance: Tensor) -> Tensor:
        terms = self.radial(distance)
        aev = terms.new_zeros((n_local * self.n_species, self.n_radial))
        aev = aev.index_add(0, center * self.n_species + neighbor_species, terms)
        return aev.view(n_local, self.n_species * self.n_radial)

    def _angular_aev(
        self,
        n_local: int,
        center: Tensor,
        neighbor_species: Tensor,
        distance: Tensor,
        edge_vec: Tensor,
    ) -> Tensor:
        near = (distance <= self.angular_cutoff).nonzero().view(-1)
        center = center.index_select(0, near)
        neighbor_species = neighbor_species.index_select(0, near)
        distance = distance.index_select(0, near)
        edge_vec = edge_vec.index_select(0, near)

        # Every edge forms a triple with each later edge of the same center.
        n_near = center.shape[0]
        ends = torch.bincount(center, minlength=n_local).cumsum(0)
        n_later = ends.index_select(0, center) - 1 - torch.arange(n_near, device=center.device)
        first = torch.repeat_interleave(n_later)
        rank = torch.arange(first.shape[0], device=center.device)
        second = first + 1 + rank - (n_later.cumsum(0) - n_later).index_select(0, first)

        terms = self.angular(
            torch.stack((distance.index_select(0, first), distance.index_select(0, second))),
            torch.stack((edge_vec.index_select(0, first), edge_vec.index_select(0, second))),
        )
        pair = self.triu_index[neighbor_species.index_select(0, first), neighbor_species.index_select(0, second)]
        aev = terms.new_zeros((n_local * self.n_species_pairs, self.n_angular))
        aev = aev.index_add(0, center.index_select(0, first) * self.n_species_pairs + pair, terms)
        return aev.view(n_local, self.n_species_pairs * self.n_angular)
