"""Error bars of observables: from the members of an ensemble, and of differences of means; NumPy and SciPy alone."""

from nnpal.observables.differences import Difference, paired_difference, pairs_needed, t_quantile, welch_difference
from nnpal.observables.members import MembersEstimate, first_order

__all__ = [
    "Difference",
    "MembersEstimate",
    "first_order",
    "paired_difference",
    "pairs_needed",
    "t_quantile",
    "welch_difference",
]
