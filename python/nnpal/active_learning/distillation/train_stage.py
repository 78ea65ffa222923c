"""Train on the data so far, and compare the model with the test set and the oracle's crystals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnpal.active_learning.config import CrystalsSection, RunConfig
from nnpal.active_learning.distillation.facts import CrystalsFacts, DistillationTrainFacts
from nnpal.active_learning.distillation.sample_stage import TEST
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.shared.learned_data import learned_so_far
from nnpal.active_learning.shared.train_ensemble import MODEL, Learning, errors_on, train_in_tasks
from nnpal.data import read_frames
from nnpal.evaluation import relax_table
from nnpal.oracle.lammps_commands import files_in, with_paths
from nnpal.oracle.settings import LammpsSection


@dataclass(frozen=True)
class Crystals:
    """Crystals to relax, and the oracle's LAMMPS commands, whose file paths are relative to ``base_folder``."""

    section: CrystalsSection
    oracle: LammpsSection
    base_folder: Path

    @classmethod
    def of(cls, config: RunConfig, base_folder: Path) -> Crystals | None:
        """Return the crystals of a configuration, or None without [crystals]."""
        if config.crystals is None or not isinstance(config.oracle, LammpsSection):
            return None
        return cls(config.crystals, config.oracle, base_folder)


def train(ctx: StageContext, how: Learning, crystals: Crystals | None) -> DistillationTrainFacts:
    """Train, evaluate errors on the test set of the sampling, and relax crystals under model and oracle."""
    test = ctx.path(0, "sample", TEST)
    frames = read_frames(test) if test.is_file() else []
    _, facts = train_in_tasks(ctx, how, learned_so_far(ctx), frames)
    errors = errors_on(ctx.folder / MODEL, frames)
    return DistillationTrainFacts(**dict(facts), test=errors, crystals=relaxed(ctx, crystals))


def relaxed(ctx: StageContext, crystals: Crystals | None) -> dict[str, CrystalsFacts]:
    """Return relaxed crystals by element, see :class:`nnpal.evaluation.RelaxComparison`."""
    if crystals is None:
        return {}
    files = files_in(crystals.oracle.commands, crystals.base_folder)
    commands = [with_paths(line, files) for line in crystals.oracle.commands]
    structures = [structure.structure() for structure in crystals.section.structures]
    found = relax_table(ctx.folder / MODEL, commands, structures, ctx.folder / "crystals", contain=True)
    return {one.element: CrystalsFacts.from_json(one.to_json(), f"crystals of {one.element}") for one in found}
