"""Member networks of TorchANI models and of model files, in eV, from which training can start."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchani.aev import AEVComputer
from torchani.arch import ANI
from torchani.nn import ANINetworks
from torchani.units import HARTREE_TO_EV

from nnpal.model.aev import AEVS, AEVDescription
from nnpal.model.archive import load_model
from nnpal.model.build import build_aev_computer, build_networks, scaled
from nnpal.model.description import NetworkDescription
from nnpal.model.export import active_members, standard_aev_computer
from nnpal.model.layers import activation_of, container_of, layers_of, network_of
from nnpal.model.metadata import Metadata, ModelFileError
from nnpal.model.potentials import require_elements, require_networks_alone
from nnpal.model.scripted_networks import ScriptedNetworks, scripted_networks
from nnpal.model.terms import AEVTerms, aev_terms
from nnpal.model.torchani_module import EnsembleModule

_TOLERANCE = 1e-6
"""Relative to the largest energy of the reference configuration; AEV parameters are rounded to single precision."""
_CELU_ALPHA = 0.1
"""α of TorchANI's CELU, which is meant by ``activation = "celu"`` of a description."""


class NotMembersError(ValueError):
    """A model whose networks are not of the kind that nnpal trains."""


@dataclass(frozen=True)
class MemberNetworks:
    """Networks of one ensemble.

    Attributes:
        description: description of all networks.
        networks: the members, eV, float64 on the CPU.
    """

    description: NetworkDescription
    networks: tuple[ANINetworks, ...]

    def of_elements(self, symbols: Sequence[str]) -> MemberNetworks:
        """Return the networks of some elements, in the given order.

        AEV terms of omitted elements are 0 for structures of the others, so their columns of the first layers are
        dropped and energies stay the same.

        Raises:
            ValueError: there is no network for an element.
        """
        own = self.description
        if lacking := [symbol for symbol in symbols if symbol not in own.symbols]:
            raise ValueError(f"there are networks for {list(own.symbols)}, none for {lacking}")
        if tuple(symbols) == own.symbols:
            return self
        columns = torch.from_numpy(_columns(own, symbols))
        chosen = replace(own, symbols=tuple(symbols), hidden=_hidden({s: own.hidden_of(s) for s in symbols}))
        return MemberNetworks(chosen, tuple(_cut(network, symbols, columns) for network in self.networks))


def networks_of_model(model: ANI) -> MemberNetworks:
    """Return the active members of a TorchANI model, whose energies are in hartree.

    Raises:
        NotMembersError: its energy has other parts, or its AEV or networks are of another kind.
    """
    try:
        require_networks_alone(model)
        require_elements(model)
        computer = standard_aev_computer(model)
        members = [container_of(member) for member in active_members(model)]
        description = _description(tuple(model.symbols), aev_terms(computer), members)
        networks = tuple(scaled(_trainable(member), HARTREE_TO_EV) for member in members)
    except ValueError as error:
        raise NotMembersError(f"no members that can be trained: {error}") from error
    return MemberNetworks(description, networks)


def read_networks(path: str | os.PathLike[str]) -> MemberNetworks:
    """Return the members of a model file.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: not a model file, or a damaged one.
        NotMembersError: its networks are of another kind, or do not reproduce the file's energies.
    """
    loaded = load_model(path)
    metadata = loaded.metadata
    if metadata.kind == "module":
        raise NotMembersError(
            f"{os.fspath(path)}: holds custom modules, which nnpal does not know how to train; train them by your own "
            "code and export them again"
        )
    try:
        _require_no_pair_terms(metadata)
        found = scripted_networks(loaded.module, metadata)
        members = MemberNetworks(*_rebuilt(tuple(metadata.elements), found))
        _require_same_energies(members, metadata)
    except (ValueError, AttributeError, KeyError, RuntimeError) as error:  # from modules that nnpal did not write
        if isinstance(error, ModelFileError):
            raise
        said = str(error).strip().splitlines()
        raise NotMembersError(
            f"{os.fspath(path)}: its networks (kernel {metadata.kernel!r}) cannot be trained: "
            f"{said[-1] if said else error!r}"
        ) from error
    return members


def _rebuilt(symbols: tuple[str, ...], found: ScriptedNetworks) -> tuple[NetworkDescription, tuple[ANINetworks, ...]]:
    if found.activation == "celu" and found.alpha != _CELU_ALPHA:
        raise ValueError(f"their CELU has alpha {found.alpha}, expected {_CELU_ALPHA}")
    hidden = {symbol: tuple(len(bias) for _, bias in found.members[0][symbol][:-1]) for symbol in symbols}
    has_bias = any(bool(bias.any()) for member in found.members for layers in member.values() for _, bias in layers)
    description = NetworkDescription(symbols, _hidden(hidden), found.activation, has_bias, _aev(found.terms))
    return description, tuple(_network_with(description, member, found.energy_scale) for member in found.members)


def _network_with(
    description: NetworkDescription, weights: dict[str, list[tuple[Tensor, Tensor]]], scale: float
) -> ANINetworks:
    member = build_networks(description).double()
    with torch.no_grad():
        for symbol, values in weights.items():
            for layer, (weight, bias) in zip(layers_of(member.atomics[symbol]), values, strict=True):
                layer.weight.copy_(weight)
                if layer.bias is not None:
                    layer.bias.copy_(bias)
    return scaled(member, scale)


