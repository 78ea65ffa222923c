"""Layers and activations of TorchANI's networks; other kinds are refused."""

from __future__ import annotations

import torch
from torchani.nn import ANINetworks, AtomicNetwork

from nnpal.model.celu import celu_alpha


def container_of(member: torch.nn.Module) -> ANINetworks:
    """Return ``member``.

    Raises:
        ValueError: it is not one network for each element.
    """
    if type(member) is not ANINetworks:
        raise ValueError(f"its networks are {type(member).__name__}, not ANINetworks")
    return member


def network_of(module: object) -> AtomicNetwork:
    """Return ``module``.

    Raises:
        ValueError: it is not a TorchANI network.
    """
    if type(module) is not AtomicNetwork:
        raise ValueError(f"its networks are {type(module).__name__}, not AtomicNetwork")
    return module


def layers_of(network: AtomicNetwork, n_outputs: int = 1) -> list[torch.nn.Linear]:
    """Return all layers of a network, the last one with ``n_outputs`` outputs.

    Raises:
        ValueError: a layer is not linear, or the last one has another number of outputs.
    """
    layers = [*network.layers, network.final_layer]
    if layers[-1].out_features != n_outputs or any(type(layer) is not torch.nn.Linear for layer in layers):
        raise ValueError(f"its networks are not of linear layers with {n_outputs} output(s) at the end")
    return layers


def activation_of(module: torch.nn.Module) -> tuple[str, float]:
    """Return ``gelu`` and 0, or ``celu`` and its α.

    Raises:
        ValueError: it is another function, or α is not positive.
    """
    if type(module) is torch.nn.GELU and module.approximate == "none":
        return "gelu", 0.0
    if (alpha := celu_alpha(module)) is not None:
        if not alpha > 0:
            raise ValueError(f"its activation function is CELU with alpha {alpha}, which is not positive")
        return "celu", alpha
    raise ValueError(f"its activation function is {module}, neither GELU nor CELU")
