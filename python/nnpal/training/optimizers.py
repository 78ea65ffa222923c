"""The optimizers of a member's weights and biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nnpal.model.networks import Network
from nnpal.training.frozen import trainable
from nnpal.training.settings import TrainingSettings
from nnpal.training.soap import SOAP, step_together

LEARNING_RATES = {"soap": 8e-3, "adamw": 1e-3}
WEIGHT_DECAYS = {"soap": 0.0, "adamw": 1e-2}


def learning_rate(settings: TrainingSettings) -> float:
    """Return the largest learning rate of the weights: the given one, or the optimizer's default."""
    return LEARNING_RATES[settings.optimizer] if settings.learning_rate is None else settings.learning_rate


def build_optimizers(
    network: Network, settings: TrainingSettings, replaced: Mapping[Tensor, Tensor] | None = None
) -> list[torch.optim.Optimizer]:
    """Return the optimizer of all trainable parameters, or one for the weights and SGD for the biases.

    Arguments:
        network: network of a member.
        settings: settings of the training.
        replaced: parameter -> the parameter updated instead of it, see :mod:`nnpal.training.scaling`.
    """
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for name, parameter in trainable(network):
        apart = settings.bias_optimizer == "sgd" and name.endswith("bias")
        (biases if apart else weights).append((replaced or {}).get(parameter, parameter))
    optimizers = [_of_weights(weights, settings)]
    if biases:
        optimizers.append(torch.optim.SGD(biases, lr=settings.bias_learning_rate, fused=True))
    return optimizers


def _of_weights(weights: list[Tensor], settings: TrainingSettings) -> torch.optim.Optimizer:
    decay = WEIGHT_DECAYS[settings.optimizer] if settings.weight_decay is None else settings.weight_decay
    rate = learning_rate(settings)
    if settings.optimizer == "soap":
        return SOAP(weights, rate, weight_decay=decay)
    return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True)  # fused: one or two kernels per update


def step_all(optimizers: Sequence[Sequence[torch.optim.Optimizer]]) -> None:
    """Update the parameters of several members by their gradients, and clear the gradients.

    Arguments:
        optimizers: optimizers of each member, with the same settings.
    """
    for of_members in zip(*optimizers, strict=True):
        soaps = [optimizer for optimizer in of_members if isinstance(optimizer, SOAP)]
        step_together(soaps)
        for optimizer in of_members:
            if not isinstance(optimizer, SOAP):
                optimizer.step()
            optimizer.zero_grad()
