"""The order parameter of configurations given as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def order_parameter(
    positions: NDArray[np.float64], box: NDArray[np.float64], vectors: Sequence[tuple[int, int, int]]
) -> float:
    """Return O = 1/(N_g N_A) Σ_g |Σ_i exp(i g·r_i)|², as the hook does.

    Equation (2) of the supplementary text of Jung et al. on data distillation.

    Arguments:
        positions: positions, Å or any other length unit, [n_atoms, 3].
        box: box vectors as rows, in the same unit, [3, 3].
        vectors: g as multiples of the box's reciprocal vectors, see
            :func:`nnpal.momt.lattices.reciprocal_vectors`; without vectors O is NaN.
    """
    if not vectors:
        return float("nan")
    fractional = np.linalg.solve(box.T, positions.T)
    sums = np.exp(2j * np.pi * (np.array(vectors) @ fractional)).sum(axis=1)
    return float((np.abs(sums) ** 2).mean() / len(positions))
