"""Which atoms of many configurations have an uncertainty above a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def atoms_above(uq: ArrayLike, n_atoms: Sequence[int] | np.ndarray, threshold: float) -> list[np.ndarray]:
    """Return the atoms of each configuration whose uncertainty is above ``threshold``, the highest first.

    Arguments:
        uq: of the atoms of all configurations, one configuration after another, [sum of n_atoms].
        n_atoms: of each configuration, [n_frames].
        threshold: in the units of ``uq``.

    Returns:
        Indices within each configuration, int64; ties by index.

    Raises:
        ValueError: shapes that do not fit, or a value that is NaN: sort failed configurations out first.
    """
    if np.isnan(threshold):
        raise ValueError("atoms_above: threshold is NaN, expected a number")
    values = np.asarray(uq, dtype=np.float64)
    sizes = np.asarray(n_atoms, dtype=np.int64)
    if values.ndim != 1 or len(values) != sizes.sum():
        raise ValueError(f"atoms_above: uq has shape {values.shape}, expected [{sizes.sum()}], the sum of n_atoms")
    frame_of_atom = np.repeat(np.arange(len(sizes)), sizes)
    if len(wrong := np.flatnonzero(np.isnan(values))):
        raise ValueError(
            f"atoms_above: uq of an atom of configuration {frame_of_atom[wrong[0]]} is NaN; expected numbers; leave "
            "configurations out that have failed"
        )
    found = []
    for own in np.split(values, np.cumsum(sizes)[:-1]) if len(sizes) else []:
        order = np.argsort(-own, kind="stable")
        found.append(order[own[order] > threshold])
    return found
