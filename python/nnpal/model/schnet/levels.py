"""Select the atoms and edges that each interaction needs for the energies of the centers."""

from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """Atoms and edges that one interaction reads and updates.

    Attributes:
        targets: indices of the updated atoms among the atoms of the previous level.
        edges: indices of the edges of these atoms.
        center: center of each of these edges, as an index among the targets.
        neighbor: neighbor of each, as an index among the atoms of the previous level.
    """

    targets: Tensor
    edges: Tensor
    center: Tensor
    neighbor: Tensor


def message_levels(n_atoms: int, n_local: int, center: Tensor, neighbor: Tensor, n_interactions: int) -> list[Level]:
    """Return the interactions' levels, each with fewer atoms than the one before; the last updates only the centers.

    The k-th interaction from the end updates atoms within k - 1 neighbor steps of a center; no others affect the
    centers' energies.

    Arguments:
        n_atoms: number of atoms, of which the first ``n_local`` are the centers.
        n_local: number of centers.
        center, neighbor: ends of each edge, int64 [n_edges].
        n_interactions: number of levels, at least 1.
    """
    needed = torch.arange(n_atoms, device=center.device) < n_local
    reached = [needed]
    for _ in range(n_interactions - 1):
        farther = needed.index_select(0, center).nonzero().view(-1)
        needed = needed.index_fill(0, neighbor.index_select(0, farther), True)
        reached.append(needed)
    place = torch.arange(n_atoms, device=center.device)  # index of each atom in the previous level
    levels: list[Level] = []
    for i in range(n_interactions):
        needed = reached[n_interactions - 1 - i]
        targets = place.index_select(0, needed.nonzero().view(-1))
        edges = needed.index_select(0, center).nonzero().view(-1)
        sources = place.index_select(0, neighbor.index_select(0, edges))
        place = needed.cumsum(0) - 1
        levels.append(Level(targets, edges, place.index_select(0, center.index_select(0, edges)), sources))
    return levels
