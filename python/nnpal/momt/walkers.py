"""Several walkers with one bias: LAMMPS partitions that exchange their points at every update."""

from __future__ import annotations

import numpy as np

from nnpal.hooks import Context, HookError


class Walkers:
    """The points of all partitions, in the order of the partitions, on every rank.

    Every rank then applies the same updates in the same order, so the bias is bitwise the same on all.
    """

    def __init__(self, context: Context, shared: bool) -> None:
        if shared and context.n_partitions == 1:
            raise HookError(
                "option walkers yes: expected several partitions; start mpirun -np N lmp -partition Nx1 ..."
            )
        self.n = context.n_partitions if shared else 1
        self._mine = np.zeros(3)
        if shared:
            self._all = np.zeros((context.universe_comm.size, 3))

    def points(self, context: Context, s0: float, s1: float) -> list[tuple[float, float]]:
        """Return each walker's point on the grid (collective over all partitions)."""
        if self.n == 1:
            return [(s0, s1)]
        self._mine[:] = context.partition, s0, s1
        context.universe_comm.Allgather(self._mine, self._all)
        # All ranks of a partition have the same point; use the first of each
        _, first = np.unique(self._all[:, 0], return_index=True)
        return [(float(self._all[i, 1]), float(self._all[i, 2])) for i in first]
