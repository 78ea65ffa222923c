"""Layers whose weights are not trained."""

from __future__ import annotations

from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.model.networks import Network


def freeze(network: Network, n_layers: int) -> None:
    """Freeze the first ``n_layers`` layers of each element's network, and make all others trainable.

    Raises:
        TypeError: the network has no layers for each element.
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
    """Return the trainable parameters and their names. The optimizer gets only these, or it would apply weight decay
    to frozen layers."""
    return [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
