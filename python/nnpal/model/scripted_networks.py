"""Read weights and AEV from the scripted module of a model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nnpal.model.metadata import Metadata
from nnpal.model.terms import AEVTerms

_CUTOFF_FUNCTIONS = {"CutoffCosine": "cosine", "CutoffSmooth": "smooth"}
Layers = list[tuple[Tensor, Tensor]]
"""Weight and bias of each layer; zeros for a missing bias."""


@dataclass(frozen=True)
class ScriptedNetworks:
    """Networks and AEV of a model file.

    Attributes:
        terms: parameters of the AEV.
        members: layers of each member, by element, in the file's precision.
        activation, alpha: ``gelu`` or ``celu``, and α of the latter.
        energy_scale: eV per unit of the networks' output.
    """

    terms: AEVTerms
    members: list[dict[str, Layers]]
    activation: str
    alpha: float
    energy_scale: float


def scripted_networks(module: torch.jit.ScriptModule, metadata: Metadata) -> ScriptedNetworks:
    """Return the networks of a model file's module.

    Raises:
        ValueError, AttributeError, KeyError, RuntimeError: nnpal does not write such modules from ANI's standard terms
            and networks.
    """
    if metadata.kernel == "fused":
        return _fused(module, metadata)
    if metadata.kernel == "torchani":
        return _torchani(module, metadata)
    raise ValueError("expected a file with kernel 'fused' or 'torchani'")


def _fused(module: Any, metadata: Metadata) -> ScriptedNetworks:
    """Unpack the weights of :class:`nnpal.model.fused_module.FusedModule`."""
    terms = AEVTerms(
        module.n_elements,
        module.radial,
        module.radial_shifts,
        module.angular,
        module.angular_shifts,
        module.angular_sections,
        module.cutoff_function,
    )
    members: list[dict[str, Layers]] = [{} for _ in range(module.n_members)]
    block, counts = module.weights.detach(), list(module.layers)
    start = 0
    for symbol in metadata.elements:
        outputs, counts = counts[1 : 1 + counts[0]], counts[1 + counts[0] :]
        for member in members:
            layers: Layers = []
            for n_in, n_out in zip((terms.n_features, *outputs), outputs, strict=False):
                bias = start + n_in * n_out
                layers.append((block[start:bias].view(n_out, n_in), block[bias : bias + n_out]))
                start = bias + n_out
            member[symbol] = layers
    if start != len(block) or counts:
        raise ValueError(f"there are {len(block)} weights, expected {start} by the sizes of the layers")
    return ScriptedNetworks(terms, members, module.activation, module.alpha, module.energy_scale)


def _torchani(module: Any, metadata: Metadata) -> ScriptedNetworks:
    """Read TorchANI's own modules from :class:`nnpal.model.torchani_module.EnsembleModule`."""
    kinds = {child.original_name for child in (module.radial, module.angular)}
    if kinds != {"ANIRadial", "ANIAngular"}:
        raise ValueError(f"its terms are {', '.join(sorted(kinds))}, expected ANIRadial and ANIAngular")
    state = module.state_dict()
    numbers = {name: state[name].double().tolist() for name in state if name.startswith(("radial.", "angular."))}
    terms = AEVTerms(
        n_elements=module.n_species,
        radial=[float(module.radial.cutoff), *numbers["radial.eta"]],
        radial_shifts=numbers["radial.shifts"],
        angular=[float(module.angular.cutoff), *numbers["angular.eta"], *numbers["angular.zeta"]],
        angular_shifts=numbers["angular.shifts"],
        angular_sections=numbers["angular.sections"],
        cutoff_function=_CUTOFF_FUNCTIONS[module.radial.cutoff_fn.original_name],
    )
    atomics = [getattr(module.members, str(k)).atomics for k in range(metadata.n_members)]
    networks = [{symbol: getattr(own, symbol) for symbol in metadata.elements} for own in atomics]
    activations = {_activation(network.activation) for member in networks for network in member.values()}
    if len(activations) != 1:
        raise ValueError("its networks have different activation functions")
    members = [{symbol: _layers(network) for symbol, network in member.items()} for member in networks]
    return ScriptedNetworks(terms, members, *activations.pop(), float(module.energy_scale))


def _layers(network: Any) -> Layers:
    state = network.state_dict()
    n_layers = sum(name.startswith("layers.") and name.endswith(".weight") for name in state)
    names = [*(f"layers.{k}" for k in range(n_layers)), "final_layer"]
    known = {f"{name}.{part}" for name in names for part in ("weight", "bias")}
    if unknown := sorted(set(state) - known):
        raise ValueError(f"its networks hold {unknown[0]}, expected weights and biases of linear layers")
    weights = [state[f"{name}.weight"].detach() for name in names]
    return [
        (weight, state.get(f"{name}.bias", weight.new_zeros(len(weight))))
        for name, weight in zip(names, weights, strict=True)
    ]


def _activation(module: Any) -> tuple[str, float]:
    name = module.original_name
    if name == "GELU" and module.approximate == "none":
        return "gelu", 0.0
    if name in ("CELU", "ExactCELU", "TightCELU"):
        return "celu", 0.1 if name == "TightCELU" else float(module.alpha)
    raise ValueError(f"its activation function is {name}, neither GELU nor CELU")
