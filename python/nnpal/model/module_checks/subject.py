"""A member under check: its energies and gradients, and the error if two results differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph

LEAST_SCALE = 1e-3
"""Smallest scale of a comparison, eV or eV/Å: intermediate values may be of order 1 for a result near 0."""

Forward = Callable[[Tensor, int, Tensor, Tensor], Tensor]
"""The contract's method; see :meth:`nnpal.model.member_modules.MemberModules.forward`."""


class ModuleCheckError(ValueError):
    """A module that violates the contract; the message gives the check, the numbers and the usual causes."""


@dataclass
class Subject:
    """A member in one precision.

    Attributes:
        name: name of the member in errors.
        forward: ``forward`` of the member, with energies in eV.
        dtype: precision of the evaluation.
        elements: chemical symbols.
        cutoff: cutoff of the edges, Å.
        hops: declared number of message-passing steps.
        figures: largest difference in each check, relative to the largest value compared.
    """

    name: str
    forward: Forward
    dtype: torch.dtype
    elements: tuple[str, ...]
    cutoff: float
    hops: int
    figures: dict[str, float] = field(default_factory=dict)

    def energies(self, graph: Graph) -> Tensor:
        """Return the energies of the centers, eV, float64 [n_local]."""
        with torch.no_grad():
            return self._answer(graph, graph.edge_vec.to(self.dtype, copy=True)).double()

    def gradient(self, graph: Graph, centers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return energies and the gradient of their sum over ``centers`` (by default all) in the edge vectors.

        Returns:
            Energies, eV, float64 [n_local], and gradient, eV/Å, float64 [n_edges, 3].
        """
        edge_vec = graph.edge_vec.detach().to(self.dtype, copy=True).requires_grad_(True)
        energies = self._answer(graph, edge_vec)
        chosen = energies if centers is None else energies[centers]
        if not chosen.requires_grad:
            self.fail(
                "derivative",
                "autograd finds no way from the energies back to edge_vec",
                "detach(), .data, .item() or torch.no_grad() on the way, or a weight times nothing",
            )
        try:
            (gradient,) = torch.autograd.grad(chosen.sum(), edge_vec, materialize_grads=True)
        except RuntimeError as error:
            self.fail("derivative", f"its backward pass raises {_said(error)}", "in-place changes of its own results")
        return energies.detach().double(), gradient.double()

    def _answer(self, graph: Graph, edge_vec: Tensor) -> Tensor:
        where = (
            f"for {len(graph.species)} atoms, {graph.n_local} of them centers, and {len(edge_vec)} edges in "
            f"{str(self.dtype).removeprefix('torch.')}"
        )
        species, edge_index, vectors = graph.species.clone(), graph.edge_index.clone(), edge_vec.detach().clone()
        try:
            # Not a clone, which is no leaf and would hide in-place changes that reach the next member
            found = self.forward(species, graph.n_local, edge_index, edge_vec)
        except Exception as error:  # TorchScript passes on any error of its operations
            self.fail(
                "answer",
                f"{where} it raises {_said(error)}",
                "more elements than the module knows, tensors made without dtype=edge_vec.dtype, a graph without edges "
                "or with n_local < n_atoms not handled, edge_vec changed in place (clone() first)",
            )
        if not isinstance(found, Tensor) or found.shape != (graph.n_local,) or found.dtype != self.dtype:
            what = f"{found.dtype} of shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(type(found))
            self.fail(
                "answer",
                f"{where} it gives {what}, expected one {self.dtype} for each center, shape ({graph.n_local},)",
                "energies of all atoms in place of centers (return energies[:n_local]), a sum over atoms, a last "
                "dimension of 1 (use squeeze(-1)), a dtype other than that of edge_vec",
            )
        if not found.isfinite().all():
            self.fail(
                "answer",
                f"{where} it gives {int((~found.isfinite()).sum())} energies that are not finite",
                "weights that contain nan, a division by the number of neighbors where there is none",
            )
        for argument, given, original in (
            ("species", species, graph.species),
            ("edge_index", edge_index, graph.edge_index),
            ("edge_vec", edge_vec.detach(), vectors),
        ):
            if not torch.equal(given, original):
                self.fail("answer", f"{where} it changes {argument}", "an operation in place; clone() first")
        return found

    def compare(
        self,
        check: str,
        found: Tensor,
        expected: Tensor,
        tolerance: float,
        why: str,
        *,
        unit: str = "eV",
        scale: float = 0.0,
    ) -> None:
        """Compare values relative to the largest expected one, or to ``scale`` if that is larger.

        Raises:
            ModuleCheckError: they differ by more than ``tolerance`` times that, or one is not finite.
        """
        scale = max(largest(expected), scale, LEAST_SCALE)
        difference = largest(found - expected)
        self.figures[check] = max(self.figures.get(check, 0.0), difference / scale)
        if not difference <= tolerance * scale:
            said = f"they differ by {difference:.3g} {unit} (largest {scale:.3g}, allowed {tolerance * scale:.1g})"
            self.fail(check, said, why)

    def fail(self, check: str, found: str, why: str) -> None:
        """Refuse the member.

        Raises:
            ModuleCheckError: always.
        """
        raise ModuleCheckError(f"{self.name} fails the check of its {check}: {found}; usual causes: {why}")


def largest(values: Tensor) -> float:
    """Return the largest magnitude; 0 if there are no values, NaN if any is NaN."""
    return float(values.detach().abs().max()) if values.numel() else 0.0


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    return f"{name}: {lines[-1].removeprefix(f'{name}: ')}" if lines else name
