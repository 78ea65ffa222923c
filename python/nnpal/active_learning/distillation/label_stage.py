"""Label the selected configurations."""

from __future__ import annotations

import numpy as np

from nnpal.active_learning.distillation.facts import EnergyErrors, LabelFacts
from nnpal.active_learning.distillation.select_stage import CHOSEN
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.candidate_pairs import PAIRS, Candidates, judge_candidates
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.learned_data import write_learned
from nnpal.active_learning.shared.train_ensemble import MODEL


def label(ctx: StageContext, how: Labeling) -> LabelFacts:
    """Label; from the second iteration on, compare the uncertainty with the true errors of the model that selected."""
    frames = read_bare(ctx.path(ctx.iteration, "select", CHOSEN))
    if not frames:
        return LabelFacts(n_labeled=0, n_failed=0, reasons={}, files=())
    for frame in frames:
        frame.info.setdefault("tag", "distilled")
    labeled = label_in_tasks(ctx, how, frames, may_be_none=ctx.iteration > 0)
    found = LabelFacts(
        n_labeled=labeled.n_labeled,
        n_failed=labeled.n_failed,
        reasons=labeled.counted,
        files=(write_learned(ctx, labeled.frames),) if labeled.frames else (),
    )
    if not labeled.frames or not ctx.iteration:
        return found
    candidates = judge_candidates(ctx, ctx.path(ctx.iteration - 1, "train", MODEL), labeled.frames)
    return found.model_copy(
        update={
            "uq": _errors(candidates),
            "calibration": candidates.coverage(),
            "files": (*found.files, PAIRS),
        }
    )


def _errors(candidates: Candidates) -> EnergyErrors:
    pairs = candidates.pairs
    return EnergyErrors(
        energy_uq=tuple((pairs.energy_std / pairs.n_atoms).tolist()),
        energy_error=tuple((np.abs(pairs.energy_error) / pairs.n_atoms).tolist()),
    )
