"""TorchANI ensembles for tests: random weights, deterministic by seed, with forces and spreads large enough to test.

Final layers are scaled up so that forces reach about 1 eV/Å, and self-energies are large, so that tests detect a
float32 sum that includes them.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from unittest import mock

import torch
import torchani
from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.arch import ANI, ANIq
from torchani.cutoffs import CutoffArg
from torchani.electro import ChargeNormalizer
from torchani.models import _ANINetworksDiscardFirstScalar
from torchani.nn import ANINetworks, AtomicNetwork, Ensemble, TightCELU
from torchani.potentials import RepulsionXTB, TwoBodyDispersionD3
from torchani.sae import SelfEnergy


def metal_aev_computer(cutoff_fn: str = "cosine") -> AEVComputer:
    """Return the AEV of the Ni, Al and Nb networks of Jung et al.: 22 radial and 32 angular terms for one element."""
    radial_shifts = [1.06875 + 0.26875 * k for k in range(15)] + [5.10 + 0.27 * k for k in range(7)]
    angular_shifts = [0.8 + 0.3375 * k for k in range(8)]
    sections = [math.pi / 8 + k * math.pi / 4 for k in range(4)]
    return AEVComputer(
        ANIRadial(19.7, radial_shifts, 6.9),
        ANIAngular(12.5, 14.1, angular_shifts, sections, 3.5),
        num_species=1,
        cutoff_fn=cutoff_fn,
    )


def one_element_ensemble(
    symbol: str = "Al",
    n_members: int = 3,
    *,
    hidden: Sequence[int] = (32, 24, 16),
    self_energy: float = -38.0,
    cutoff_fn: str = "cosine",
    seed: int = 0,
) -> ANI:
    """Return an ensemble of GELU networks with biases and the metal AEV; self_energy in hartree (-38 is -1034 eV)."""
    torch.manual_seed(seed)
    aev_computer = metal_aev_computer(cutoff_fn)
    members = [
        ANINetworks({symbol: atomic_network((aev_computer.out_dim, *hidden, 1), "gelu", scale=0.05)})
        for _ in range(n_members)
    ]
    return ANI((symbol,), aev_computer, Ensemble(members), SelfEnergy((symbol,), [self_energy]))


def organic_ensemble(
    symbols: Sequence[str] = ("H", "C", "N", "O"), n_members: int = 4, *, activation: str = "gelu", seed: int = 1
) -> ANI:
    """Return an ensemble with ANI-2x's AEV and layers of different sizes for each element.

    TorchANI's `celu` has a jump of 10 in its second derivative at 0, which affects finite differences.
    """
    torch.manual_seed(seed)
    aev_computer = AEVComputer("ani2x", "ani2x", num_species=len(symbols))
    members = [
        ANINetworks(
            {
                symbol: atomic_network((aev_computer.out_dim, 24 + 8 * i, 16, 1), activation, scale=0.5)
                for i, symbol in enumerate(symbols)
            }
        )
        for _ in range(n_members)
    ]
    self_energies = [-0.5 - 37.5 * i for i in range(len(symbols))]
    return ANI(tuple(symbols), aev_computer, Ensemble(members), SelfEnergy(tuple(symbols), self_energies))


def repulsive_ensemble(
    symbols: Sequence[str] = ("H", "C", "N", "O"),
    n_members: int = 3,
    *,
    cutoff: float = 5.1,
    cutoff_fn: CutoffArg = "smooth",
) -> ANI:
    """Return an ensemble like `organic_ensemble` with TorchANI's xTB repulsion; the cutoff of the AEV is 5.1 Å."""
    plain = organic_ensemble(symbols, n_members)
    repulsion = RepulsionXTB(symbols, cutoff=cutoff, cutoff_fn=cutoff_fn)
    return ANI(
        plain.symbols,
        plain.aev_computer,
        plain.neural_networks,
        plain.energy_shifter,
        potentials={"repulsion_xtb": repulsion},
    )


