"""Forces and strain derivatives from derivatives of the energy with respect to edge vectors."""

from __future__ import annotations

from torch import Tensor

from nnpal.geometry.neighbor_graph import Graph
from nnpal.training.rows import Rows


def forces_and_strain(pair: Tensor, graph: Graph, rows: Rows, *, strain: bool) -> tuple[Tensor, Tensor | None]:
    """Return forces, eV/Å, [n_atoms, 3], and ∂E/∂strain, eV, [n_data, 3, 3], or None without ``strain``.

    Arguments:
        pair: ∂E/∂edge_vec, eV/Å, [n_edges, 3].
        graph: graph of a batch, in which all atoms are centers, with the edges that the energy was evaluated with:
            both directions of each pair, or one.
        rows: rows of the batch's configurations.
        strain: whether to compute the strain derivatives.
    """
    center, neighbor = graph.edge_index
    forces = pair.new_zeros(graph.n_local, 3).index_add(0, center, pair).index_add(0, neighbor, -pair)
    if not strain:
        return forces, None
    outer = graph.edge_vec[:, :, None] * pair[:, None, :]
    configuration = rows.configuration_of_atom[center]
    by_strain = pair.new_zeros(len(rows.data), 3, 3).index_add(0, configuration, outer)
    return forces, 0.5 * (by_strain + by_strain.transpose(1, 2))
