"""Build SchNet networks with random weights."""

from __future__ import annotations

import torch

from nnpal.model.schnet.description import SchNetDescription
from nnpal.model.schnet.network import SchNet


@torch.no_grad()
def build_schnet(description: SchNetDescription, seed: int) -> SchNet:
    """Return one ensemble member with random weights, float32 on the CPU.

    The embedding is standard normal; weights are uniform within ±√(6 / (n_inputs + n_outputs)), biases 0 (Glorot and
    Bengio, https://proceedings.mlr.press/v9/glorot10a.html), as in other implementations of SchNet. The random
    generator is local to the call, so members can be built in several threads.

    Arguments:
        description: elements and hyperparameters.
        seed: random seed of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    network = SchNet(description)
    network.embedding.weight.normal_(generator=generator)
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
    return network
