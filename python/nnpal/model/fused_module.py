"""The exported model as one compiled operation: AEVs, all members' networks and gradients in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchani.aev import AEVComputer
from torchani.models import _ANINetworksDiscardFirstScalar
from torchani.nn import ANINetworks, Ensemble
from torchani.potentials import RepulsionXTB, TwoBodyDispersionD3

from nnpal.model.charges import Charges
from nnpal.model.dispersion import Dispersion
from nnpal.model.layers import activation_of, container_of, layers_of, network_of
from nnpal.model.ops import load_ops
from nnpal.model.repulsion import FusedRepulsion, fused_cutoff_function
from nnpal.model.terms import aev_terms


class FusedModule(torch.nn.Module):
    """The same function as :class:`nnpal.model.torchani_module.EnsembleModule`, by ``torch.ops.nnpal``.

    Attributes:
        self_energies: energy of each element alone, eV, float64 [n_elements]; the caller adds it.
        n_active: how many members are evaluated, the first ones.
        weights: of all networks, element by element, member by member, layer by layer: weight, then bias.
        layers: of each element the number of layers, then their outputs.
        repulsion, dispersion: further terms that every member's energies hold, or None. With dispersion there are also
            edges whose centers are neighbors of those of the list.
        charge_weights: of the charge networks, as ``weights``; empty where there are none.
        charge_shares: of each element, by which atoms share the excess charge: :mod:`nnpal.model.charges`.
    """

    self_energies: Tensor
    weights: Tensor
    charge_weights: Tensor
    charge_shares: Tensor
    n_active: int
    layers: list[int]
    charge_layers: list[int]
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
        weights, self.layers, self.activation, self.alpha = _packed(members)
        self.n_members = self.n_active = len(members)
        self.energy_scale = energy_scale
        self.repulsion = FusedRepulsion(repulsion, terms.radial[0], energy_scale) if repulsion is not None else None
        self.dispersion = Dispersion(dispersion, energy_scale) if dispersion is not None else None
        self.near_cutoff = max(terms.radial[0], self.repulsion.cutoff if self.repulsion is not None else 0.0)
        self.register_buffer("weights", weights)
        self.register_buffer("self_energies", self_energies.to(torch.float64))
        self._add_charges(charges)

    def _add_charges(self, charges: Charges | None) -> None:
        weights, shares = torch.zeros(0), torch.zeros(0)
        self.n_charge_networks, self.scales_by_squares = 0, False
        self.charge_layers, self.charge_activation, self.charge_alpha = [], "gelu", 0.0
        if charges is not None:
            networks, output, n_outputs = _charge_networks(charges)
            weights, self.charge_layers, self.charge_activation, self.charge_alpha = _packed(
                networks, output, n_outputs
            )
            self.n_charge_networks, self.scales_by_squares = len(networks), charges.scale_by_squares
            shares = charges.weights.detach().clone()
        self.register_buffer("charge_weights", weights)
        self.register_buffer("charge_shares", shares)

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
        """Return the energies and, in the same pass, gradients of centers' sums in ``edge_vec``, eV/Å.

        The gradients are that of the members' mean and, where ``of_members``, after it those of each member,
        [1 or 1 + n_active, n_edges, 3].
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
        if self.n_charge_networks == 0:
            raise RuntimeError("this model has no charge networks")
        near = self._near(n_local, edge_index, edge_vec, self.radial[0])
        values: Tensor = torch.ops.nnpal.ensemble(
            species,
            n_local,
            edge_index.index_select(1, near),
            edge_vec.index_select(0, near),
            self.charge_weights,
            self.charge_layers,
            self.n_charge_networks,
            self.n_charge_networks,
            self.charge_activation,
            self.charge_alpha,
            1.0,
            self.n_elements,
            self.radial,
            self.radial_shifts,
            self.angular,
            self.angular_shifts,
            self.angular_sections,
            self.cutoff_function,
        )
        raw = values.to(torch.float64).mean(0)
        shares = self.charge_shares.index_select(0, species[:n_local]).to(torch.float64)
        return raw, shares * raw * raw if self.scales_by_squares else shares

    def _near(self, n_local: int, edge_index: Tensor, edge_vec: Tensor, cutoff: float) -> Tensor:
        """Return which edges the operations take."""
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
    """Return what of a model the fused kernel does not cover, or None where it covers all."""
    try:
        aev_terms(aev_computer)
        _packed(members)
        if repulsion is not None:
            fused_cutoff_function(repulsion)
        if charges is not None:
            _packed(*_charge_networks(charges))
    except ValueError as error:
        return str(error)
    return None


def _charge_networks(charges: Charges) -> tuple[list[torch.nn.Module], int, int]:
    """Return the networks whose mean are the raw charges, and which of how many outputs they are."""
    networks = charges.networks
    members = list(networks.members) if isinstance(networks, Ensemble) else [networks]
    if all(type(member) is _ANINetworksDiscardFirstScalar for member in members):
        return [ANINetworks(member.atomics) for member in members], 1, 2
    return members, 0, 1


def _packed(
    members: Sequence[torch.nn.Module], output: int = 0, n_outputs: int = 1
) -> tuple[Tensor, list[int], str, float]:
    """Return the weights in one block, the layers of each element, the activation and its alpha.

    Of networks with several outputs at the end the block holds one of them.

    Raises:
        ValueError: networks that the kernel does not cover.
    """
    containers = [container_of(member) for member in members]
    layers: list[int] = []
    blocks: list[Tensor] = []
    activations = set()
    for symbol in containers[0].symbols:
        networks = [network_of(container.atomics[symbol]) for container in containers]
        of_networks = [layers_of(network, n_outputs) for network in networks]
        outputs = [[*(layer.out_features for layer in own[:-1]), 1] for own in of_networks]
        if any(own != outputs[0] for own in outputs):
            raise ValueError("its members have networks of different layers")
        layers += [len(outputs[0]), *outputs[0]]
        activations |= {activation_of(network.activation) for network in networks}
        for own in of_networks:
            for layer in own:
                bias = layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
                rows = slice(output, output + 1) if layer is own[-1] else slice(None)
                blocks += [layer.weight.detach()[rows].reshape(-1), bias.detach()[rows]]
    if len(activations) != 1:
        raise ValueError("its networks have different activation functions")
    activation, alpha = activations.pop()
    return torch.cat(blocks), layers, activation, alpha
