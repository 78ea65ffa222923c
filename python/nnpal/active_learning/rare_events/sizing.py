"""The number of pulls at a rate that a statement about its activation energy needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnpal.observables import Difference, paired_difference, pairs_needed

FIRST = 4
"""Smallest number of pairs for which the scatter, and so the number of pairs needed, is estimated."""
GROWTH = 3
"""Largest factor by which the number of pulls grows in one round: scatter estimated from few is often too large."""
KNOWN = 12
"""Number of pairs from which the scatter is known well enough (to a fifth) to add all that are needed in one round."""
MARGIN = 1.25
"""Factor for the number of pairs that the scatter requires, which alone would be too few half of the time."""
PAST = 2.0
"""Number of standard errors by which a mean must exceed the goal for further pulls to be considered useless."""
ROUNDS = 3
"""Largest number of rounds in which pulls are added. Each tests the interval again, which reduces its coverage slightly
below the nominal level, so there are few."""


def difference_of_runs(
    ours: Sequence[float | None], theirs: Sequence[float | None], factor: float = 1.0
) -> Difference | None:
    """Return the mean paired difference of E_a between runs of the same number, times ``factor``.

    Runs without a partner, or whose pull under the oracle failed, are ignored. None: a pull under the model ended
    early, so that a mean over the others would make the model look better; or there are no pairs.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if b is not None]
    whole = [(a, b) for a, b in pairs if a is not None]
    if not whole or any(a is None for a in ours):
        return None
    return paired_difference(*zip(*whole, strict=True)).scaled(factor)


def is_missed(found: Difference | None, goal: float) -> bool:
    """Return whether the goal is missed at a rate, so that more pulls at any rate cannot reach the aim.

    It is missed if a pull ended early, or the mean exceeds the goal by more than ``PAST`` standard errors. With fewer
    than ``FIRST`` pairs the scatter is not known well enough for this decision.

    Arguments:
        found: difference over the pairs, in the unit of the goal.
        goal: largest accepted |difference|.
    """
    if found is None:
        return True
    if found.standard_error is None or found.n < FIRST:
        return False
    return abs(found.mean) - PAST * found.standard_error > goal


def runs_wanted(found: Difference | None, n: int, goal: float, most: int, n_oracle: int = 0) -> int:
    """Return the number of pulls at a rate needed to decide whether its interval is within the goal.

    Arguments:
        found: difference over the existing n pulls, in the unit of the goal.
        n: number of existing pulls.
        goal: largest accepted |difference|.
        most: largest number of pulls.
        n_oracle: number of existing pulls under the oracle. They are the most expensive, so if pulls are added, all of
            them are used.
    """
    if found is None or found.is_within(goal):
        return n
    if found.deviation is None or found.n < FIRST:
        return max(n, min(max(n + FIRST - found.n, n_oracle), most))
    room = goal - abs(found.mean)
    needed = pairs_needed(found.deviation, room) if room > 0 else None
    wanted = most if needed is None else n + max(0, math.ceil(MARGIN * needed) - found.n)
    if found.n < KNOWN:
        wanted = min(wanted, GROWTH * n)
    return max(n, min(max(wanted, n_oracle), most))
