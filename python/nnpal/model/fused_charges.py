"""Charge networks of a file of kernel ``fused``: see :mod:`nnpal.model.charges`."""

import torch
from torch import Tensor
from torchani.models import _ANINetworksDiscardFirstScalar
from torchani.nn import ANINetworks, Ensemble

from nnpal.model.charges import Charges
from nnpal.model.packed_networks import packed


class FusedCharges(torch.nn.Module):
    """What :class:`nnpal.model.charges.Charges` computes, by the operation that evaluates ensembles.

    Attributes:
        weights, layers, activation, alpha: of the networks, as of :class:`nnpal.model.fused_module.FusedModule`.
        n_networks: whose mean are the raw charges.
        shares: of each element, by which atoms share the excess charge.
        scale_by_squares: whether they are multiplied by the raw charge squared.
    """

    weights: Tensor
    shares: Tensor
    layers: list[int]

    def __init__(self, charges: Charges) -> None:
        super().__init__()
        networks, output, n_outputs = charge_networks(charges)
        weights, self.layers, self.activation, self.alpha = packed(networks, output, n_outputs)
        self.n_networks = len(networks)
        self.scale_by_squares = charges.scale_by_squares
        self.register_buffer("weights", weights)
        self.register_buffer("shares", charges.weights.detach().clone())

    def forward(self, species: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw charges, e, and their weights, float64 [n_local] both.

        Arguments:
            species: element indices of the atoms, [n_local].
            values: of the networks, [n_networks, n_local].
        """
        raw = values.to(torch.float64).mean(0)
        shares = self.shares.index_select(0, species).to(torch.float64)
        return raw, shares * raw * raw if self.scale_by_squares else shares


def charge_networks(charges: Charges) -> tuple[list[torch.nn.Module], int, int]:
    """Return the networks whose mean are the raw charges, and which of how many outputs they are."""
    networks = charges.networks
    members = list(networks.members) if isinstance(networks, Ensemble) else [networks]
    if all(type(member) is _ANINetworksDiscardFirstScalar for member in members):
        return [ANINetworks(member.atomics) for member in members], 1, 2
    return members, 0, 1
