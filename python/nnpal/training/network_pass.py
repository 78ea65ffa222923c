"""Atomic energies, their gradients in the AEVs, and the derivatives of both in the weights, by explicit formulas.

Training on forces differentiates E and G = ∂E/∂x in the weights. With e = ∂L/∂E of each atom and t = ∂L/∂G, that
derivative is the gradient of Σ (e E + t·G), whose second part is the derivative of E along t. So x and t are propagated
forward together, followed by one backward pass. For layers z = W h + b, h = a(z), E = w·h + c:

| step              | formulas, layer by layer                                | product with  |
|-------------------|---------------------------------------------------------|---------------|
| values, up        | z = W h⁻ + b, h = a(z), s = a'(z), k = a''(z)           | W             |
| G, down           | p = w or W⁺ᵀ q⁺, q = s p, k ← k p                       | Wᵀ            |
| along t, up       | u = W ḣ⁻, ḣ = s u, k ← k u; ḣ = t below the first       | W             |
| derivatives, down | μ = e w or W⁺ᵀ ρ⁺, ρ = s μ + k                          | Wᵀ            |
|                   | ∂W = ρ h⁻ᵀ + q ḣ⁻ᵀ, ∂b = Σ ρ, ∂w = Σ (e h + ḣ), ∂c = Σ e | h⁻, ḣ⁻        |

The adjoint of ḣ is p, so it needs no backward pass of its own. torch's double backward has the same products, but
several times as many elementwise passes between them. One network on a CPU is evaluated by nnpal's compiled operations
(src/ops/training/network_pass.cpp), everything else here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nnpal.model.celu import celu_alpha
from nnpal.model.ops import has_ops


@dataclass(frozen=True)
class Activation:
    """An activation function with known first and second derivatives.

    Attributes:
        name: ``gelu`` (the exact form, with erf) or ``celu``.
        alpha: parameter α of CELU.
    """

    name: str
    alpha: float = 1.0

    @staticmethod
    def of(module: torch.nn.Module) -> Activation | None:
        """Return the activation function for ``module``, or None if its derivatives are not implemented here."""
        if type(module) is torch.nn.GELU and module.approximate == "none":
            return Activation("gelu")
        alpha = celu_alpha(module)
        return None if alpha is None else Activation("celu", alpha)


@dataclass(frozen=True)
class Values:
    """Networks evaluated on rows of features.

    Attributes:
        energies: energy of each row, eV, [n_rows] or [n_networks, n_rows].
        gradients: ∂E/∂x, [n_rows, n_features] or [n_networks, n_rows, n_features].
        kept: what :meth:`Network.add_derivatives` needs: h of each hidden layer, then s, q and k p of each.
    """

    energies: Tensor
    gradients: Tensor
    kept: list[Tensor]


@dataclass(frozen=True)
class Network:
    """Layers of one network, or of several side by side.

    Attributes:
        weights: weights of each layer, [n_out, n_in] or [n_networks, n_out, n_in]; the last one has one output.
        biases: biases of each layer, [n_out] or [n_networks, n_out], or None.
        activation: activation function after each layer but the last.
    """

    weights: list[Tensor]
    biases: list[Tensor | None]
    activation: Activation

    def evaluate(self, features: Tensor, *, training: bool) -> Values:
        """Return energies and gradients of rows, and with ``training`` what :meth:`add_derivatives` needs.

        Arguments:
            features: AEVs, [n_rows, n_features], or each network's own rows, [n_networks, n_rows, n_features].
            training: whether :meth:`add_derivatives` will be called.
        """
        with torch.no_grad():
            if self._is_compiled(features):
                name, alpha = self.activation.name, self.activation.alpha
                energies, gradients, *kept = torch.ops.nnpal.network_values(
                    features, self.weights, self.biases, name, alpha, training
                )
                return Values(energies, gradients, kept)
            return _values(self, features, curved=training)

    def add_derivatives(
        self, features: Tensor, kept: list[Tensor], seeds: Tensor, directions: Tensor, sums: list[Tensor | None]
    ) -> None:
        """Add the gradient of Σ (seeds E + directions·∂E/∂x) in each parameter to ``sums``; call it once per ``kept``.

        Arguments:
            features: the features that were evaluated.
            kept: ``kept`` from :meth:`evaluate` with ``training``; it is overwritten.
            seeds: derivative of the loss in each energy, e above.
            directions: derivative of the loss in each gradient, t above.
            sums: tensor for each layer's weight and bias in turn, of the same shape; None without a bias.
        """
        directions = directions.contiguous()
        with torch.no_grad():
            if self._is_compiled(features):
                torch.ops.nnpal.add_network_derivatives(
                    features, self.weights, self.biases, kept, seeds, directions, sums[0::2], sums[1::2]
                )
                return
            for total, own in zip(sums, _derivatives(self, features, kept, seeds, directions), strict=True):
                if total is not None:
                    total += own

    def parameters(self) -> list[Tensor | None]:
        """Return each layer's weight and bias in turn."""
        return [each for pair in zip(self.weights, self.biases, strict=True) for each in pair]

    @staticmethod
    def _is_compiled(features: Tensor) -> bool:
        return features.dim() == 2 and features.device.type == "cpu" and has_ops()


