"""The pool of sampled configurations that each iteration selects from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from nnpal.active_learning.distillation.facts import SampleFacts
from nnpal.active_learning.distillation.walks import RUNS
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.sampling import read_isobaric
from nnpal.active_learning.selection.grid import DELTAS, grid_chain
from nnpal.active_learning.selection.sets import sequential_sets
from nnpal.active_learning.settings import DistillationSection

SERIES = "series.npz"


def n_pools(section: DistillationSection) -> int:
    """Return the number of pools, which equals that of iterations."""
    return section.sets if section.pools == "sequential" else len(DELTAS) + 1


def pool(ctx: StageContext, section: DistillationSection, iteration: int) -> np.ndarray:
    """Return the indices of the configurations in an iteration's pool, without the test set, ascending.

    ``sequential``: equal parts of the series. ``grid``: first the configurations that the coarsest (O, H) grid
    selected, then those that each grid deselected, from the coarsest to the finest (Table S3).
    """
    order, enthalpy, test = series(ctx)
    if section.pools == "sequential":
        found = np.asarray(sequential_sets(range(len(order)), section.sets)[iteration])
    else:
        levels = grid_chain(order, enthalpy, delta_H=section.delta_H)
        found = levels[-1].selected if iteration == 0 else levels[-iteration].deselected
    return np.setdiff1d(found, test)


def series(ctx: StageContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return O and H of all sampled configurations, and the indices of the test set."""
    with np.load(ctx.path(0, "sample", SERIES)) as file:
        return file["order"], file["enthalpy"], file["test"]


def sampled_frames(ctx: StageContext, indices: Sequence[int] | np.ndarray) -> list[Atoms]:
    """Return sampled configurations by their indices in the concatenated series of all runs."""
    frames: list[Atoms] = []
    for name in ctx.found(0, SampleFacts).runs:
        frames += read_isobaric(ctx.path(0, "sample", RUNS) / name).frames
    return [frames[i] for i in indices]
