"""Standard errors of correlated samples, by the jackknife over blocks of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_BLOCKS = 20


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error, numbers or arrays of the same shape."""

    value: NDArray[np.float64]
    error: NDArray[np.float64]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.value, self.error))


def time_blocks(walker: NDArray[np.int64], n_blocks: int = N_BLOCKS) -> list[NDArray[np.int64]]:
    """Return the rows of each block: consecutive rows of one walker, with about the same number in each.

    Arguments:
        walker: number of the walker of each row, [n].
        n_blocks: number of blocks of all walkers together; each walker has at least one.

    Raises:
        ValueError: there are fewer than two blocks, or fewer rows than blocks.
    """
    numbers = np.unique(walker)
    if n_blocks < 2 or len(walker) < n_blocks:
        raise ValueError(f"{n_blocks} blocks of {len(walker)} rows: expected at least 2 blocks and a row in each")
    per_walker = max(1 if len(numbers) > 1 else 2, round(n_blocks / len(numbers)))
    return [block for number in numbers for block in np.array_split(np.flatnonzero(walker == number), per_walker)]


def jackknife(
    estimator: Callable[[NDArray[np.int64]], NDArray[np.float64] | float], blocks: list[NDArray[np.int64]]
) -> Estimate:
    """Return an estimator's value for all rows, and its standard error from leaving out one block at a time.

    Arguments:
        estimator: rows [m] -> a number or an array of fixed shape.
        blocks: rows of each block, [n_blocks][...].
    """
    value = np.asarray(estimator(np.concatenate(blocks)))
    n = len(blocks)
    left_out = np.array([estimator(np.concatenate(blocks[:i] + blocks[i + 1 :])) for i in range(n)])
    spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return Estimate(value, np.sqrt((n - 1) / n * spread))
