"""Distances between descriptors of configurations, and selection of new and diverse ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from nnpal.active_learning.selection.descriptor import Descriptors

Order = Literal["distance", "uq", "random"]
ORDERS: tuple[Order, ...] = ("distance", "uq", "random")

_SAME = 1e-9  # smaller relative differences of distances are ties: rounding errors must not decide
_BLOCK = 4_000_000  # number of distances in memory at a time


@dataclass(frozen=True)
class Choice:
    """Chosen candidates, and why the others were not chosen.

    Attributes:
        indices: indices of the chosen candidates, in the order of choice, int64.
        distances: distance of each from known data and those chosen before (random order: from known data only); inf if
            there are none.
        near_known: indices of candidates closer than the minimum distance to known data.
        near_chosen: indices of other candidates closer than that to a chosen one.
        left: indices of the remaining candidates, not chosen because the number was reached.
    """

    indices: np.ndarray
    distances: np.ndarray
    near_known: np.ndarray
    near_chosen: np.ndarray
    left: np.ndarray


def distances(one: Descriptors, other: Descriptors, scale: ArrayLike) -> np.ndarray:
    """Return the distances between configurations, [n_one, n_other].

    d² = mean over elements e, statistics and AEV components of (difference / s_e)²: 0 for the same set of environments,
    1 if they differ as much as environments within the data from which s was computed. All elements have the same
    weight, whatever their number of atoms. Configurations with different elements are infinitely far apart.

    Arguments:
        scale: s, [n_elements], from :meth:`nnpal.active_learning.selection.Descriptors.scale`.

    Raises:
        ValueError: elements or features differ, or the scale does not match.
    """
    lengths = np.asarray(scale, dtype=np.float64)
    if one.symbols != other.symbols or one.values.shape[1:] != other.values.shape[1:]:
        raise ValueError(
            f"distances: descriptors of {one.symbols} {one.values.shape[1:]} and of {other.symbols} "
            f"{other.values.shape[1:]}, expected the same elements and AEV"
        )
    if lengths.shape != (len(one.symbols),) or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError(f"distances: scale is {lengths}, expected {len(one.symbols)} numbers above 0")
    has, other_has = one.n_atoms > 0, other.n_atoms > 0
    n_features = int(np.prod(one.values.shape[2:]))
    flat = [(d.values / lengths[:, None, None]).reshape(len(d), len(lengths) * n_features) for d in (one, other)]
    found = cdist(*flat) / np.sqrt(n_features * np.maximum(has.sum(1), 1))[:, None]
    found[(has[:, None, :] != other_has[None, :, :]).any(-1)] = np.inf
    return found


def nearest(one: Descriptors, other: Descriptors, scale: ArrayLike) -> np.ndarray:
    """Return the distance of each of ``one`` from the nearest of ``other``, [n_one]; inf if ``other`` is empty."""
    found = np.full(len(one), np.inf)
    for block in _blocks(len(other), max(1, _BLOCK // max(1, len(one)))):
        np.minimum(found, distances(one, other[block], scale).min(1, initial=np.inf), out=found)
    return found


def choose(
    candidates: Descriptors,
    uq: ArrayLike,
    known: Descriptors | None = None,
    *,
    n_most: int,
    min_distance: float,
    order: Order = "distance",
    scale: ArrayLike | None = None,
    seed: int | None = None,
) -> Choice:
    """Choose candidates that are not near-duplicates of known data or of one another.

    They are chosen one by one, from those at least ``min_distance`` from known data and chosen ones:

    - ``order="distance"``: the one farthest from all these (farthest-point selection); of equally far ones the one with
      the higher uncertainty, which also decides the first one without known data;
    - ``order="uq"``: the one with the highest uncertainty; of equal ones the farther;
    - ``order="random"``: control experiment: any candidate with equal probability, including near-duplicates.

    Remaining ties go to the lower index, so the choice is reproducible.

    Arguments:
        candidates: descriptors of n configurations.
        uq: their uncertainties, any unit, [n].
        known: descriptors of the training data.
        n_most: largest number of chosen candidates.
        min_distance: minimum distance, in units of ``scale``; closer candidates are near-duplicates. A random order
            ignores it.
        order: ``distance``, ``uq`` or ``random``.
        scale: see :func:`distances`; by default that of the known data, or of the candidates if there is none.
        seed: random seed of a random order.

    Raises:
        ValueError: an argument is out of range, a random order has no seed, or an uncertainty is not finite.
    """
    values = np.asarray(uq, dtype=np.float64)
    if values.shape != (len(candidates),):
        raise ValueError(f"choose: uq has shape {values.shape}, expected [{len(candidates)}], one for each candidate")
    if len(wrong := np.flatnonzero(~np.isfinite(values))):
        raise ValueError(f"choose: uq[{wrong[0]}] = {values[wrong[0]]}, expected finite; remove failed ones")
    if n_most < 0:
        raise ValueError(f"choose: n_most = {n_most}, expected 0 or more")
    if not (np.isfinite(min_distance) and min_distance > 0):
        raise ValueError(f"choose: min_distance = {min_distance}, expected more than 0")
    if order not in ORDERS:
        raise ValueError(f"choose: order = {order!r}, expected {' or '.join(ORDERS)}")
    has_known = known is not None and len(known) > 0
    if scale is None:
        scale = known.scale() if has_known and known is not None else candidates.scale()
    apart = nearest(candidates, known, scale) if known is not None else np.full(len(candidates), np.inf)
    if order == "random":
        return _drawn(apart, n_most, seed)
    open_ = apart >= min_distance
    near_known = np.flatnonzero(~open_)
    chosen: list[int] = []
    how_far: list[float] = []
    while open_.any() and len(chosen) < n_most:
        pick = _best(apart, values, np.flatnonzero(open_), order)
        chosen.append(pick)
        how_far.append(float(apart[pick]))
        np.minimum(apart, distances(candidates, candidates[np.array([pick])], scale)[:, 0], out=apart)
        open_ &= apart >= min_distance
    settled = np.zeros(len(candidates), dtype=bool)
    settled[near_known] = settled[chosen] = True
    return Choice(
        indices=np.array(chosen, dtype=np.int64),
        distances=np.array(how_far),
        near_known=near_known,
        near_chosen=np.flatnonzero(~settled & ~open_),
        left=np.flatnonzero(open_),
    )


def _drawn(apart: np.ndarray, n_most: int, seed: int | None) -> Choice:
    """Return candidates drawn with equal probability, including near-duplicates."""
    if seed is None:
        raise ValueError("choose: order = 'random' without seed, expected an integer: a choice must be repeatable")
    order = np.random.default_rng(seed).permutation(len(apart))
    chosen, nothing = order[:n_most].astype(np.int64), np.zeros(0, dtype=np.int64)
    return Choice(chosen, apart[chosen], near_known=nothing, near_chosen=nothing, left=np.sort(order[n_most:]))


def _best(apart: np.ndarray, uq: np.ndarray, among: np.ndarray, order: Order) -> int:
    """Return the best index by the first key, then by the second, then the lowest."""
    for key in (apart, uq) if order == "distance" else (uq, apart):
        best = key[among].max()
        among = among[(key[among] == best) | (key[among] >= best * (1 - _SAME))]
    return int(among[0])


def _blocks(n: int, size: int) -> Iterator[np.ndarray]:
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))
