"""Train/validation splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """Indices of a data set's configurations, int64, disjoint and together complete."""

    train: np.ndarray
    validation: np.ndarray


def random_split(n_data: int, validation_fraction: float, rng: np.random.Generator) -> Split:
    """Draw a split of ``n_data`` configurations, each part sorted.

    Raises:
        ValueError: a fraction that leaves one part empty.
    """
    n_validation = round(n_data * validation_fraction)
    if not 0 < n_validation < n_data:
        raise ValueError(
            f"random_split: validation_fraction {validation_fraction} of {n_data} configurations "
            "gives "
            f"{n_validation} for validation, expected 1 to {n_data - 1}; add configurations or "
            "change the fraction"
        )
    order = rng.permutation(n_data)
    return Split(np.sort(order[n_validation:]), np.sort(order[:n_validation]))
