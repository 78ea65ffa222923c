"""Label what was chosen and noisy copies of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.config import validated
from nnpal.driver.data import write_learnt
from nnpal.driver.frames import read_bare
from nnpal.driver.labels import Labelled, label_in_tasks
from nnpal.driver.training import MODEL
from nnpal.evaluate import predict
from nnpal.label.augment import augment
from nnpal.label.settings import AugmentationSection
from nnpal.loop.stage import StageContext
from nnpal.rare_events.select import chosen_file


def label(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Label, and hold the model's uncertainty against its true errors on what it had not seen."""
    chosen = read_bare(chosen_file(ctx))
    copies = _noisy(ctx, chosen)
    if not chosen:
        return {"n_chosen": 0, "n_labelled": 0, "n_failed": 0, "reasons": {}, "files": []}
    labelled = label_in_tasks(ctx, base_folder, chosen + copies, may_be_none=True)
    if not labelled.frames:
        return {"n_chosen": len(chosen), **labelled.facts(), "files": []}
    return {
        "n_chosen": len(chosen),
        **labelled.facts(),
        **_errors(ctx, labelled),
        "files": [write_learnt(ctx, labelled.frames)],
    }


def _noisy(ctx: StageContext, frames: list[Atoms]) -> list[Atoms]:
    """Return copies; a configuration that no copy keeps its distances for has none."""
    table = ctx.tables["augmentation"]
    if table is None:
        return []
    section = validated(table | {"seed": 0}, AugmentationSection, source="augmentation")
    rng = np.random.default_rng(ctx.seed)
    found: list[Atoms] = []
    for frame in frames:
        try:
            found += augment([frame], section.sigma, section.copies, rng, min_distance=section.min_distance)
        except ValueError as error:
            ctx.log(f"no noisy copy: {error}")
    return found


def _errors(ctx: StageContext, labelled: Labelled) -> dict[str, Any]:
    """Return uncertainty and true error of energies (eV/atom) and forces (eV/Å), configuration by configuration."""
    found = predict(ctx.path(ctx.iteration, "train", MODEL), labelled.frames)
    n_atoms = found.n_atoms
    energies = np.array([frame.get_potential_energy() for frame in labelled.frames])
    forces = np.concatenate([frame.get_forces() for frame in labelled.frames])
    assert found.uq_force is not None  # asked for
    starts = np.concatenate(([0], np.cumsum(n_atoms)[:-1]))
    force_error = np.sqrt(np.square(found.forces - forces).sum(1))
    return {
        "uq": {
            "energy_uq": (found.member_energies.std(0) / n_atoms).tolist(),
            "energy_error": (np.abs(found.energies - energies) / n_atoms).tolist(),
            "force_uq": np.maximum.reduceat(found.uq_force, starts).tolist(),
            "force_error": np.maximum.reduceat(force_error, starts).tolist(),
        }
    }
