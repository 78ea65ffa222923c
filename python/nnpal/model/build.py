"""Build TorchANI modules from a description.

Member networks that nnpal trains give energies in eV; :func:`build_model` converts them to hartree, the unit of
TorchANI's own models.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.arch import ANI
from torchani.nn import ANINetworks, AtomicNetwork, Ensemble
from torchani.sae import SelfEnergy
from torchani.units import HARTREE_TO_EV

from nnpal.model.celu import make_celu_exact
from nnpal.model.description import NetworkDescription


def build_aev_computer(description: NetworkDescription) -> AEVComputer:
    """Return TorchANI's AEV computer."""
    aev = description.aev
    return AEVComputer(
        radial=ANIRadial(aev.radial_eta, aev.radial_shifts, aev.radial_cutoff, aev.cutoff_function),
        angular=ANIAngular(
            aev.angular_eta,
            aev.angular_zeta,
            aev.angular_shifts,
            aev.angular_sections,
            aev.angular_cutoff,
            aev.cutoff_function,
        ),
        num_species=len(description.symbols),
    )


def build_member(
    description: NetworkDescription, seed: int, initialization: Literal["kaiming", "uniform"] = "uniform"
) -> ANINetworks:
    """Return one ensemble member with random weights.

    The random generator is local to the call, so members can be built in several threads.

    Arguments:
        description: elements, AEV and layers.
        seed: random seed of the weights.
        initialization: ``kaiming``: normal weights of variance 2/n_inputs in hidden layers and 1/n_inputs in the last
            one, biases 0 (He et al., doi:10.1109/ICCV.2015.123); ``uniform``: all uniform within ±1/√n_inputs, torch's
            default.
    """
    generator = torch.Generator().manual_seed(seed)
    member = build_networks(description)
    for network in member.atomics.values():
        for layer in network.layers:
            _draw(layer, initialization, 2.0, generator)
        _draw(network.final_layer, initialization, 1.0, generator)
    return member


def build_networks(description: NetworkDescription) -> ANINetworks:
    """Return one ensemble member with uninitialized weights."""
    n_features = build_aev_computer(description).out_dim
    with torch.device("meta"):  # no weights yet: torch would draw them from its global generator
        networks = {
            symbol: AtomicNetwork(
                (n_features, *description.hidden_of(symbol), 1), description.activation, bias=description.bias
            )
            for symbol in description.symbols
        }
    for network in networks.values():
        make_celu_exact(network)
        network.to_empty(device="cpu")
    return ANINetworks(networks)


@torch.no_grad()
def _draw(layer: torch.nn.Linear, initialization: str, gain: float, generator: torch.Generator) -> None:
    if initialization == "uniform":
        bound = layer.in_features**-0.5
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
        return
    layer.weight.normal_(0.0, (gain / layer.in_features) ** 0.5, generator=generator)
    if layer.bias is not None:
        layer.bias.zero_()


def build_model(
    description: NetworkDescription,
    members: Sequence[ANINetworks],
    self_energies: Sequence[float],
) -> ANI:
    """Return a TorchANI model, in hartree, from copies of ``members``.

    Arguments:
        description: elements and AEV.
        members: networks in eV, at least one.
        self_energies: self-energy of each element, eV.

    Raises:
        ValueError: ``members`` is empty.
    """
    if not members:
        raise ValueError("build_model: members is empty, expected at least one network")
    in_hartree = [scaled(member, 1.0 / HARTREE_TO_EV) for member in members]
    shifter = SelfEnergy(description.symbols, [0.0] * len(description.symbols))
    shifter.self_energies = torch.tensor(self_energies, dtype=torch.float64) / HARTREE_TO_EV
    return ANI(
        description.symbols,
        build_aev_computer(description),
        Ensemble(in_hartree),
        shifter,
    )


@torch.no_grad()
def scaled(member: ANINetworks, factor: float) -> ANINetworks:
    """Return a copy of a member whose output is multiplied by ``factor``."""
    scaled = copy.deepcopy(member)
    for network in scaled.atomics.values():
        for parameter in network.final_layer.parameters():
            parameter.mul_(factor)
    return scaled
