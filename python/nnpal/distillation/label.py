"""Label what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnpal.distillation.select import CHOSEN
from nnpal.driver.data import write_learnt
from nnpal.driver.frames import read_bare
from nnpal.driver.labels import label_in_tasks
from nnpal.driver.training import MODEL
from nnpal.evaluate import predict
from nnpal.loop.stage import StageContext


def label(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Label; from the second iteration on, hold uncertainty against the true errors of the model that chose."""
    frames = read_bare(ctx.path(ctx.iteration, "select", CHOSEN))
    if not frames:
        return {"n_labelled": 0, "n_failed": 0, "reasons": {}, "files": []}
    for frame in frames:
        frame.info.setdefault("tag", "distilled")
    labelled = label_in_tasks(ctx, base_folder, frames, may_be_none=ctx.iteration > 0)
    if not labelled.frames:
        return {**labelled.facts(), "files": []}
    facts = {**labelled.facts(), "files": [write_learnt(ctx, labelled.frames)]}
    if ctx.iteration:
        found = predict(ctx.path(ctx.iteration - 1, "train", MODEL), labelled.frames, uq_force=False)
        energies = np.array([frame.get_potential_energy() for frame in labelled.frames])
        facts["uq"] = {
            "energy_uq": (found.member_energies.std(0) / found.n_atoms).tolist(),
            "energy_error": (np.abs(found.energies - energies) / found.n_atoms).tolist(),
        }
    return facts
