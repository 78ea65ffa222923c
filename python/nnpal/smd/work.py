"""Mean and scatter of the work function of several pulls along the same path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnpal.smd.free_energy import check_one_protocol
from nnpal.smd.pull import Pull


@dataclass(frozen=True)
class MeanWork:
    """The mean work of n pulls at each λ, in the units of the pulls.

    Attributes:
        target: λ, [n_points].
        mean: mean work over pulls, [n_points].
        deviation: standard deviation of the work over pulls (n - 1), [n_points]; NaN for one pull.
        works: work of each pull, [n, n_points].
        n: number of pulls.
    """

    target: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    works: NDArray[np.float64]
    n: int


def mean_work(pulls: Sequence[Pull], n_points: int = 401, equivalent_atoms: bool = False) -> MeanWork:
    """Return mean and scatter of W(λ) over the range of λ that all pulls cover.

    Arguments:
        pulls: pulls with the same spring, rate and start.
        n_points: number of evenly spaced points in λ.
        equivalent_atoms: whether pulls of different atoms are equivalent by symmetry.

    Raises:
        ValueError: there are no pulls, their protocols differ, or they have no λ in common.
    """
    check_one_protocol(pulls, equivalent_atoms)
    sign = np.sign(pulls[0].target[-1] - pulls[0].target[0])
    start = max(float(sign * pull.target[0]) for pull in pulls)
    end = min(float(sign * pull.target[-1]) for pull in pulls)
    if not end > start:
        raise ValueError("pulls: λ does not move, or there is no λ that all pulls passed; remove the short ones")
    way = np.linspace(start, end, n_points)
    work = np.stack([np.interp(way, sign * pull.target, pull.work) for pull in pulls])
    deviation = work.std(axis=0, ddof=1) if len(pulls) > 1 else np.full(n_points, np.nan)
    return MeanWork(sign * way, work.mean(axis=0), deviation, work, len(pulls))
