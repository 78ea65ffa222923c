"""Trace a member's energies and gradient to a graph of tensor operations, for any number of atoms and edges."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from nnpal.model.compiled.record import SMALLEST
from nnpal.model.metadata import ReferenceConfiguration

Program = Callable[[list[Tensor], Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
MOST = 2**31 - 1


def member_program(module: torch.nn.Module, names: Sequence[str], scale: float) -> Program:
    """Return ``(weights, species, n_local, edge_index, edge_vec) -> (energies [n_atoms], gradient [n_edges, 3])``.

    All atoms are evaluated as centers, and energies from ``n_local`` on are set to 0. ``n_local`` is a tensor, because
    an int would become a constant of the program.

    Arguments:
        module: member that satisfies the model contract.
        names: names of its parameters and buffers, in the order of ``weights``.
        scale: eV per unit of its energies.
    """

    def both(
        weights: list[Tensor], species: Tensor, n_local: Tensor, edge_index: Tensor, edge_vec: Tensor
    ) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            vectors = edge_vec.detach().requires_grad_(True)
            n_atoms = species.shape[0]
            inputs = (species, n_atoms, edge_index, vectors)
            energies = functional_call(module, dict(zip(names, weights, strict=True)), inputs) * scale
            is_center = torch.arange(n_atoms, device=species.device) < n_local
            energies = torch.where(is_center, energies, torch.zeros_like(energies))
            (gradient,) = torch.autograd.grad(energies.sum(), vectors, materialize_grads=True)
        return energies.detach(), gradient

    return both


def export_program(program: Program, weights: list[Tensor], reference: ReferenceConfiguration) -> ExportedProgram:
    """Export the program for any number of atoms and edges from :data:`SMALLEST` up.

    torch.export alone fails on a forward pass with a differentiation in it (torch 2.13: a fake tensor in the exported
    program's constants); make_fx turns it into an ordinary graph first.

    Raises:
        Exception: whatever torch raises on a module that it cannot trace.
    """
    example = _example(reference, weights)
    atoms, edges = Dim("n_atoms", min=SMALLEST, max=MOST), Dim("n_edges", min=SMALLEST, max=MOST)
    shapes = ([None] * len(weights), {0: atoms}, None, {1: edges}, {0: edges})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own warnings
        graph = make_fx(program, tracing_mode="symbolic", _allow_non_fake_inputs=True)(weights, *example)
        return torch.export.export(graph, (weights, *example), dynamic_shapes=shapes, strict=False)


def _example(reference: ReferenceConfiguration, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return enough copies of the reference configuration that no two sizes of different meaning are equal.

    A tracer would treat equal sizes as the same.
    """
    dtype = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
    species, edge_index = torch.tensor(reference.species), torch.tensor(reference.edge_index)
    edge_vec = torch.tensor(reference.edge_vec, dtype=dtype)
    n_atoms, n_edges = len(species), edge_index.shape[1]
    taken = {size for weight in weights for size in weight.shape} | {3}
    n = next(n for n in range(2, MOST) if not {n * n_atoms, n * n_edges} & taken)
    shifts = n_atoms * torch.arange(n).repeat_interleave(n_edges)
    return species.repeat(n), torch.tensor(n * n_atoms - 1), edge_index.repeat(1, n) + shifts, edge_vec.repeat(n, 1)
