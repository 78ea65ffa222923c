"""Layers that keep the weights that they start with."""

from __future__ import annotations

from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.model.networks import Network


def freeze(network: Network, n_layers: int) -> None:
    """Let the first ``n_layers`` layers of each element's network learn nothing, and all others learn.

    Raises:
        TypeError: layers of a network that has none for each element.
    """
    network.requires_grad_(True)
    if n_layers == 0:
        return
    if not isinstance(network, ANINetworks):
        raise TypeError(f"layers of {type(network).__name__} cannot be frozen")
    for atomic in network.atomics.values():
        for layer in [*atomic.layers, atomic.final_layer][:n_layers]:
            layer.requires_grad_(False)


def trainable(network: Network) -> list[tuple[str, Tensor]]:
    """Return the trainable parameters by name, for the optimizer, which would also decay the weights of frozen
    layers."""
    return [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
