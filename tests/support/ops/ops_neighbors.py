"""Call torch.ops.nnpal for edges and for forces from edges."""

from __future__ import annotations

import torch
from torch import Tensor

OPS = torch.ops.nnpal


def found_edges(
    positions: Tensor, cutoff: float, first: int, last: int, *, dtype: torch.dtype, shift: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the edges of the centers first to last, and their vectors."""
    cells = OPS.cells(positions, cutoff)
    ends = OPS.count_neighbors(positions, *cells, last, cutoff)
    n_edges = int(ends[last] - ends[first])
    return OPS.neighbors(positions, *cells, ends, first, last, n_edges, shift, cutoff, dtype)


def pulled(index: Tensor, vec: Tensor, gradients: Tensor, n_atoms: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return forces, virial and per-atom virials."""
    shapes = ((len(gradients), n_atoms, 3), (3, 3), (n_atoms, 3, 3))
    forces, virial, virials = (torch.zeros(shape, dtype=torch.float64, device=vec.device) for shape in shapes)
    OPS.pull_to_atoms(index, vec, gradients, 0, 0, forces, virial, virials)
    return forces, virial, virials
