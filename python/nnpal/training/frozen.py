"""Layers that keep the weights that they start with."""

from __future__ import annotations

from torch import Tensor
from torchani.nn import ANINetworks


def freeze(network: ANINetworks, n_layers: int) -> None:
    """Let the first ``n_layers`` layers of each element's network learn nothing, and all others learn."""
    network.requires_grad_(True)
    for atomic in network.atomics.values():
        for layer in [*atomic.layers, atomic.final_layer][:n_layers]:
            layer.requires_grad_(False)


def trainable(network: ANINetworks) -> list[tuple[str, Tensor]]:
    """Return what learns, by name: what an optimizer gets, for it would decay the weights of frozen layers too."""
    return [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
