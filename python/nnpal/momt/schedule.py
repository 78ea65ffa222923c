"""Wang-Landau learning: when ln f decreases, and when learning ends.

F. Wang and D. P. Landau, Phys. Rev. Lett. 86, 2050 (2001), doi:10.1103/PhysRevLett.86.2050: ln f is halved when the
histogram is flat. R. E. Belardinelli and V. D. Pereyra, J. Chem. Phys. 127, 184105 (2007), doi:10.1063/1.2803061: it is
halved when every bin was visited again, and once it reaches 1/t it follows 1/t, with t in updates per visited bin;
the error then keeps decreasing, while halving alone leaves a fixed error. In nnpal ln f does not decrease before the
first round trip, and bins at the boundary of the accessible region, which are visited too rarely, are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import HookError

# Fraction of the bins within the rim that must be visited again before the rule 1/t halves ln f. With all of them, as
# in the original, it would wait for the rarest.
REVISITED = 0.9

_ARRAYS = ("visits", "flatness_visits", "production_visits")
MAX_LN_F = 100.0
"""Largest ln f, kT; a single visit would then drive the walker across any grid."""

_NUMBERS = ("ln_f", "n_updates", "flatness", "falls_as_1_over_t", "production")


class Schedule:
    """ln f and the visits that determine it.

    Attributes:
        ln_f: height of an update, kT.
        visits: updates in each bin since learning began, flat [n_bins].
        flatness_visits: the same since ln f was last halved.
        production_visits: the same since learning ended.
        production: whether learning has ended.
        flatness: last measured flatness.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        ln_f: float,
        ln_f_end: float,
        rule: str,
        flatness: float,
        max_updates: int | None = None,
    ) -> None:
        """Start learning on a grid.

        Arguments:
            shape: number of bins along each axis.
            ln_f, ln_f_end: first value of ln f, and the value below which learning ends, kT.
            rule: rule for ln f, ``1/t`` or ``flat``.
            flatness: min/mean of the visits above which `flat` halves ln f.
            max_updates: largest number of updates; None: no limit.

        Raises:
            HookError: a value is out of range.
        """
        if not 0 < ln_f_end <= ln_f <= MAX_LN_F:
            raise HookError(
                f"options ln_f {ln_f:g} and ln_f_end {ln_f_end:g}: expected 0 < ln_f_end <= ln_f, finite numbers, "
                f"{MAX_LN_F:g} kT at most; ln_f 0.3 and ln_f_end 0.001 are the defaults"
            )
        if rule not in ("1/t", "flat"):
            raise HookError(f"option schedule: expected 1/t or flat, found {rule}")
        if not 0 < flatness < 1:
            raise HookError(f"option flatness: expected a number between 0 and 1, found {flatness:g}")
        self.ln_f = ln_f
        self.ln_f_end = ln_f_end
        self.rule = rule
        self.needed_flatness = flatness
        self.max_updates = max_updates
        self.shape = shape
        n_bins = int(np.prod(shape))
        self.visits = np.zeros(n_bins, dtype=np.int64)
        self.flatness_visits = np.zeros(n_bins, dtype=np.int64)
        self.production_visits = np.zeros(n_bins, dtype=np.int64)
        self.n_updates = 0
        self.falls_as_1_over_t = False
        self.production = False
        self.flatness = 0.0
        self.n_visited = 0

    def update(self, bins: list[int], explored: bool) -> bool:
        """Count the bins of one update, and return whether ln f was halved or learning ended.

        Arguments:
            bins: bin of each walker, -1 outside the grid.
            explored: whether there was a round trip. Before the first one ln f stays constant, because the first few
                bins are visited many times before the others.
        """
        inside = [b for b in bins if b >= 0]
        if self.production:
            for b in inside:
                self.production_visits[b] += 1
            return False
        for b in inside:
            self.n_visited += int(self.visits[b] == 0)
            self.visits[b] += 1
            self.flatness_visits[b] += 1
        self.n_updates += len(bins)
        fell = explored and self._fall()
        if self.ln_f < self.ln_f_end or (self.max_updates is not None and self.n_updates >= self.max_updates):
            self.end_learning()
            return True
        return fell

    def end_learning(self) -> None:
        """Freeze the bias."""
        self.flatness = self.measure_flatness()
        self.production = True

    def measure_flatness(self) -> float:
        """Return min/mean of the visits since ln f was last halved, over the visited bins within the rim."""
        seen = self._since_last_fall()
        mean = seen.mean() if len(seen) else 0.0
        return float(seen.min() / mean) if mean > 0 else 0.0

    def _revisited(self) -> float:
        seen = self._since_last_fall()
        return float((seen > 0).mean()) if len(seen) else 0.0

    def _since_last_fall(self) -> NDArray[np.int64]:
        """Return visits since ln f was last halved, of visited bins within the rim, or of all if none is within it."""
        visited = self.visits.reshape(self.shape) > 0
        inner = within_rim(visited)
        return self.flatness_visits.reshape(self.shape)[inner if inner.any() else visited]

    def _fall(self) -> bool:
        if self.falls_as_1_over_t:
            self.ln_f = min(self.ln_f, self.n_visited / self.n_updates)
            return False
        # A pass over all bins costs as much as many updates, so check once per as many updates as there are visited
        # bins
        if self.n_updates % max(100, self.n_visited):
            return False
        self.flatness = self.measure_flatness()
        is_due = self.flatness >= self.needed_flatness if self.rule == "flat" else self._revisited() >= REVISITED
        if not is_due:
            return False
        floor = self.n_visited / self.n_updates if self.rule == "1/t" else 0.0
        if floor >= self.ln_f:
            return False
        self.falls_as_1_over_t = 0.5 * self.ln_f < floor
        self.ln_f = max(0.5 * self.ln_f, floor)
        self.flatness_visits[:] = 0
        return True

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        return {**state, **{name: getattr(self, name).copy() for name in _ARRAYS}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        as_own: dict[str, Callable[[Any], Any]] = {"ln_f": float, "n_updates": int, "flatness": float}
        for name in _NUMBERS:
            setattr(self, name, as_own.get(name, bool)(state[name]))
        for name in _ARRAYS:
            getattr(self, name)[:] = state[name]
        self.n_visited = int((self.visits > 0).sum())


def within_rim(visited: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which visited bins have only visited neighbors; the outside of the grid counts as visited."""
    inner = visited.copy()
    for axis in range(visited.ndim):
        padded = np.pad(visited, [(1, 1) if d == axis else (0, 0) for d in range(visited.ndim)], constant_values=True)
        n = visited.shape[axis]
        inner &= padded.take(range(n), axis) & padded.take(range(2, n + 2), axis)
    return inner
