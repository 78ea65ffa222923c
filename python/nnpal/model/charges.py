"""Atomic charges, which TorchANI's ``ANIq`` models give in addition to energies.

A network computes each atom's raw charge q_i from its AEV. With w_e a constant of each element, the charges are::

    w_i = w_e            or, as in ANImbis,    w_i = w_e q_i^2
    Q_i = q_i - (w_i / sum_j w_j) sum_j q_j

so that they add up to 0 over all atoms, however far apart. A model file gives q_i and w_i; the caller computes the two
sums, over all ranks: :mod:`nnpal.model.charge_sums`.
"""

import torch
from ase.data import chemical_symbols
from torch import Tensor
from torchani.arch import ANI, ANIq
from torchani.electro import ChargeNormalizer
from torchani.potentials import SeparateChargesNNPotential


class Charges(torch.nn.Module):
    """Raw charges of atoms and the weights by which they share the excess charge, from AEVs.

    Attributes:
        networks: TorchANI's container of the charge networks.
        weights: w_e, [n_elements].
        scale_by_squares: whether w_i is w_e q_i^2.
    """

    weights: Tensor

    def __init__(self, networks: torch.nn.Module, normalizer: ChargeNormalizer) -> None:
        super().__init__()
        self.networks = networks
        self.scale_by_squares = bool(normalizer.scale_weights_by_charges_squared)
        self.register_buffer("weights", normalizer.weights.detach().clone())

    def forward(self, species: Tensor, aev: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw charges, e, and weights, float64 [n_local] both, of atoms with these element indices and AEVs."""
        raw = self.networks(species.unsqueeze(0), aev.unsqueeze(0), atomic=True).view(-1).to(torch.float64)
        weights = self.weights.index_select(0, species).to(torch.float64)
        return raw, weights * raw * raw if self.scale_by_squares else weights


def has_charges(model: ANI | ANIq) -> bool:
    """Return whether a model has charge networks in addition to its energy networks."""
    return isinstance(model.potentials["nnp"], SeparateChargesNNPotential)


def why_no_charges(model: ANI | ANIq) -> str | None:
    """Return why a model file cannot contain a model's charges; None if it can, or if there are none."""
    if not has_charges(model):
        return None
    normalizer = model.potentials["nnp"].charge_normalizer
    if type(normalizer) is not ChargeNormalizer:
        return f"they are normalized by a {type(normalizer).__name__}, expected torchani.electro.ChargeNormalizer"
    known = tuple(chemical_symbols[number] for number in normalizer.atomic_numbers.tolist())
    if known != tuple(model.symbols):
        return (
            f"their normalizer is for {', '.join(known)} in this order, but the model's elements are "
            f"{', '.join(model.symbols)}"
        )
    return None
