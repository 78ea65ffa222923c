"""Where the faces of a new periodic cell meet: which atoms fill it, and how those near the faces make room."""

from __future__ import annotations

import numpy as np
from ase.geometry import find_mic
from scipy.optimize import minimize

SAME = 1e-6
"""Å: vectors that differ by less are the same; what is not moved is copied."""
_MARGIN = 0.01  # Å by which others stay outside of what is preserved, since overlaps never vanish quite
_MAX_ITERATIONS = 300
_STEEPNESS = 1e-6  # Å: no coordinate would gain more


def across(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the length of each vector's shortest image, Å, [n]; inf where that is the vector itself.

    So distances that meet only in the new periodicity, not in the configuration that was cut.

    Arguments:
        vectors: between atoms of the cut, Å, [n, 3].
        cell: rows are vectors of the new cell, Å, [3, 3].
    """
    nearest, length = find_mic(vectors, cell)
    return np.where(np.abs(nearest - vectors).max(axis=1) < SAME, np.inf, length)


def fill(vectors: np.ndarray, cell: np.ndarray, n_atoms: int, least: float) -> np.ndarray:
    """Return which candidates fill the cell, ``n_atoms`` of them if there are so many, the first always.

    One after the other: the next that comes no nearer than ``least`` to images of those before it; where none is left,
    the one that comes least near, unless it is nearer than half of that: such are the same atom twice.

    Arguments:
        vectors: of candidates from the atom, the best first, Å, [n, 3].
        cell: see :func:`across`.
        least: Å.
    """
    chosen: list[int] = []
    apart = np.full(len(vectors), np.inf)
    while len(chosen) < n_atoms and apart.max() >= 0.5 * least:
        free = np.flatnonzero(apart >= least)
        pick = int(free[0] if len(free) else apart.argmax())
        chosen.append(pick)
        apart = np.minimum(apart, across(vectors - vectors[pick], cell))
        apart[chosen] = -1.0
    return np.array(chosen)


def held(vectors: np.ndarray, cell: np.ndarray, radius: float, least: float) -> np.ndarray:
    """Return which atoms must not move: those within ``radius`` but the farther of two whose images are too near.

    Arguments:
        vectors: from the atom, by distance, Å, [n, 3].
        cell: see :func:`across`.
        radius, least: Å.
    """
    found = np.zeros(len(vectors), dtype=bool)
    for k in np.flatnonzero(np.linalg.norm(vectors, axis=1) <= radius):
        found[k] = not (across(vectors[found] - vectors[k], cell) < least).any()
    return found


def push_apart(
    vectors: np.ndarray, cell: np.ndarray, fixed: np.ndarray, radius: float, min_distance: float
) -> np.ndarray:
    """Return places from which atoms that overlap across the seam have made room, Å, [n, 3].

    Minimises Σ (least - r)² over pairs at r < least by L-BFGS. ``least`` is ``min_distance``, or a little more than
    ``radius`` from the atom itself; for pairs that were nearer in the configuration that was cut, their distance
    there. So nothing moves that has room.

    Arguments:
        vectors: from the atom, which is the first, Å, [n, 3].
        cell: see :func:`across`.
        fixed: atoms that do not move, bool [n].
        radius: around the atom, where no image may enter, Å.
        min_distance: Å.
    """
    i, j = np.triu_indices(len(vectors), 1)
    counts = ~(fixed[i] & fixed[j])
    i, j = i[counts], j[counts]
    before = np.linalg.norm(vectors[j] - vectors[i], axis=1)
    least = np.where(i == 0, max(min_distance, radius + _MARGIN), min_distance)

    def overlaps(flat: np.ndarray) -> tuple[float, np.ndarray]:
        places = vectors.copy()
        places[~fixed] = flat.reshape(-1, 3)
        direct = places[j] - places[i]
        nearest, distance = find_mic(direct, cell)
        own = np.abs(nearest - direct).max(axis=1) < SAME
        overlap = np.maximum(0.0, np.where(own, np.minimum(least, before), least) - distance)
        slope = -2.0 * (overlap / distance)[:, None] * nearest
        gradient = np.zeros_like(vectors)
        np.add.at(gradient, j, slope)
        np.add.at(gradient, i, -slope)
        return float((overlap**2).sum()), gradient[~fixed].ravel()

    places = vectors.copy()
    if len(i):
        options = {"maxiter": _MAX_ITERATIONS, "gtol": _STEEPNESS, "ftol": 0.0}
        found = minimize(overlaps, vectors[~fixed].ravel(), jac=True, method="L-BFGS-B", options=options)
        places[~fixed] = found.x.reshape(-1, 3)
    return places
