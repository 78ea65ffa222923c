"""SchNet networks of a model file, from which training can start."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from nnpal.model.archive import LoadedModel
from nnpal.model.schnet.description import SchNetDescription
from nnpal.model.schnet.network import SchNet


@dataclass(frozen=True)
class SchNetMembers:
    """Networks of one ensemble.

    Attributes:
        description: description of all networks.
        networks: the members, eV, float64 on the CPU.
    """

    description: SchNetDescription
    networks: tuple[SchNet, ...]

    def of_elements(self, symbols: Sequence[str]) -> SchNetMembers:
        """Return the networks of some elements, in the given order; energies stay the same.

        Raises:
            ValueError: there is no embedding for an element.
        """
        own = self.description
        if lacking := [symbol for symbol in symbols if symbol not in own.symbols]:
            raise ValueError(f"there are embeddings for {list(own.symbols)}, none for {lacking}")
        if tuple(symbols) == own.symbols:
            return self
        rows = torch.tensor([own.symbols.index(symbol) for symbol in symbols])
        return SchNetMembers(
            replace(own, symbols=tuple(symbols)), tuple(_with_rows(network, rows) for network in self.networks)
        )


def schnet_networks(loaded: LoadedModel) -> SchNetMembers:
    """Return the members of a loaded model file, in the precision of the file.

    Raises:
        ValueError: its networks are of another kind, or of different sizes.
    """
    metadata = loaded.metadata
    if metadata.kind != SchNetDescription.kind or metadata.kernel != "modules":
        raise ValueError(f"its networks are of kind {metadata.kind!r}, expected 'schnet'")
    scale = float(loaded.module.energy_scale)
    found = [getattr(loaded.module.members, str(k)) for k in range(metadata.n_members)]
    networks = tuple(_rebuilt(member, len(metadata.elements), metadata.hops, scale) for member in found)
    descriptions = {network.description_of(metadata.elements) for network in networks}
    if len(descriptions) != 1:
        raise ValueError("its networks are of different sizes")
    return SchNetMembers(descriptions.pop(), networks)


@torch.no_grad()
def _rebuilt(member: Any, n_elements: int, n_interactions: int, scale: float) -> SchNet:
    """Return the network that was scripted."""
    symbols = tuple(f"{k}" for k in range(n_elements))  # placeholders: a network does not store names
    sizes = (int(member.n_features), n_interactions, int(member.n_gaussians), float(member.cutoff))
    network = SchNet(SchNetDescription(symbols, *sizes)).double()
    network.load_state_dict(member.state_dict())
    for parameter in network.head[2].parameters():
        parameter.mul_(scale)
    return network


@torch.no_grad()
def _with_rows(network: SchNet, rows: torch.Tensor) -> SchNet:
    chosen = copy.deepcopy(network)
    chosen.embedding.weight = torch.nn.Parameter(network.embedding.weight.detach()[rows].clone())
    chosen.embedding.num_embeddings = len(rows)
    return chosen
