"""The report of a translation: errors, and crystals compared with the oracle."""

from __future__ import annotations

from nnpal.active_learning.distillation.facts import TranslationFacts, TranslationTrainFacts
from nnpal.active_learning.distillation.report_stage import crystal_tables
from nnpal.active_learning.engine.facts import MANIFEST
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.report import Page, Table, ending, error_fact, errors_table, labels_used
from nnpal.active_learning.settings import TranslationSection
from nnpal.active_learning.shared.facts import Errors, PageFacts, iterations
from nnpal.active_learning.shared.report_page import configuration, section, task_failures, versions, write_report
from nnpal.active_learning.shared.second_report import name_of, second_sections
from nnpal.active_learning.shared.training_report import training_section
from nnpal.figures.style import MILLI


def report(ctx: StageContext, settings: TranslationSection) -> PageFacts:
    """Write the page of the report."""
    [done] = iterations(ctx.history, TranslationFacts, str(ctx.run_folder / MANIFEST))
    validation, what = done.train.validation_errors, "validation data of the best member"
    page = Page(
        title="Translation of a distilled dataset",
        subtitle=", ".join(
            [
                *(f"{old} becomes {new}" for old, new in settings.symbols.items()),
                f"lengths scaled by {settings.factor:.4f}",
                f"ensemble of {done.train.members} {name_of(done.train.kind)} networks",
            ]
        ),
        facts=[
            ending("the dataset is translated", "one iteration"),
            labels_used(done.label.n_labeled, of=done.label.n_source, what="translated"),
            error_fact("Energy MAE (meV/atom)", MILLI * validation.energy_mae, what),
            error_fact("Force MAE (meV/Å)", MILLI * validation.force_mae, what),
        ],
        sections=[
            section("Errors", _errors(done.train)),
            training_section(ctx),
            *second_sections([done.train]),
            section("Crystals", *crystal_tables(done.train.crystals, "translated")),
        ],
        failures=task_failures(ctx.run_folder, [done.stages()]),
        configuration=configuration(ctx),
        versions=versions(),
    )
    (ctx.folder / "figures").mkdir(exist_ok=True)
    return PageFacts(files=write_report(ctx, page))


def _errors(train: TranslationTrainFacts) -> Table:
    """Return errors of the best member on its own split, because a translation has no test set."""
    parts: dict[str, Errors] = {"training": train.training_errors, "validation": train.validation_errors}
    return errors_table(
        {said: errors.to_json() for said, errors in parts.items()},
        note=f"Member {train.best_member}, the best of {train.members}, on its own training and validation data.",
    )
