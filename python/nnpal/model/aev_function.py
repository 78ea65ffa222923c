"""AEVs of graphs and their derivatives, from nnpal's compiled operations."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torchani.aev import AEVComputer

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.build import build_aev_computer
from nnpal.model.description import NetworkDescription
from nnpal.model.ops import load_ops
from nnpal.model.terms import AEVTerms, aev_terms
from nnpal.model.torchani_module import EnsembleModule


@dataclass(frozen=True)
class AEVFunction:
    """AEV function of a network description; edges may be in any order.

    On a GPU for which the operations were not compiled, TorchANI's own terms are used instead, with one warning.
    """

    computer: AEVComputer
    terms: AEVTerms

    @staticmethod
    def of(description: NetworkDescription) -> AEVFunction:
        """Return the AEV function of a description."""
        load_ops()
        computer = build_aev_computer(description)
        return AEVFunction(computer, aev_terms(computer))

    def __call__(self, graph: Graph) -> Tensor:
        """Return AEVs of the centers, [n_local, n_features], in the precision and on the device of ``edge_vec``.

        The result is twice differentiable with respect to ``edge_vec``.
        """
        if not _is_compiled_for(graph.edge_vec.device.type):
            return self._reference(graph).aev(graph.species, graph.n_local, *_sorted(graph))
        return torch.ops.nnpal.aev(*_arguments(graph), *self.terms)

    def vjp(self, gradient: Tensor, graph: Graph) -> Tensor:
        """Return Jᵀ G, ∂E/∂edge_vec [n_edges, 3] for G = ∂E/∂AEV [n_local, n_features]; differentiable in G.

        If ``edge_vec`` requires a gradient, it is differentiable in that too, at the cost of second derivatives.
        """
        if not _is_compiled_for(graph.edge_vec.device.type):
            edge_vec = graph.edge_vec.detach().requires_grad_(True)
            aev = self(Graph(graph.species, graph.n_local, graph.edge_index, edge_vec))
            return torch.autograd.grad(aev, edge_vec, gradient, create_graph=torch.is_grad_enabled())[0]
        return torch.ops.nnpal.aev_vjp(gradient, *_arguments(graph), *self.terms)

    def jacobian(self, graph: Graph) -> Tensor:
        """Return ∂AEV(center)/∂edge_vec of every edge, [n_edges, n_features, 3], 1/Å."""
        return torch.ops.nnpal.aev_jacobian(*_arguments(graph), *self.terms)

    def _reference(self, graph: Graph) -> EnsembleModule:
        module = EnsembleModule(self.computer, [], torch.zeros(self.terms.n_elements), 1.0)
        return module.to(graph.edge_vec.device, graph.edge_vec.dtype)


def _arguments(graph: Graph) -> tuple[Tensor, int, Tensor, Tensor]:
    return graph.species, graph.n_local, graph.edge_index, graph.edge_vec


def _sorted(graph: Graph) -> tuple[Tensor, Tensor]:
    order = torch.argsort(graph.edge_index[0], stable=True)
    return graph.edge_index[:, order], graph.edge_vec[order]


@functools.cache
def _is_compiled_for(device: str) -> bool:
    found = device in torch.ops.nnpal.devices()
    if not found:
        warnings.warn(
            f"nnpal's operations were not compiled for {device}: TorchANI's terms are used, several times slower; "
            "install nnpal where nvcc is found",
            stacklevel=2,
        )
    return found
