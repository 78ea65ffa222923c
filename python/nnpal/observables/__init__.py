"""Error bars of observables from ensemble members, and of differences of means; needs only NumPy and SciPy."""

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
