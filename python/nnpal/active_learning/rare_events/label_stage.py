"""Label the selected frames and noisy copies of them, and frames around the largest forces with displaced copies."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.facts import ErrorsByUncertainty, LabelFacts
from nnpal.active_learning.rare_events.select_stage import chosen_file, peaks_file
from nnpal.active_learning.rare_events.stiffness import stiffness_facts
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.candidate_pairs import PAIRS, Candidates, judge_candidates
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.learned_data import write_learned
from nnpal.active_learning.shared.train_ensemble import MODEL
from nnpal.label.augment import augment
from nnpal.label.settings import AugmentationSection


def label(ctx: StageContext, how: Labeling, augmentation: AugmentationSection | None) -> LabelFacts:
    """Label, and compare the model's uncertainty with its true errors on the new configurations."""
    chosen = read_bare(chosen_file(ctx))
    peaks = read_bare(peaks_file(ctx)) if peaks_file(ctx).is_file() else []  # runs of earlier versions have none
    wanted = chosen + _noisy(ctx, augmentation, chosen) + peaks
    if not wanted:
        return LabelFacts(n_chosen=0, n_labeled=0, n_failed=0, reasons={}, files=())
    labeled = label_in_tasks(ctx, how, wanted, may_be_none=True)
    found = LabelFacts(
        n_chosen=len(chosen),
        n_labeled=labeled.n_labeled,
        n_failed=labeled.n_failed,
        reasons=labeled.counted,
        files=(),
    )
    if not labeled.frames:
        return found
    model = ctx.path(ctx.iteration, "train", MODEL)
    candidates = judge_candidates(ctx, model, labeled.frames)
    return found.model_copy(
        update={
            "uq": _errors(candidates),
            "calibration": candidates.coverage(),
            "stiffness": stiffness_facts(model, labeled.frames),
            "files": (write_learned(ctx, labeled.frames), PAIRS),
        }
    )


def _noisy(ctx: StageContext, section: AugmentationSection | None, frames: list[Atoms]) -> list[Atoms]:
    """Return noisy copies; a configuration has none if every copy violates the distance limits."""
    if section is None:
        return []
    rng = np.random.default_rng(ctx.seed)
    found: list[Atoms] = []
    for frame in frames:
        try:
            found += augment([frame], section.sigma, section.copies, rng, min_distance=section.min_distance)
        except ValueError as error:
            ctx.log(f"no noisy copy: {error}")
    return found


def _errors(candidates: Candidates) -> ErrorsByUncertainty:
    """Return the uncertainty and true error of energies (eV/atom) and forces (eV/Å) of each configuration."""
    pairs = candidates.pairs
    return ErrorsByUncertainty(
        energy_uq=tuple((pairs.energy_std / pairs.n_atoms).tolist()),
        energy_error=tuple((np.abs(pairs.energy_error) / pairs.n_atoms).tolist()),
        force_uq=tuple(np.maximum.reduceat(pairs.uq_force, pairs.first_atoms).tolist()),
        force_error=tuple(np.maximum.reduceat(pairs.size, pairs.first_atoms).tolist()),
    )
