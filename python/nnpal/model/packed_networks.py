"""Pack weights of networks into one array, as nnpal's operations and its core read them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nnpal.model.layers import activation_of, container_of, layers_of, network_of


def packed(
    members: Sequence[torch.nn.Module], output: int = 0, n_outputs: int = 1
) -> tuple[Tensor, list[int], str, float]:
    """Return the weights in one block, the layers of each element, the activation and its α.

    Of networks with several outputs, the block contains only the one with index ``output``.

    Raises:
        ValueError: the fused kernel does not support the networks.
    """
    containers = [container_of(member) for member in members]
    layers: list[int] = []
    blocks: list[Tensor] = []
    activations = set()
    for symbol in containers[0].symbols:
        networks = [network_of(container.atomics[symbol]) for container in containers]
        of_networks = [layers_of(network, n_outputs) for network in networks]
        outputs = [[*(layer.out_features for layer in own[:-1]), 1] for own in of_networks]
        if any(own != outputs[0] for own in outputs):
            raise ValueError("its members have networks of different layers")
        layers += [len(outputs[0]), *outputs[0]]
        activations |= {activation_of(network.activation) for network in networks}
        for own in of_networks:
            for layer in own:
                bias = layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
                rows = slice(output, output + 1) if layer is own[-1] else slice(None)
                blocks += [layer.weight.detach()[rows].reshape(-1), bias.detach()[rows]]
    if len(activations) != 1:
        raise ValueError("its networks have different activation functions")
    activation, alpha = activations.pop()
    return torch.cat(blocks), layers, activation, alpha
