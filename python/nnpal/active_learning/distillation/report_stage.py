"""The report of distillation: numbers of selected configurations, errors, and crystals compared with the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnpal.active_learning.distillation.facts import CrystalsFacts, Iteration, SampleFacts
from nnpal.active_learning.distillation.pools import SERIES, n_pools, series
from nnpal.active_learning.distillation.select_stage import CHOSEN
from nnpal.active_learning.distillation.time_series import series_of_file, series_table
from nnpal.active_learning.engine.facts import MANIFEST
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.report import (
    Crystal,
    Fact,
    Figure,
    FigureFiles,
    IterationSummary,
    Page,
    Section,
    Snapshot,
    Table,
    classes,
    classes_history,
    distillation_history,
    ending,
    enthalpy_order,
    error_fact,
    grid_table,
    iteration_table,
    iterations_done,
    labels_used,
    relax_table,
    structures,
    uq_against_error,
)
from nnpal.active_learning.report.table import Cell
from nnpal.active_learning.selection.grid import grid_chain
from nnpal.active_learning.settings import DistillationSection, LoopEnsembleSection
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.calibration_report import calibration_sections, coverage_of
from nnpal.active_learning.shared.facts import Errors, PageFacts, iterations
from nnpal.active_learning.shared.learned_data import learned_so_far
from nnpal.active_learning.shared.report_page import (
    configuration,
    figures,
    mae_of_all,
    or_nan,
    section,
    task_failures,
    versions,
    write_report,
)
from nnpal.active_learning.shared.second_report import name_of, second_sections
from nnpal.active_learning.shared.training_report import training_section
from nnpal.figures.style import MILLI
from nnpal.figures.time_series import energy_series, enthalpy_order_series


@dataclass(frozen=True)
class Told:
    """Data of a report.

    Arguments:
        ctx: context of the stage.
        history: all iterations so far.
        n_sampled, n_learned: numbers of sampled configurations and of those trained on.
        run, settings, ensemble: the tables [run], [distillation] and [ensemble].
    """

    ctx: StageContext
    history: list[Iteration]
    n_sampled: int
    n_learned: int
    run: RunSection
    settings: DistillationSection
    ensemble: LoopEnsembleSection

    @property
    def last(self) -> Iteration:
        return self.history[-1]


def report(
    ctx: StageContext, run: RunSection, settings: DistillationSection, ensemble: LoopEnsembleSection
) -> PageFacts:
    """Write figures, their CSV files and the page, for all iterations so far."""
    history = iterations(ctx.history, Iteration, str(ctx.run_folder / MANIFEST))
    first = history[0].sample
    n_sampled = 0 if first is None else first.n_frames
    told = Told(ctx, history, n_sampled, len(learned_so_far(ctx)), run, settings, ensemble)
    page = Page(
        title="Data distillation",
        subtitle=f"{told.n_learned:,} of {n_sampled:,} sampled configurations selected, ensemble of {ensemble.members} "
        f"{name_of(told.last.train.kind)} networks",
        facts=_facts(told),
        sections=[
            section("Iterations", iteration_table([_summary(k, done) for k, done in enumerate(history)])),
            section("Crystals", *crystal_tables(told.last.train.crystals, "distilled")),
            *_sampling(told),
            section("Selected configurations", figures(ctx, _kept(told)), *_grids(told)),
            section("Errors", figures(ctx, _errors(told))),
            training_section(ctx),
            *calibration_sections(ctx, [done.label for done in history]),
            *second_sections([done.train for done in history], [done.train.test for done in history]),
            section("Configurations selected last", *_chosen(told)),
        ],
        failures=task_failures(ctx.run_folder, [done.stages() for done in history]),
        configuration=configuration(ctx),
        versions=versions(),
    )
    return PageFacts(files=write_report(ctx, page))


def _facts(told: Told) -> list[Fact]:
    pools, done = n_pools(told.settings), len(told.history)
    train, counts = told.last.train, told.last.select.counts
    found = [
        ending(_reason(done, pools, told.run.iterations), f"{done} of {pools} pools are distilled"),
        *(_test_errors(train.test) if train.test is not None else []),
        labels_used(told.n_learned, of=told.n_sampled),
        iterations_done(done, of=min(pools, told.run.iterations)),
        *(classes(counts) if counts else []),
    ]
    for element, crystals in train.crystals.items():
        if len(crystals.oracle_order) > 1:  # a single crystal has no order
            order = "right" if crystals.right_order else "wrong"
            found.append(
                Fact(f"Order of {element}'s crystals", Cell(order, tone="good" if order == "right" else "bad"))
            )
        if crystals.summed_bond_error is not None:
            found.append(Fact(f"Summed bond error, {element} (Å)", Cell(crystals.summed_bond_error, decimals=3)))
    return found


def _test_errors(test: Errors) -> list[Fact]:
    what = "the test set of the sampling"
    return [
        error_fact("Energy MAE (meV/atom)", MILLI * test.energy_mae, what),
        error_fact("Force MAE (meV/Å)", MILLI * test.force_mae, what),
    ]


def _reason(done: int, pools: int, iterations: int) -> str | None:
    """Return why the run ended; None if it continues."""
    if done >= pools:
        return f"all {pools} pools are distilled"
    return f"run.iterations = {iterations} are done" if done >= iterations else None


def _summary(iteration: int, done: Iteration) -> IterationSummary:
    test = done.train.test
    return IterationSummary(
        iteration=iteration,
        n_labels=done.train.n_data,
        n_new=done.label.n_labeled,
        counts=done.select.counts,
        energy_mae=None if test is None else test.energy_mae,
        force_mae=None if test is None else test.force_mae,
        coverage=coverage_of(done.label),
    )


def crystal_tables(found: Mapping[str, CrystalsFacts], ours: str) -> Sequence[str | Table]:
    """Return a table for each element with the crystals of the oracle and of the model, whose name is ``ours``."""
    told: list[str | Table] = []
    for crystals in found.values():
        model, oracle = (
            [Crystal(name, or_nan(one.bond), or_nan(one.energy)) for name, one in who.items()]
            for who in (crystals.model, crystals.oracle)
        )
        told.append(relax_table(oracle, {ours: model}))
        told += crystals.notes
    return told or ["No table [crystals] was given."]


def _sampling(told: Told) -> list[Section]:
    """Return the section on trajectories; none for sampling by earlier versions, which has no time series."""
    found = series_of_file(told.ctx.path(0, SampleFacts.stage, SERIES))
    if not found:
        return []
    drawn = [energy_series(found), enthalpy_order_series(found)]
    return [section("Sampling", figures(told.ctx, drawn), series_table(found))]


def _kept(told: Told) -> list[Figure]:
    history = told.history
    order, enthalpy, _ = series(told.ctx)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[[one.frame for done in history for one in done.select.chosen]] = True
    offered = [done.select.n_pool for done in history]
    kept = [len({one.frame for one in done.select.chosen}) for done in history]
    drawn = [distillation_history(list(range(len(history))), offered, kept, label="pool")]
    if np.isfinite(order).all():
        drawn.append(enthalpy_order(enthalpy, order, chosen))
    later = history[1:]
    if later:
        drawn.append(classes_history(list(range(1, len(history))), [done.select.counts for done in later]))
    return drawn


def _grids(told: Told) -> list[str | Table]:
    order, enthalpy, _ = series(told.ctx)
    if not np.isfinite(order).all():
        return []
    levels = grid_chain(order, enthalpy, delta_H=told.settings.delta_H)
    table = grid_table(
        [level.delta_O for level in levels],
        [len(level.selected) for level in levels],
        [len(level.deselected) for level in levels],
    )
    return [
        "What grids in the order parameter would select from the same sampling, instead of the distillation "
        "(Table S3 of the supplementary text on data distillation):",
        table,
    ]


def _errors(told: Told) -> list[Figure]:
    history = told.history
    drawn = mae_of_all(
        list(range(len(history))),
        {
            "train": [done.train.training_errors for done in history],
            "validation": [done.train.validation_errors for done in history],
            "test (sampling)": [done.train.test for done in history],
        },
    )
    judged = [(k, done.label.uq) for k, done in enumerate(history) if done.label.uq is not None]
    uq = [value for _, one in judged for value in one.energy_uq]
    error = [value for _, one in judged for value in one.energy_error]
    groups = [f"iteration {k}" for k, one in judged for _ in one.energy_uq]
    return [*drawn, uq_against_error(uq, error, groups, name="uq_against_error_energy")] if uq else drawn


def _chosen(told: Told) -> list[str | list[FigureFiles]]:
    frames = read_bare(told.ctx.path(told.ctx.iteration, "select", CHOSEN))
    if not frames:
        return ["No configuration was selected in this iteration."]
    shown = [
        Snapshot(frame, f"frame {one.frame}\natom {one.atom}", (0,) if one.preserved_radius is not None else ())
        for frame, one in zip(frames, told.last.select.chosen, strict=True)
    ]
    return [figures(told.ctx, [structures(shown, marked="the uncertain atom")])]
