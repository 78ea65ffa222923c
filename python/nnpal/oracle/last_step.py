"""Positions and velocities of the last completed step, restored when a calculation fails."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import Context
from nnpal.oracle.snapshot import gathered, rows_of


class LastStep:
    """State of this rank's atoms at the end of the last completed step.

    A calculation fails in the middle of a velocity Verlet step: positions are those of the new step, velocities are
    half a step behind. Restoring sets both to the end of the previous step.
    """

    def __init__(self) -> None:
        self._step: int | None = None
        self._tags: NDArray[np.int32] | NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._x = np.empty((0, 3))
        self._v = np.empty((0, 3))

    def keep(self, context: Context) -> None:
        """Store the state of this rank's atoms."""
        self._step = context.step
        self._tags, self._x, self._v = context.tag.copy(), context.x.copy(), context.v.copy()

    def restore(self, context: Context) -> str:
        """Restore positions and velocities, on whichever rank atoms are now, and return a description (collective)."""
        if self._step is None:
            return "the atoms as they are, at the first calculation of a run"
        comm = context.comm
        tags, x, v = gathered(comm, self._tags, self._x, self._v)
        (now,) = gathered(comm, context.tag)
        if not np.array_equal(now, tags):  # a Monte Carlo fix has inserted or deleted atoms
            return "the atoms as they are, because their IDs changed within the step"
        x, v = comm.bcast((x, v), root=0)
        rows = rows_of(context.tag, tags)
        # An atom may have been wrapped: use the image that matches its image flags
        for i, row in enumerate(rows.tolist()):
            context.x[i] += context.minimum_image(x[row] - context.x[i])
        context.v[:] = v[rows]
        return f"positions and velocities at the end of step {self._step}"
