"""TorchANI models from a short description: AEV parameters, layer sizes, elements, members.

Lengths in Å, angles in radians. Member networks that this package trains give eV;
:func:`build_model` converts them to hartree, the unit of TorchANI's own models.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.arch import ANI
from torchani.nn import ANINetworks, AtomicNetwork, Ensemble
from torchani.sae import SelfEnergy
from torchani.units import HARTREE_TO_EV


@dataclass(frozen=True)
class AEVDescription:
    """Parameters of the atomic environment vector (AEV) of ANI (doi:10.1039/C6SC05720A, equations 3 and 4).

    The defaults are ANI-2x's terms with the radial part carried on to 6.9 Å, as Jung et al. trained
    Ni, Al and Nb with: 22 radial and 8 x 4 angular terms, 54 for one element.

    Attributes:
        radial_cutoff: Å.
        radial_eta: 1/Å².
        radial_shifts: centres of the radial Gaussians, Å.
        angular_cutoff: Å.
        angular_eta: 1/Å².
        angular_zeta: exponent of the angular term.
        angular_shifts: centres of the Gaussians of the mean distance, Å.
        angular_sections: centres of the angular term, rad.
    """

    radial_cutoff: float = 6.9
    radial_eta: float = 19.7
    radial_shifts: tuple[float, ...] = (
        *(1.06875 + 0.26875 * k for k in range(15)),
        *(5.10 + 0.27 * k for k in range(7)),
    )
    angular_cutoff: float = 3.5
    angular_eta: float = 12.5
    angular_zeta: float = 14.1
    angular_shifts: tuple[float, ...] = tuple(0.8 + 0.3375 * k for k in range(8))
    angular_sections: tuple[float, ...] = tuple(math.pi * (1 + 2 * k) / 8 for k in range(4))


@dataclass(frozen=True)
class NetworkDescription:
    """Elements, AEV and layers of one ensemble; every element has the same layer sizes.

    Attributes:
        symbols: chemical symbols, in the order of the element indices.
        hidden: hidden layer sizes.
        activation: a name that TorchANI knows, ``gelu`` or ``celu``.
        bias: whether layers have biases (TorchANI's own default is no).
        aev: parameters of the AEV.
    """

    symbols: tuple[str, ...]
    hidden: tuple[int, ...] = (224, 192, 160)
    activation: str = "gelu"
    bias: bool = True
    aev: AEVDescription = field(default_factory=AEVDescription)

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"NetworkDescription: symbols are {self.symbols}, expected one or more, each once")


def build_aev_computer(description: NetworkDescription) -> AEVComputer:
    """Return TorchANI's AEV computer with the cosine cutoff."""
    aev = description.aev
    return AEVComputer(
        radial=ANIRadial(aev.radial_eta, aev.radial_shifts, aev.radial_cutoff),
        angular=ANIAngular(
            aev.angular_eta,
            aev.angular_zeta,
            aev.angular_shifts,
            aev.angular_sections,
            aev.angular_cutoff,
        ),
        num_species=len(description.symbols),
    )


def build_member(description: NetworkDescription, seed: int) -> ANINetworks:
    """Return one ensemble member, weights and biases uniform in ±1/√(inputs of the layer), torch's own default.

    The numbers come from a generator of this call, so members can be built in several threads.
    """
    generator = torch.Generator().manual_seed(seed)
    n_features = build_aev_computer(description).out_dim
    sizes = (n_features, *description.hidden, 1)
    with torch.device("meta"):  # no numbers yet: torch would draw them from its global generator
        networks = {
            symbol: AtomicNetwork(sizes, description.activation, bias=description.bias)
            for symbol in description.symbols
        }
    for network in networks.values():
        network.to_empty(device="cpu")
        for layer in [*network.layers, network.final_layer]:
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                torch.nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return ANINetworks(networks)


def build_model(
    description: NetworkDescription,
    members: Sequence[ANINetworks],
    self_energies: Sequence[float],
) -> ANI:
    """Return a TorchANI model, in hartree, of copies of ``members`` that give eV.

    Arguments:
        description: elements and AEV.
        members: networks in eV, at least one.
        self_energies: eV, one for each element.

    Raises:
        ValueError: no member.
    """
    if not members:
        raise ValueError("build_model: members is empty, expected at least one network")
    in_hartree = [_scaled(member, 1.0 / HARTREE_TO_EV) for member in members]
    shifter = SelfEnergy(description.symbols, [0.0] * len(description.symbols))
    shifter.self_energies = torch.tensor(self_energies, dtype=torch.float64) / HARTREE_TO_EV
    return ANI(
        description.symbols,
        build_aev_computer(description),
        Ensemble(in_hartree),
        shifter,
    )


@torch.no_grad()
def _scaled(member: ANINetworks, factor: float) -> ANINetworks:
    """Return a copy whose output is multiplied by ``factor``."""
    scaled = copy.deepcopy(member)
    for network in scaled.atomics.values():
        for parameter in network.final_layer.parameters():
            parameter.mul_(factor)
    return scaled
