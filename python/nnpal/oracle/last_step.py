"""Positions and velocities of the last completed step, to go back to when a calculation fails."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import Context
from nnpal.oracle.snapshot import gathered, rows_of


class LastStep:
    """Atoms as they were when a step was last completed.

    A calculation that fails does so in the middle of a velocity Verlet step: positions are those of the new step,
    velocities are half a step behind. Going back gives both at the end of the step before.
    """

    def __init__(self) -> None:
        self._step: int | None = None
        self._tags: NDArray[np.int32] | NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._x = np.empty((0, 3))
        self._v = np.empty((0, 3))

    def keep(self, context: Context) -> None:
        """Remember this rank's atoms."""
        self._step = context.step
        self._tags, self._x, self._v = context.tag.copy(), context.x.copy(), context.v.copy()

    def restore(self, context: Context) -> str:
        """Put positions and velocities back, wherever the atoms are by now, and say what they are (collective)."""
        if self._step is None:
            return "the atoms as they are, at the first calculation of a run"
        comm = context.comm
        tags, x, v = gathered(comm, self._tags, self._x, self._v)
        (now,) = gathered(comm, context.tag)
        if not np.array_equal(now, tags):  # a Monte Carlo fix has inserted or deleted atoms since
            return "the atoms as they are, because their IDs changed within the step"
        x, v = comm.bcast((x, v), root=0)
        rows = rows_of(context.tag, tags)
        # An atom may have been wrapped since: go to the image that its image flags mean
        for i, row in enumerate(rows.tolist()):
            context.x[i] += context.minimum_image(x[row] - context.x[i])
        context.v[:] = v[rows]
        return f"positions and velocities at the end of step {self._step}"
