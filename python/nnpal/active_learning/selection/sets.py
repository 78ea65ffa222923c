"""Division of a series of configurations into consecutive sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def sequential_sets(series: Sequence[T], n_sets: int) -> list[Sequence[T]]:
    """Divide a series into ``n_sets`` consecutive sets, as Jung et al. divide 20,000 into 10 of 2,000.

    If the number is not divisible, the first sets have one more.

    Raises:
        ValueError: there are fewer than one set, or fewer configurations than sets.
    """
    if not 1 <= n_sets <= len(series):
        raise ValueError(
            f"sequential_sets: n_sets = {n_sets} of {len(series)} configurations, expected 1 at least and no more sets "
            "than configurations"
        )
    size, n_longer = divmod(len(series), n_sets)
    starts = [i * size + min(i, n_longer) for i in range(n_sets + 1)]
    return [series[start:end] for start, end in pairwise(starts)]
