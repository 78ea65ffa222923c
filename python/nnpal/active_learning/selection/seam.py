"""The seam of a new periodic cell: which atoms fill the cell, and how overlaps across its faces are removed."""

from __future__ import annotations

import itertools

import numpy as np
from ase.geometry import minkowski_reduce
from scipy.optimize import minimize

SAME = 1e-6
"""Vectors that differ by less, Å, are the same; unmoved positions are exact copies."""
_MARGIN = 0.01  # Å between preserved region and other atoms, since overlaps never vanish completely
_MAX_ITERATIONS = 300
_STEEPNESS = 1e-6  # largest gradient component at convergence, Å
_AROUND = np.array(list(itertools.product((-1, 0, 1), repeat=3)))


class Images:
    """Shortest periodic images in a cell.

    ASE's ``find_mic`` gives the same, but reduces the cell in each call, and minimizing overlaps would call it some
    hundred times per environment.

    Arguments:
        cell: cell vectors as rows, Å, [3, 3].
    """

    def __init__(self, cell: np.ndarray) -> None:
        self._cell = np.asarray(minkowski_reduce(cell)[0])
        self._inverse = np.linalg.inv(self._cell)
        self._around = _AROUND @ self._cell
        # Half of the smallest height: a vector shorter than this is its only shortest image
        self._sure = 0.5 / np.linalg.norm(self._inverse, axis=0).max()

    def shortest(self, vectors: np.ndarray, up_to: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
        """Return each vector's shortest image and its length, Å, [n, 3] and [n].

        Arguments:
            vectors: vectors, Å, [n, 3].
            up_to: length, Å, up to which results are exact; for longer ones another image, also longer, may be
                returned.
        """
        found = vectors - np.rint(vectors @ self._inverse) @ self._cell
        length = np.sqrt(np.einsum("ij,ij->i", found, found))
        if up_to > self._sure and len(unsure := np.flatnonzero(length >= self._sure)):
            images = found[unsure, None] + self._around
            lengths = np.linalg.norm(images, axis=2)
            best = lengths.argmin(axis=1)
            found[unsure], length[unsure] = images[np.arange(len(unsure)), best], lengths.min(axis=1)
        return found, length


def across(vectors: np.ndarray, images: Images) -> np.ndarray:
    """Return the length of each vector's shortest image, Å, [n]; inf if that is the vector itself.

    These distances exist only in the new cell, not in the original configuration.

    Arguments:
        vectors: vectors between atoms of the new cell, Å, [n, 3].
        images: images in the new cell.
    """
    nearest, length = images.shortest(vectors)
    return np.where(np.abs(nearest - vectors).max(axis=1) < SAME, np.inf, length)


def fill(vectors: np.ndarray, images: Images, n_atoms: int, least: float) -> np.ndarray:
    """Return the indices of candidates that fill the cell, at most ``n_atoms``, always with the first.

    Each step takes the first candidate at least ``least`` from images of those taken; if there is none, the one
    farthest from them, unless it is closer than half of ``least``: that would be the same atom twice.

    Arguments:
        vectors: vectors of candidates from the atom, the best first, Å, [n, 3].
        images: see :func:`across`.
        n_atoms: largest number of candidates taken.
        least: desired smallest distance across the seam, Å.
    """
    chosen: list[int] = []
    apart = np.full(len(vectors), np.inf)
    while len(chosen) < n_atoms and apart.max() >= 0.5 * least:
        free = np.flatnonzero(apart >= least)
        pick = int(free[0] if len(free) else apart.argmax())
        chosen.append(pick)
        apart = np.minimum(apart, across(vectors - vectors[pick], images))
        apart[chosen] = -1.0
    return np.array(chosen)


def held(vectors: np.ndarray, images: Images, radius: float, least: float) -> np.ndarray:
    """Return which atoms must not move: those within ``radius``, except the farther of two with too close images.

    Arguments:
        vectors: vectors from the atom, by distance, Å, [n, 3].
        images: see :func:`across`.
        radius: radius around the atom, Å.
        least: smallest distance across the seam, Å.
    """
    found = np.zeros(len(vectors), dtype=bool)
    for k in np.flatnonzero(np.linalg.norm(vectors, axis=1) <= radius):
        found[k] = not (across(vectors[found] - vectors[k], images) < least).any()
    return found


def push_apart(
    vectors: np.ndarray, images: Images, fixed: np.ndarray, radius: float, min_distance: float
) -> np.ndarray:
    """Return positions without overlaps across the seam, Å, [n, 3].

    Minimizes Σ (least - r)² over pairs at r < least by L-BFGS. ``least`` is ``min_distance``, or a little more than
    ``radius`` for pairs with the atom itself; for pairs that were closer in the original configuration, their distance
    there. So only overlapping atoms move.

    Arguments:
        vectors: vectors from the atom, which is the first, Å, [n, 3].
        images: see :func:`across`.
        fixed: whether each atom is fixed, bool [n].
        radius: radius around the atom without images, Å.
        min_distance: smallest distance across the seam, Å.
    """
    i, j = np.triu_indices(len(vectors), 1)
    counts = ~(fixed[i] & fixed[j])
    i, j = i[counts], j[counts]
    before = np.linalg.norm(vectors[j] - vectors[i], axis=1)
    least = np.where(i == 0, max(min_distance, radius + _MARGIN), min_distance)
    reach = float(least.max(initial=0.0))

    def overlaps(flat: np.ndarray) -> tuple[float, np.ndarray]:
        places = vectors.copy()
        places[~fixed] = flat.reshape(-1, 3)
        direct = places[j] - places[i]
        nearest, distance = images.shortest(direct, up_to=reach)
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
