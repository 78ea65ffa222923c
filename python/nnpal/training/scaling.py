"""Updates of a first layer as if its input AEVs were scaled.

A network sees x; its first layer is W x + b. With a fixed map y = (x - μ) A, the same layer is V y + c, where

| symbol | variable                                                                       |
|--------|--------------------------------------------------------------------------------|
| μ      | ``mean`` of an element's AEVs, [n_features]                                     |
| A      | ``map``: 1/(standard deviations), [n_features], or C^(-1/2), [n_features, n_features] |
| V, c   | ``weight``, ``bias``, updated by the optimizer                                  |

and W = V Aᵀ, b = c - W μ. Evaluation and export use only W and b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchani.nn import ANINetworks

from nnpal.training.features import AEVFeatures

CHUNK = 64
"""Number of configurations whose AEVs are processed together."""
FLOOR = {"standardize": 1e-3, "whiten": 1e-4}
"""Smallest standard deviation, or eigenvalue of C, relative to the largest; it limits the amplification."""


@dataclass(frozen=True)
class ElementScaling:
    """Mean μ and map A of one element, in float64."""

    mean: Tensor
    map: Tensor


def aev_scaling(
    features: AEVFeatures, indices: np.ndarray, symbols: tuple[str, ...], kind: str
) -> dict[str, ElementScaling]:
    """Return the scaling of each element that occurs in the selected configurations.

    Arguments:
        features: features of all configurations.
        indices: training configurations of a member.
        symbols: symbol of each element index.
        kind: ``standardize`` or ``whiten``.
    """
    numbers = np.zeros(len(symbols))
    means: dict[int, Tensor] = {}
    seconds: dict[int, Tensor] = {}
    for start in range(0, len(indices), CHUNK):
        batch = features.batch(indices[start : start + CHUNK])
        aevs = batch.aev.detach().cpu().double()
        for element in batch.species.unique().tolist():
            own = aevs[batch.species == element]
            numbers[element] += len(own)
            total, second = own.sum(0), own.T @ own
            means[element] = means[element] + total if element in means else total
            seconds[element] = seconds[element] + second if element in seconds else second
    return {
        symbols[element]: _of_moments(total / numbers[element], seconds[element] / numbers[element], kind)
        for element, total in means.items()
    }


def _of_moments(mean: Tensor, second: Tensor, kind: str) -> ElementScaling:
    covariance = second - torch.outer(mean, mean)
    if kind == "standardize":
        deviation = covariance.diagonal().clamp(min=0.0).sqrt()
        return ElementScaling(mean, 1.0 / deviation.clamp(min=FLOOR[kind] * float(deviation.max()) or 1.0))
    values, vectors = torch.linalg.eigh(covariance)
    return ElementScaling(mean, (vectors / values.clamp(min=FLOOR[kind] * float(values[-1]) or 1.0).sqrt()) @ vectors.T)


class ScaledLayers:
    """The first layers of a network, and the parameters that an optimizer updates instead of theirs.

    Arguments:
        network: network whose first layers are scaled, except frozen ones.
        scaling: scaling of each element; layers of other elements are not scaled.
        is_random: whether the layers have random weights, which are taken as V and c; otherwise they are W and b.
    """

    def __init__(self, network: ANINetworks, scaling: Mapping[str, ElementScaling], *, is_random: bool) -> None:
        self._layers: list[tuple[torch.nn.Linear, Tensor, Tensor]] = []
        self.parameters: dict[Tensor, torch.nn.Parameter] = {}
        for symbol, own in scaling.items():
            layer = network.atomics[symbol].layers[0]
            if not layer.weight.requires_grad:
                continue
            like = layer.weight
            mean = own.mean.to(like) if layer.bias is not None else torch.zeros_like(own.mean).to(like)
            factor = own.map.to(like)
            self._layers.append((layer, mean, factor))
            weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
            if not is_random:
                bias = None if bias is None else bias + weight @ mean
                weight = (_unmapped(weight.double(), own.map.to(weight.device))).to(like)
            self.parameters[layer.weight] = torch.nn.Parameter(weight.clone())
            if bias is not None:
                self.parameters[layer.bias] = torch.nn.Parameter(bias.clone())
        self.write()

    def take_gradients(self) -> None:
        """Convert the layers' gradients to those of the parameters that the optimizer updates."""
        for layer, mean, factor in self._layers:
            if layer.weight.grad is None:
                continue
            gradient = layer.weight.grad
            if layer.bias is not None and layer.bias.grad is not None:
                gradient = gradient - torch.outer(layer.bias.grad, mean)
                self.parameters[layer.bias].grad, layer.bias.grad = layer.bias.grad, None
            self.parameters[layer.weight].grad, layer.weight.grad = _mapped(gradient, factor), None

    @torch.no_grad()
    def write(self) -> None:
        """Compute the layers' weights W and biases b."""
        for layer, mean, factor in self._layers:
            layer.weight.copy_(_mapped(self.parameters[layer.weight], factor))
            if layer.bias is not None:
                layer.bias.copy_(self.parameters[layer.bias] - layer.weight @ mean)

    def state_dict(self) -> list[Tensor]:
        """Return the parameters that the optimizer updates."""
        return [parameter.detach() for parameter in self.parameters.values()]

    @torch.no_grad()
    def load_state_dict(self, state: list[Tensor]) -> None:
        """Restore ``state``."""
        for parameter, value in zip(self.parameters.values(), state, strict=True):
            parameter.copy_(value)


def _mapped(weight: Tensor, factor: Tensor) -> Tensor:
    """Return X A; A is symmetric or diagonal."""
    return weight * factor if factor.dim() == 1 else weight @ factor


def _unmapped(weight: Tensor, factor: Tensor) -> Tensor:
    """Return X A⁻¹."""
    return weight / factor if factor.dim() == 1 else torch.linalg.solve(factor, weight, left=False)
