"""Charge networks of a file of kernel ``fused``: see :mod:`nnpal.model.charges`."""

import torch
from torch import Tensor
from torchani.models import _ANINetworksDiscardFirstScalar
from torchani.nn import ANINetworks, Ensemble

from nnpal.model.charges import Charges
from nnpal.model.packed_networks import packed


class FusedCharges(torch.nn.Module):
    """Same as :class:`nnpal.model.charges.Charges`, computed by the operation that evaluates ensembles.

    Attributes:
        weights, layers, activation, alpha: parameters of the networks, as in
            :class:`nnpal.model.fused_module.FusedModule`.
        n_networks: number of networks, whose mean is the raw charge.
        shares: weight of each element in sharing the excess charge, [n_elements].
        scale_by_squares: whether the weights are multiplied by the raw charge squared.
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
            values: outputs of the networks, [n_networks, n_local].
        """
        raw = values.to(torch.float64).mean(0)
        shares = self.shares.index_select(0, species).to(torch.float64)
        return raw, shares * raw * raw if self.scale_by_squares else shares


def charge_networks(charges: Charges) -> tuple[list[torch.nn.Module], int, int]:
    """Return the networks whose mean is the raw charge, the index of its output, and the number of outputs."""
    networks = charges.networks
    members = list(networks.members) if isinstance(networks, Ensemble) else [networks]
    if all(type(member) is _ANINetworksDiscardFirstScalar for member in members):
        return [ANINetworks(member.atomics) for member in members], 1, 2
    return members, 0, 1
