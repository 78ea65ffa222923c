"""Label what was kept."""

from __future__ import annotations

import numpy as np

from nnpal.active_learning.distillation.facts import EnergyErrors, LabelFacts
from nnpal.active_learning.distillation.select_stage import CHOSEN
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.label_frames import Labelled, Labelling, label_in_tasks
from nnpal.active_learning.shared.learnt_data import write_learnt
from nnpal.active_learning.shared.train_ensemble import MODEL
from nnpal.evaluation import predict


def label(ctx: StageContext, how: Labelling) -> LabelFacts:
    """Label; from the second iteration on, hold uncertainty against the true errors of the model that chose."""
    frames = read_bare(ctx.path(ctx.iteration, "select", CHOSEN))
    if not frames:
        return LabelFacts(n_labelled=0, n_failed=0, reasons={}, files=())
    for frame in frames:
        frame.info.setdefault("tag", "distilled")
    labelled = label_in_tasks(ctx, how, frames, may_be_none=ctx.iteration > 0)
    files = (write_learnt(ctx, labelled.frames),) if labelled.frames else ()
    return LabelFacts(
        n_labelled=labelled.n_labelled,
        n_failed=labelled.n_failed,
        reasons=labelled.counted,
        uq=_errors(ctx, labelled) if labelled.frames and ctx.iteration else None,
        files=files,
    )


def _errors(ctx: StageContext, labelled: Labelled) -> EnergyErrors:
    found = predict(ctx.path(ctx.iteration - 1, "train", MODEL), labelled.frames, uq_force=False)
    energies = np.array([frame.get_potential_energy() for frame in labelled.frames])
    return EnergyErrors(
        energy_uq=tuple((found.member_energies.std(0) / found.n_atoms).tolist()),
        energy_error=tuple((np.abs(found.energies - energies) / found.n_atoms).tolist()),
    )
