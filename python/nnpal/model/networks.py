"""Build member networks of every type that nnpal trains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Literal, TypeAlias, TypeVar

from torchani.nn import ANINetworks

from nnpal.model.build import build_member, build_networks
from nnpal.model.description import Description, NetworkDescription
from nnpal.model.schnet import SchNet, SchNetDescription, build_schnet

Network: TypeAlias = ANINetworks | SchNet
"""Network of one member, in eV."""
Kind = TypeVar("Kind", ANINetworks, SchNet)


def build_network(
    description: Description, seed: int, initialization: Literal["kaiming", "uniform"] = "uniform"
) -> Network:
    """Return one ensemble member with random weights, the same for the same seed.

    Arguments:
        description: elements and layers.
        seed: random seed of the weights.
        initialization: for ANI networks, see :func:`nnpal.model.build.build_member`; SchNet has its own.
    """
    if isinstance(description, SchNetDescription):
        return build_schnet(description, seed)
    return build_member(description, seed, initialization)


def empty_network(description: Description) -> Network:
    """Return one ensemble member with uninitialized weights."""
    return SchNet(description) if isinstance(description, SchNetDescription) else build_networks(description)


def all_of(kind: type[Kind], networks: Iterable[Network]) -> list[Kind]:
    """Return the networks as a list, after checking that all are of one class.

    Raises:
        TypeError: one is not.
    """
    found = []
    for network in networks:
        if not isinstance(network, kind):
            raise TypeError(f"a network is {type(network).__name__}, expected {kind.__name__}")
        found.append(network)
    return found


def description_json(description: Description) -> dict[str, Any]:
    """Return a description as JSON data; ANI's has no ``kind``, as in versions without other network types."""
    kind = {} if isinstance(description, NetworkDescription) else {"kind": description.kind}
    return kind | asdict(description)


def edge_cutoff(description: Description) -> float:
    """Return the distance within which atoms are neighbors, Å."""
    return description.cutoff if isinstance(description, SchNetDescription) else description.aev.radial_cutoff