def dispersive_ensemble(
    symbols: Sequence[str] = ("H", "C", "N", "O"), n_members: int = 2, *, cutoff: float = 6.0
) -> ANI:
    """Return an ensemble like `repulsive_ensemble`, also with TorchANI's D3 dispersion for B97-3c, as in ANI2dr."""
    plain = repulsive_ensemble(symbols, n_members)
    dispersion = TwoBodyDispersionD3.from_functional(symbols, "b973c", cutoff=cutoff)
    return ANI(
        plain.symbols,
        plain.aev_computer,
        plain.neural_networks,
        plain.energy_shifter,
        potentials={"repulsion_xtb": plain.potentials["repulsion_xtb"], "dispersion_d3": dispersion},
    )


def charged_ensemble(
    symbols: Sequence[str] = ("H", "C", "N", "O"), n_members: int = 2, *, by_squares: bool = True, reach: float = 0.0
) -> ANIq:
    """Return an ensemble with a charge network for each element; raw charges are some tenths of e.

    Arguments:
        symbols: elements of the ensemble.
        n_members: members for energies; charges are from one additional network.
        by_squares: whether networks are as in ANImbis: two outputs, without biases, excess charge distributed by w q^2.
            Otherwise networks of one output, with biases, distributed by w.
        reach: cutoff of D3 dispersion, Å; 0 for none.
    """
    plain = dispersive_ensemble(symbols, n_members, cutoff=reach) if reach else organic_ensemble(symbols, n_members)
    torch.manual_seed(3)
    container = _ANINetworksDiscardFirstScalar if by_squares else ANINetworks
    networks = {}
    for i, symbol in enumerate(symbols):
        layers = (plain.aev_computer.out_dim, 16 + 8 * i, 2 if by_squares else 1)
        networks[symbol] = AtomicNetwork(layers, activation="gelu", bias=not by_squares)
        scale_up(networks[symbol], 10.0 if by_squares else 0.5)
    normalizer = ChargeNormalizer.from_electronegativity_and_hardness(
        symbols, scale_weights_by_charges_squared=by_squares
    )
    return ANIq(
        plain.symbols,
        plain.aev_computer,
        plain.neural_networks,
        plain.energy_shifter,
        potentials={name: potential for name, potential in plain.potentials.items() if name != "nnp"},
        charge_networks=container(networks),
        charge_normalizer=normalizer,
    )


def published_ensemble(name: str) -> ANI | ANIq:
    """Return a model of ``torchani.models`` as TorchANI builds it, with random weights, without download.

    Final layers are scaled up as in the other ensembles.
    """
    torch.manual_seed(2)
    with (
        warnings.catch_warnings(action="ignore"),  # some are experimental
        mock.patch("torchani.models._fetch_state_dict", return_value={"energy_shifter.self_energies": None}),
        mock.patch("torch.nn.Module.load_state_dict"),
    ):
        model: ANI | ANIq = getattr(torchani.models, name)()
    with torch.no_grad():
        for network in model.neural_networks.members.modules():
            if isinstance(network, AtomicNetwork):
                scale_up(network, 0.3)
    return model


class SlowCELU(torch.nn.Module):
    """CELU by torch's expm1, with an exact derivative in float64, unlike torch's CELU."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        below = self.alpha * torch.expm1(x.clamp(max=0.0) / self.alpha)
        return torch.where(x > 0, x, below)


def with_slow_celu(model: ANI | ANIq) -> ANI | ANIq:
    """Return a float64 copy with `SlowCELU` in place of every CELU of TorchANI, as a reference for exported files."""
    model = copy.deepcopy(model).double()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, TightCELU):
                setattr(parent, name, SlowCELU(0.1))
    return model


def atomic_network(layers: Sequence[int], activation: str, *, scale: float) -> AtomicNetwork:
    """Return a network whose output spreads over about ``scale`` hartree."""
    network = AtomicNetwork(tuple(layers), activation=activation, bias=True)
    scale_up(network, scale)
    return network


@torch.no_grad()
def scale_up(network: AtomicNetwork, scale: float) -> None:
    network.final_layer.weight *= scale / network.final_layer.weight.norm()
    for layer in network.layers:
        layer.weight *= 2.0