def _require_no_pair_terms(metadata: Metadata) -> None:
    """Refuse a file whose energies have terms that training its networks would lose."""
    if metadata.pair_terms:
        raise ValueError(
            f"its energies hold the pair terms {', '.join(metadata.pair_terms)} besides the networks, and nnpal "
            "trains only networks: the trained model would lack them; start from a model without pair terms"
        )


def _require_same_energies(members: MemberNetworks, metadata: Metadata) -> None:
    """Refuse networks that do not reproduce the energies recorded in the file."""
    description, reference = members.description, metadata.reference
    nothing = torch.zeros(len(description.symbols), dtype=torch.float64)
    module = EnsembleModule(build_aev_computer(description), list(members.networks), nothing, 1.0).double()
    with torch.no_grad():
        energies = module(
            torch.tensor(reference.species),
            reference.n_local,
            torch.tensor(reference.edge_index),
            torch.tensor(reference.edge_vec, dtype=torch.float64),
        )
    expected = torch.tensor(reference.energies, dtype=torch.float64)
    error, largest = float((energies - expected).abs().max()), float(expected.abs().max())
    if not error <= _TOLERANCE * largest:
        raise ValueError(f"their energies differ by {error:.3g} eV from those of the file (largest {largest:.3g} eV)")


def _description(symbols: tuple[str, ...], terms: AEVTerms, members: Sequence[ANINetworks]) -> NetworkDescription:
    shapes, activations, biases = set(), set(), set()
    for member in members:
        networks = {symbol: network_of(member.atomics[symbol]) for symbol in symbols}
        layers = {symbol: layers_of(network) for symbol, network in networks.items()}
        shapes.add(tuple(tuple(layer.out_features for layer in layers[symbol][:-1]) for symbol in symbols))
        activations |= {activation_of(network.activation) for network in networks.values()}
        biases |= {layer.bias is not None for own in layers.values() for layer in own}
    for what, found in (("layers", shapes), ("activation functions", activations), ("use of biases", biases)):
        if len(found) != 1:
            raise ValueError(f"its networks differ in their {what}")
    activation, alpha = activations.pop()
    if activation == "celu" and alpha != _CELU_ALPHA:
        raise ValueError(f"its CELU has alpha {alpha}, expected {_CELU_ALPHA}")
    hidden = _hidden(dict(zip(symbols, shapes.pop(), strict=True)))
    return NetworkDescription(symbols, hidden, activation, biases.pop(), _aev(terms))


def _hidden(layers: dict[str, tuple[int, ...]]) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """Return one tuple if all elements have the same layers."""
    first = next(iter(layers.values()))
    return first if all(own == first for own in layers.values()) else layers


def _aev(terms: AEVTerms) -> AEVDescription:
    """Return the AEV's description: a published one if its parameters agree in single precision."""
    (radial_cutoff, radial_eta), (angular_cutoff, angular_eta, angular_zeta) = terms.radial, terms.angular
    found = AEVDescription(
        radial_cutoff=radial_cutoff,
        radial_eta=radial_eta,
        radial_shifts=tuple(terms.radial_shifts),
        angular_cutoff=angular_cutoff,
        angular_eta=angular_eta,
        angular_zeta=angular_zeta,
        angular_shifts=tuple(terms.angular_shifts),
        angular_sections=tuple(terms.angular_sections),
        cutoff_function=terms.cutoff_function,
    )
    return next((known for known in AEVS.values() if same_aev(known, found)), found)


def same_aev(one: AEVDescription, other: AEVDescription) -> bool:
    """Return whether two AEVs are equal in single precision, in which TorchANI stores them."""
    for name in AEVDescription.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        is_text = isinstance(a, str) or isinstance(b, str)
        if not (a == b if is_text else np.array_equal(np.float32(a), np.float32(b))):
            return False
    return True


def _columns(own: NetworkDescription, symbols: Sequence[str]) -> np.ndarray:
    """Return the indices, in the AEV of ``own``, of the terms of an AEV of ``symbols``."""
    before = [own.symbols.index(symbol) for symbol in symbols]
    old, new = build_aev_computer(own), build_aev_computer(replace(own, symbols=tuple(symbols), hidden=(1,)))
    n_radial, n_angular = int(old.radial.num_feats), int(old.angular.num_feats)
    pairs = np.empty(int(new.num_species_pairs), dtype=np.int64)
    for i in range(len(symbols)):
        for j in range(i, len(symbols)):
            pairs[_pair(new, i, j)] = _pair(old, before[i], before[j])
    radial = np.array(before)[:, None] * n_radial + np.arange(n_radial)
    angular = len(own.symbols) * n_radial + pairs[:, None] * n_angular + np.arange(n_angular)
    return np.concatenate((radial.ravel(), angular.ravel()))


def _pair(computer: AEVComputer, i: int, j: int) -> int:
    return int(computer.triu_index[i, j])


def _cut(member: ANINetworks, symbols: Sequence[str], columns: Tensor) -> ANINetworks:
    networks = {symbol: copy.deepcopy(network_of(member.atomics[symbol])) for symbol in symbols}
    for network in networks.values():
        first = layers_of(network)[0]
        first.weight = torch.nn.Parameter(first.weight.detach()[:, columns].contiguous())
        first.in_features = len(columns)
    return ANINetworks(networks)


def _trainable(member: ANINetworks) -> ANINetworks:
    return copy.deepcopy(member).cpu().double().train().requires_grad_(True)
