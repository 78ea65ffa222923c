"""Augmentation of configurations with Gaussian noise on coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

MAX_DRAWS = 100


def augment(
    frames: Sequence[Atoms], sigma: float, copies: int, rng: np.random.Generator, *, min_distance: float | None = None
) -> list[Atoms]:
    """Return ``copies`` noisy copies of each configuration, without labels: r' = r + sigma N(0, 1) for each coordinate.

    They keep cell and tag; ``info["source"]`` names the original configuration.

    Arguments:
        frames: configurations, Å.
        sigma: standard deviation of each coordinate, Å.
        copies: number of copies of each configuration.
        rng: random number generator.
        min_distance: Å; a copy with two atoms closer than this, images included, is drawn again. The noise is then
            Gaussian subject to this condition.

    Raises:
        ValueError: arguments out of range, or no copy of a configuration kept the distance in 100 draws.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"augment: sigma = {sigma}, expected more than 0 Å")
    if copies < 1:
        raise ValueError(f"augment: copies = {copies}, expected 1 at least")
    if min_distance is not None and not min_distance > 0:
        raise ValueError(f"augment: min_distance = {min_distance}, expected more than 0 Å")
    return [_copy(index, frame, sigma, rng, min_distance) for index, frame in enumerate(frames) for _ in range(copies)]


def _copy(index: int, frame: Atoms, sigma: float, rng: np.random.Generator, min_distance: float | None) -> Atoms:
    from ase.neighborlist import neighbor_list  # imports much of SciPy, which workers do not need

    source = frame.info.get("source", f"configuration {index}")
    copy = frame.copy()
    copy.set_constraint()
    copy.info["source"] = f"augmented from {source}"
    for _ in range(MAX_DRAWS):
        copy.positions = frame.positions + rng.normal(0.0, sigma, frame.positions.shape)
        if min_distance is None or len(neighbor_list("d", copy, min_distance)) == 0:
            return copy
    raise ValueError(
        f"augment: no noisy copy of {source} with all distances of {min_distance} Å or more in {MAX_DRAWS} draws; "
        f"give a smaller sigma than {sigma} Å or a smaller min_distance, or remove the configuration"
    )
