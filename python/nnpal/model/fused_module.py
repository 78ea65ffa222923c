"""Exported model as one compiled operation: AEVs, all members' networks and gradients in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchani.aev import AEVComputer
from torchani.potentials import RepulsionXTB, TwoBodyDispersionD3

from nnpal.model.charges import Charges
from nnpal.model.dispersion import Dispersion
from nnpal.model.fused_charges import FusedCharges, charge_networks
from nnpal.model.ops import load_ops
from nnpal.model.packed_networks import packed
from nnpal.model.repulsion import FusedRepulsion, fused_cutoff_function
from nnpal.model.terms import aev_terms


class FusedModule(torch.nn.Module):
    """Same function as :class:`nnpal.model.torchani_module.EnsembleModule`, computed by ``torch.ops.nnpal``.

    Attributes:
        self_energies: self-energy of each element, eV, float64 [n_elements]; added by the caller.
        n_active: number of members to evaluate, the first ones.
        weights: parameters of all networks, by element, member and layer: weight, then bias.
        layers: for each element the number of layers, then their numbers of outputs.
        repulsion, dispersion: further terms in every member's energies, or None. With dispersion, edges of the centers'
            neighbors are needed, too.
        charge_part: the charge networks, or None.
    """

    self_energies: Tensor
    weights: Tensor
    n_active: int
    layers: list[int]
    radial: list[float]
    radial_shifts: list[float]
    angular: list[float]
    angular_shifts: list[float]
    angular_sections: list[float]

    def __init__(
        self,
        aev_computer: AEVComputer,
        members: Sequence[torch.nn.Module],
        self_energies: Tensor,
        energy_scale: float,
        repulsion: RepulsionXTB | None = None,
        dispersion: TwoBodyDispersionD3 | None = None,
        charges: Charges | None = None,
    ) -> None:
        super().__init__()
        load_ops()
        terms = aev_terms(aev_computer)
        self.n_elements = terms.n_elements
        self.radial, self.radial_shifts = terms.radial, terms.radial_shifts
        self.angular, self.angular_shifts = terms.angular, terms.angular_shifts
        self.angular_sections = terms.angular_sections
        self.cutoff_function = terms.cutoff_function
        weights, self.layers, self.activation, self.alpha = packed(members)
        self.n_members = self.n_active = len(members)
        self.energy_scale = energy_scale
        self.repulsion = FusedRepulsion(repulsion, terms.radial[0], energy_scale) if repulsion is not None else None
        self.dispersion = Dispersion(dispersion, energy_scale) if dispersion is not None else None
        self.charge_part = FusedCharges(charges) if charges is not None else None
        self.near_cutoff = max(terms.radial[0], self.repulsion.cutoff if self.repulsion is not None else 0.0)
        self.register_buffer("weights", weights)
        self.register_buffer("self_energies", self_energies.to(torch.float64))

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        """Return the energies of centers without self-energies, eV, [n_active, n_local]; see the model contract."""
        if self.dispersion is None:
            return self._near_energies(species, n_local, edge_index, edge_vec)
        near = self._near(n_local, edge_index, edge_vec, self.near_cutoff)
        index, vec = edge_index.index_select(1, near), edge_vec.index_select(0, near)
        of_near = self._near_energies(species, n_local, index, vec)
        return of_near + self.dispersion(species, n_local, edge_index, edge_vec)

    @torch.jit.export
    def energies_and_gradients(
        self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor, of_members: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the energies and, in the same pass, gradients of their sums in ``edge_vec``, eV/Å.

        The gradients are that of the members' mean and, if ``of_members``, then those of each member, [1 or 1 +
        n_active, n_edges, 3].
        """
        if self.dispersion is None:
            return self._near_energies_and_gradients(species, n_local, edge_index, edge_vec, of_members)
        near = self._near(n_local, edge_index, edge_vec, self.near_cutoff)
        index, vec = edge_index.index_select(1, near), edge_vec.index_select(0, near)
        energies, of_near = self._near_energies_and_gradients(species, n_local, index, vec, of_members)
        dispersion, gradient = self.dispersion.energies_and_gradients(species, n_local, edge_index, edge_vec)
        gradients = gradient.unsqueeze(0).repeat(of_near.shape[0], 1, 1).index_add(1, near, of_near)
        return energies + dispersion, gradients

    @torch.jit.export
    def charges(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw charges, e, and weights, float64 [n_local] both: see :mod:`nnpal.model.charges`."""
        charges = self.charge_part
        if charges is None:
            raise RuntimeError("this model has no charge networks")
        near = self._near(n_local, edge_index, edge_vec, self.radial[0])
        values: Tensor = torch.ops.nnpal.ensemble(
            species,
            n_local,
            edge_index.index_select(1, near),
            edge_vec.index_select(0, near),
            charges.weights,
            charges.layers,
            charges.n_networks,
            charges.n_networks,
            charges.activation,
            charges.alpha,
            1.0,
            self.n_elements,
            self.radial,
            self.radial_shifts,
            self.angular,
            self.angular_shifts,
            self.angular_sections,
            self.cutoff_function,
        )
        found: tuple[Tensor, Tensor] = charges(species[:n_local], values)
        return found

    def _near(self, n_local: int, edge_index: Tensor, edge_vec: Tensor, cutoff: float) -> Tensor:
        """Return the indices of the centers' edges within ``cutoff``."""
        is_near = (edge_vec.norm(2, -1) < cutoff) & (edge_index[0] < n_local)
        return is_near.nonzero().view(-1)

    def _near_energies(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        energies: Tensor = torch.ops.nnpal.ensemble(
            species,
            n_local,
            edge_index,
            edge_vec,
            self.weights,
            self.layers,
            self.n_members,
            self.n_active,
            self.activation,
            self.alpha,
            self.energy_scale,
            self.n_elements,
            self.radial,
            self.radial_shifts,
            self.angular,
            self.angular_shifts,
            self.angular_sections,
            self.cutoff_function,
        )
        if self.repulsion is not None:
            energies = energies + self.repulsion(species, n_local, edge_index, edge_vec)
        return energies

    def _near_energies_and_gradients(
        self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor, of_members: bool
    ) -> tuple[Tensor, Tensor]:
        energies, gradients = torch.ops.nnpal.ensemble_gradients(
            species,
            n_local,
            edge_index,
            edge_vec,
            self.weights,
            self.layers,
            self.n_members,
            self.n_active,
            self.activation,
            self.alpha,
            self.energy_scale,
            self.n_elements,
            self.radial,
            self.radial_shifts,
            self.angular,
            self.angular_shifts,
            self.angular_sections,
            self.cutoff_function,
            of_members,
        )
        if self.repulsion is not None:
            pair_energies, pair_gradients = self.repulsion.energies_and_gradients(
                species, n_local, edge_index, edge_vec
            )
            energies += pair_energies
            gradients += pair_gradients
        return energies, gradients


def why_not_fused(
    aev_computer: AEVComputer,
    members: Sequence[torch.nn.Module],
    repulsion: RepulsionXTB | None = None,
    charges: Charges | None = None,
) -> str | None:
    """Return what the fused kernel does not support in a model, or None if it supports everything."""
    try:
        aev_terms(aev_computer)
        packed(members)
        if repulsion is not None:
            fused_cutoff_function(repulsion)
        if charges is not None:
            packed(*charge_networks(charges))
    except ValueError as error:
        return str(error)
    return None
