"""Error bars of observables from the members of an ensemble, beside the statistical ones; NumPy alone."""

from nnpal.observables.members import MembersEstimate, first_order

__all__ = ["MembersEstimate", "first_order"]
