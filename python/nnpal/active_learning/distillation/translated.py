"""Label a translated dataset, and train on it."""

from __future__ import annotations

from pathlib import Path

from nnpal.active_learning.distillation.facts import TranslatedFacts, TranslationTrainFacts
from nnpal.active_learning.distillation.train_stage import Crystals, relaxed
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.selection.translate import translate
from nnpal.active_learning.settings import TranslationSection
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.learned_data import LEARNED, learned_so_far, write_learned
from nnpal.active_learning.shared.train_ensemble import Learning, train_in_tasks
from nnpal.data import read_frames


def source_files(source: Path) -> list[Path]:
    """Return the datasets of a run folder, or the dataset itself.

    Raises:
        StageError: there are none.
    """
    found = sorted(source.glob(f"iter-*/*/{LEARNED}")) if source.is_dir() else [source]
    if not found or not all(path.is_file() for path in found):
        raise StageError(f"translation.source = {source}: no dataset, and no run's folder with {LEARNED} in it")
    return found


def label(ctx: StageContext, how: Labeling, section: TranslationSection) -> TranslatedFacts:
    """Translate the source dataset, and label it."""
    frames = [frame for path in source_files(how.base_folder / section.source) for frame in read_frames(path)]
    translated = translate(frames, factor=section.factor, symbols=section.symbols)
    labeled = label_in_tasks(ctx, how, translated)
    return TranslatedFacts(
        n_source=len(frames),
        n_labeled=labeled.n_labeled,
        n_failed=labeled.n_failed,
        reasons=labeled.counted,
        files=(write_learned(ctx, labeled.frames),),
    )


def train(ctx: StageContext, how: Learning, crystals: Crystals | None) -> TranslationTrainFacts:
    """Train, and relax crystals under model and oracle."""
    ensemble, facts = train_in_tasks(ctx, how, learned_so_far(ctx))
    return TranslationTrainFacts(
        **dict(facts), self_energies=tuple(ensemble.result.self_energies), crystals=relaxed(ctx, crystals)
    )
