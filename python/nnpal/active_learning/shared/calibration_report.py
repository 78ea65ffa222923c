"""The part of a report on error bars of new candidates; empty without error bars, as in runs of earlier versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.report import Figure, Section, coverage_history, error_by_tenth, reliability_curves
from nnpal.active_learning.shared.candidate_pairs import candidates_by_iteration
from nnpal.active_learning.shared.facts import CandidateFacts, CoverageFacts
from nnpal.active_learning.shared.report_page import figures, section


def calibration_sections(ctx: StageContext, labeled: Sequence[CandidateFacts]) -> list[Section]:
    """Return the section on error bars, or none.

    Arguments:
        ctx: context of the stage.
        labeled: facts of the labeling stage of each iteration.
    """
    told = [(k, one.calibration) for k, one in enumerate(labeled) if one.calibration is not None]
    if not told:
        return []
    iteration, last = told[-1]
    said = f"Iteration {iteration}, {last.in_words()}. Each iteration's new labels calibrate the models after it."
    return [section("Error bars on new configurations", said, figures(ctx, _drawn(ctx, dict(told), len(labeled))))]


def coverage_of(labeled: CandidateFacts) -> Mapping[float, float]:
    """Return nominal -> observed coverage; empty if the model had no error bars."""
    found = labeled.calibration
    return {} if found is None else dict(zip(found.levels, found.coverage, strict=True))


def _drawn(ctx: StageContext, told: Mapping[int, CoverageFacts], n_iterations: int) -> list[Figure]:
    parts = {
        f"iteration {k}": (one.pairs.force_error[one.known], one.error_force[one.known])
        for k, one in candidates_by_iteration(ctx).items()
    }
    levels = next(iter(told.values())).levels
    shares = np.full((len(levels), n_iterations), np.nan)
    for k, one in told.items():
        shares[:, k] = one.coverage
    history = coverage_history(list(range(n_iterations)), dict(zip(levels, shares, strict=True)))
    return [reliability_curves(parts), error_by_tenth(parts), history]
