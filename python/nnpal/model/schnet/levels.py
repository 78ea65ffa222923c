"""Which atoms and edges each interaction needs, so that the energies of the centers are right."""

from typing import NamedTuple

import torch
from torch import Tensor


class Level(NamedTuple):
    """What one interaction reads and updates.

    Attributes:
        targets: places, among the atoms of the level before, of the atoms that are updated.
        edges: indices of the edges that end at them.
        center: of these edges, counted among the targets.
        neighbor: of these edges, counted among the atoms of the level before.
    """

    targets: Tensor
    edges: Tensor
    center: Tensor
    neighbor: Tensor


def message_levels(n_atoms: int, n_local: int, center: Tensor, neighbor: Tensor, n_interactions: int) -> list[Level]:
    """Return the interactions' levels, each with fewer atoms than the one before; the last updates the centers alone.

    The k-th interaction from the end updates atoms within k - 1 neighbor steps of a center, for no others reach the
    centers' energies.

    Arguments:
        n_atoms: of them the first ``n_local`` are the centers.
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
    place = torch.arange(n_atoms, device=center.device)  # of each atom among those of the level before
    levels: list[Level] = []
    for i in range(n_interactions):
        needed = reached[n_interactions - 1 - i]
        targets = place.index_select(0, needed.nonzero().view(-1))
        edges = needed.index_select(0, center).nonzero().view(-1)
        sources = place.index_select(0, neighbor.index_select(0, edges))
        place = needed.cumsum(0) - 1
        levels.append(Level(targets, edges, place.index_select(0, center.index_select(0, edges)), sources))
    return levels
