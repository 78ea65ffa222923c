"""From derivatives of the energy in edge vectors to forces and strain derivatives."""

from __future__ import annotations

from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.training.rows import Rows


def forces_and_strain(pair: Tensor, graph: Graph, rows: Rows, *, strain: bool) -> tuple[Tensor, Tensor | None]:
    """Return forces, eV/Å, [n_atoms, 3], and ∂E/∂strain, eV, [n_data, 3, 3], or None without ``strain``.

    Arguments:
        pair: ∂E/∂edge_vec, eV/Å, [n_edges, 3].
        graph: of a batch, all atoms centers; its edges are those that the energy was evaluated with, be they both
            directions of each pair or one.
        rows: of its configurations.
        strain: whether the derivatives in strain are wanted.
    """
    center, neighbor = graph.edge_index
    forces = pair.new_zeros(graph.n_local, 3).index_add(0, center, pair).index_add(0, neighbor, -pair)
    if not strain:
        return forces, None
    outer = graph.edge_vec[:, :, None] * pair[:, None, :]
    configuration = rows.configuration_of_atom[center]
    by_strain = pair.new_zeros(len(rows.data), 3, 3).index_add(0, configuration, outer)
    return forces, 0.5 * (by_strain + by_strain.transpose(1, 2))
