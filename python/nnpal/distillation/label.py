"""Label what was kept."""

from __future__ import annotations

import numpy as np

from nnpal.distillation.facts import EnergyErrors, LabelFacts
from nnpal.distillation.select import CHOSEN
from nnpal.driver.data import write_learnt
from nnpal.driver.frames import read_bare
from nnpal.driver.labels import Labelled, Labelling, label_in_tasks
from nnpal.driver.training import MODEL
from nnpal.evaluate import predict
from nnpal.loop.stage import StageContext


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
