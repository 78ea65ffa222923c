"""Train on what is distilled so far, and hold the model against the test set and the oracle's crystals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnpal.config import validated
from nnpal.data import read_frames
from nnpal.distillation.sample import TEST
from nnpal.driver.config import CrystalsSection
from nnpal.driver.data import learnt_so_far
from nnpal.driver.training import MODEL, errors_on, train_in_tasks
from nnpal.evaluate import relax_table
from nnpal.label.lammps_commands import files_in, with_paths
from nnpal.loop.stage import StageContext


def train(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Train; take errors on the test set of the sampling, and relax crystals under model and oracle."""
    _, facts = train_in_tasks(ctx, learnt_so_far(ctx))
    test = ctx.path(0, "sample", TEST)
    facts["test"] = errors_on(ctx.folder / MODEL, read_frames(test)) if test.is_file() else None
    facts["crystals"] = crystals(ctx, base_folder)
    return facts


def crystals(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    """Return relaxed crystals by element, see :class:`nnpal.evaluate.RelaxComparison`; the oracle is LAMMPS's."""
    table, oracle = ctx.tables["crystals"], ctx.tables["oracle"]
    if table is None:
        return {}
    section = validated(table, CrystalsSection, source="crystals")
    files = files_in(oracle["commands"], base_folder)
    commands = [with_paths(line, files) for line in oracle["commands"]]
    structures = [structure.structure() for structure in section.structures]
    found = relax_table(ctx.folder / MODEL, commands, structures, ctx.folder / "crystals", contain=True)
    return {one.element: one.to_json() for one in found}
