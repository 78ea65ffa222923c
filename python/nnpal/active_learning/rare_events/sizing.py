"""How many pulls at a rate a statement about its activation energy needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnpal.observables import Difference, paired_difference, pairs_needed

FIRST = 4
"""Pairs before their scatter is looked at: fewer say little of it, so of how many are needed."""
GROWTH = 3
"""Times the pulls that there are, at most, in one round: a scatter known from few is often too large."""
KNOWN = 12
"""Pairs from which on the scatter is known well enough (to a fifth) to add in one round all that are needed."""
MARGIN = 1.25
"""Times the pairs that the scatter asks for: by these alone, the interval would come out too wide as often as not."""
PAST = 2.0
"""Standard errors by which a mean lies past the goal beyond which more pulls are considered useless."""
ROUNDS = 3
"""In which pulls are added, at most. Each looks at the interval again, which makes it hold a little less often than
its level says; so there are few."""


def difference_of_runs(
    ours: Sequence[float | None], theirs: Sequence[float | None], factor: float = 1.0
) -> Difference | None:
    """Return the mean paired difference of E_a, run by run, times ``factor``.

    Runs that only one side has do not count, nor those whose pull under the oracle failed. None: a pull under the model
    ended early, so that a mean over the others would make it look better; or there are no pairs.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if b is not None]
    whole = [(a, b) for a, b in pairs if a is not None]
    if not whole or any(a is None for a in ours):
        return None
    return paired_difference(*zip(*whole, strict=True)).scaled(factor)


def is_missed(found: Difference | None, goal: float) -> bool:
    """Return whether the goal is missed at a rate, so that no more pulls at any rate can reach the aim.

    A pull ended early, or the mean exceeds the goal by more than ``PAST`` standard errors. With fewer than ``FIRST``
    pairs the scatter is not known well enough for this decision.

    Arguments:
        found: what the pairs say, in the goal's unit.
        goal: largest |difference| that is accepted.
    """
    if found is None:
        return True
    if found.standard_error is None or found.n < FIRST:
        return False
    return abs(found.mean) - PAST * found.standard_error > goal


def runs_wanted(found: Difference | None, n: int, goal: float, most: int, n_oracle: int = 0) -> int:
    """Return how many pulls there should be at a rate to settle whether its interval lies within the goal.

    Arguments:
        found: what the n pulls that there are say, in the goal's unit.
        goal: largest |difference| that is accepted.
        most: pulls, at most.
        n_oracle: pulls that the oracle has. They cost most, so where any are added, all of these take part.
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