def energies_and_gradients(features: Tensor, network: Network, *, training: bool) -> tuple[Tensor, Tensor]:
    """Return energies and gradients of rows; with ``training``, differentiable once in the parameters by autograd."""
    if training:
        found: tuple[Tensor, Tensor] = _Pass.apply(features.detach(), network, *network.parameters())
        return found
    values = network.evaluate(features, training=False)
    return values.energies, values.gradients


class _Pass(torch.autograd.Function):
    """:func:`energies_and_gradients`, differentiable once in weights and biases."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, network: Network, *parameters: Tensor | None) -> tuple[Tensor, Tensor]:
        values = network.evaluate(features, training=True)
        ctx.network, ctx.kept = network, values.kept  # storing the results would make a reference cycle
        ctx.save_for_backward(features, *parameters)  # detects parameters that were changed in place
        return values.energies, values.gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, seeds: Tensor, directions: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("the energies of a network were differentiated before; evaluate it anew to repeat it")
        features, *parameters = ctx.saved_tensors
        sums = [None if own is None else torch.zeros_like(own) for own in parameters]
        kept, ctx.kept = ctx.kept, None
        ctx.network.add_derivatives(features, kept, seeds, directions, sums)
        return None, None, *sums


def _values(network: Network, features: Tensor, *, curved: bool) -> Values:
    hidden, slopes, curvatures = [features], [], []
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = _product(hidden[-1], weight.mT)
        slope, curvature = _activate(z, bias, network.activation, curved)
        hidden.append(z)
        slopes.append(slope)
        curvatures.append(curvature)
    last, shift = network.weights[-1], network.biases[-1]
    energies = _product(hidden[-1], last.mT)[..., 0]
    if shift is not None:
        energies = energies + shift
    gradients, deltas = last.expand_as(hidden[-1]).contiguous(), []
    for weight, slope, curvature in zip(network.weights[-2::-1], slopes[::-1], curvatures[::-1], strict=True):
        if curved:
            curvature *= gradients
        gradients *= slope
        deltas.append(gradients)
        gradients = _product(gradients, weight)
    return Values(energies, gradients, [*hidden[1:], *slopes, *deltas[::-1], *curvatures])


def _derivatives(
    network: Network, features: Tensor, kept: list[Tensor], seeds: Tensor, directions: Tensor
) -> list[Tensor]:
    n_hidden = len(network.weights) - 1
    hidden, slopes, deltas, curvatures = (kept[k * n_hidden : (k + 1) * n_hidden] for k in range(4))
    inputs, tangents = [features, *hidden], [directions]
    for weight, slope, curvature in zip(network.weights[:-1], slopes, curvatures, strict=True):
        tangent = _product(tangents[-1], weight.mT)
        curvature *= tangent
        tangents.append(tangent.mul_(slope))
    column = seeds.unsqueeze(-1)
    found = [_product(column.mT, inputs[-1]) + tangents[-1].sum(-2, keepdim=True), seeds.sum(-1, keepdim=True)]
    moment = column * network.weights[-1]
    for layer in reversed(range(n_hidden)):
        moment = torch.addcmul(curvatures[layer], moment, slopes[layer])
        of_weight = _product(moment.mT, inputs[layer]) + _product(deltas[layer].mT, tangents[layer])
        found[:0] = of_weight, moment.sum(-2)
        moment = _product(moment, network.weights[layer])
    return found


def _product(one: Tensor, other: Tensor) -> Tensor:
    return torch.mm(one, other) if one.dim() == 2 else torch.bmm(one, other)


def _activate(z: Tensor, bias: Tensor | None, activation: Activation, curved: bool) -> tuple[Tensor, Tensor]:
    """Turn ``z`` into a(z + bias) in place; return a' and, where ``curved``, a''."""
    if bias is not None:
        z += bias.unsqueeze(-2)
    if activation.name == "gelu":
        density = (z * z).mul_(-0.5).exp_().mul_((2 * torch.pi) ** -0.5)
        integral = (z * -(0.5**0.5)).erfc_().mul_(0.5)
        slope = torch.addcmul(integral, z, density)
        curvature = density.mul_(2.0 - z * z) if curved else density
        z *= integral
        return slope, curvature
    slope = (z.clamp(max=0.0) / activation.alpha).exp_()
    curvature = (slope / activation.alpha).masked_fill_(z > 0, 0.0)
    z.clamp_(min=0.0).add_(slope - 1.0, alpha=activation.alpha)
    return slope, curvature
