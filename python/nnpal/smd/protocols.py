"""Pulls grouped by protocol: the same spring, rate and bond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnpal.smd.free_energy import FreeEnergy, jarzynski_profile
from nnpal.smd.pull import Pull
from nnpal.smd.work import MeanWork, mean_work


@dataclass(frozen=True)
class Protocol:
    """Pulls of one protocol, with their mean work and, for two or more pulls, their free energy.

    Attributes:
        rate: pulling rate, length/time in the units of the pulls; None if not in their files.
        k: spring constant; None if not in their files.
        pulls: pulls in the given order.
        work: mean work; None if their λ do not start at the same value or do not overlap.
        free_energy: λ, [n_points], and ΔF(λ); None for one pull, or without ``work``.
    """

    rate: float | None
    k: float | None
    pulls: Sequence[Pull]
    work: MeanWork | None
    free_energy: tuple[NDArray[np.float64], FreeEnergy] | None


def protocols(pulls: Sequence[Pull], kT: float, equivalent_atoms: bool = False) -> list[Protocol]:
    """Return the pulls grouped by protocol, the slowest first.

    Arguments:
        pulls: pulls with a moving spring.
        kT: kT in the unit of the work.
        equivalent_atoms: whether pulls of different atoms are equivalent by symmetry.
    """
    groups: dict[tuple[str | None, ...], list[Pull]] = {}
    for pull in pulls:
        pulled = None if equivalent_atoms else pull.facts.get("pulled")
        groups.setdefault((pull.facts.get("rate"), pull.facts.get("k"), pulled), []).append(pull)
    found = [_protocol(rate, k, some, kT, equivalent_atoms) for (rate, k, _), some in groups.items()]
    return sorted(found, key=lambda one: (one.rate is None, one.rate))


def _protocol(rate: str | None, k: str | None, pulls: Sequence[Pull], kT: float, equivalent_atoms: bool) -> Protocol:
    try:
        work = mean_work(pulls, equivalent_atoms=equivalent_atoms)
        free = jarzynski_profile(pulls, kT, equivalent_atoms=equivalent_atoms) if len(pulls) > 1 else None
    except ValueError:  # different starts, or no λ in common; see the report's notes
        work, free = None, None
    return Protocol(None if rate is None else float(rate), None if k is None else float(k), pulls, work, free)
