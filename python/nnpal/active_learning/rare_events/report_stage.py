"""The report of the loop of rare events: Figures S1 to S8 of the first supplement, and the stopping criterion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnpal.active_learning.engine.facts import MANIFEST
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.bias_report import bias_sections
from nnpal.active_learning.rare_events.energies_report import error_bars_of, figures_of_energies, tables_of_rates
from nnpal.active_learning.rare_events.facts import Iteration, ReportFacts
from nnpal.active_learning.rare_events.free_energy_report import free_energies
from nnpal.active_learning.rare_events.initial_stage import UNSEEN
from nnpal.active_learning.rare_events.judge import (
    differences,
    energies_of,
    error_bar_of,
    has_reached_aim,
    largest_error,
    oracle_energies,
    paired_energies,
    reason_to_stop,
    without_interval,
)
from nnpal.active_learning.rare_events.rotation_report import rotations
from nnpal.active_learning.rare_events.rows_report import figures_of_rows
from nnpal.active_learning.rare_events.select_stage import chosen_file
from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.rare_events.uq_report import traces
from nnpal.active_learning.report import (
    Fact,
    Figure,
    FigureFiles,
    IterationSummary,
    Page,
    Section,
    Snapshot,
    Table,
    activation,
    classes,
    classes_history,
    convergence,
    error_bars_text,
    iteration_table,
    iterations_done,
    labels_history,
    labels_used,
    parity,
    structures,
    uq_against_error,
)
from nnpal.active_learning.report.table import Cell
from nnpal.active_learning.sampling import SMDSection
from nnpal.active_learning.settings import LoopEnsembleSection, RareEventsSection
from nnpal.active_learning.shared.bare_frames import read_bare
from nnpal.active_learning.shared.calibration_report import calibration_sections, coverage_of
from nnpal.active_learning.shared.facts import SECOND, Errors, LabeledFacts, iterations
from nnpal.active_learning.shared.learned_data import LEARNED
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
from nnpal.active_learning.shared.train_ensemble import BEST
from nnpal.active_learning.shared.training_report import training_section
from nnpal.data import read_frames
from nnpal.evaluation import predict

SHOWN = 12


def report(
    ctx: StageContext, run: RunSection, section: RareEventsSection, pulls: SMDSection, ensemble: LoopEnsembleSection
) -> ReportFacts:
    """Write figures, their CSV files and the page, for all iterations so far."""
    history = iterations(ctx.history, Iteration, str(ctx.run_folder / MANIFEST))
    told = Told(ctx, history, run, section, pulls, ensemble)
    reason = reason_to_stop(history, section.goal, section.patience, section.steady)
    page = Page(
        title="Active learning of rare events",
        subtitle=f"{told.last.train.n_data:,} training and validation configurations in iteration {ctx.iteration}; "
        f"ensemble of {ensemble.members} {name_of(told.last.train.kind)} networks, {ensemble.split} splits",
        facts=_facts(told, reason),
        sections=_sections(told, is_over=reason is not None or len(history) >= run.iterations),
        failures=task_failures(ctx.run_folder, [done.stages() for done in history]),
        configuration=configuration(ctx),
        versions=versions(),
    )
    files = write_report(ctx, page)
    oracle = oracle_energies(history)
    error = None if oracle is None else largest_error(differences(history, history[-1]))
    return ReportFacts(files=files, reason=reason, largest_error_kcal_mol=error)


def _facts(told: Told, reason: str | None) -> list[Fact]:
    history, rate = told.history, told.rate
    n_labels = sum(one.n_labeled for done in history for one in done.stages() if isinstance(one, LabeledFacts))
    ours, theirs = paired_energies(history, told.last, rate)
    is_last = len(history) >= told.run.iterations
    converged = True if has_reached_aim(reason) else (False if reason or is_last else None)
    said = reason or ("all iterations are finished" if is_last else "the goal is not reached yet")
    one_pull = None if told.pulls.adds_runs else without_interval(history)
    said = f"{said}; {one_pull}" if one_pull and not has_reached_aim(reason) else said
    return [
        convergence(said, converged=converged),
        activation(
            ours,
            theirs,
            bound=told.section.goal,
            error_bars=error_bars_text(*error_bars_of(told.last, rate)),
            difference=told.differences(told.last).get(rate),
        ),
        labels_used(n_labels),
        iterations_done(len(history), of=told.run.iterations),
        *classes(told.last.select.counts),
        Fact("Loading rate", Cell(f"{rate} Å/ps")),
    ]


def _sections(told: Told, *, is_over: bool) -> list[Section]:
    ctx, history, rate = told.ctx, told.history, told.rate
    oracle = oracle_energies(history)
    table = iteration_table(
        [_summary(told, k) for k in range(len(history))],
        oracle=None if oracle is None else oracle.get(rate),
        bound=told.section.goal,
    )
    return [
        section("Iterations", table),
        section("Activation energy", *_energies(told)),
        *bias_sections(history),
        section("Uncertainty along the pulls", figures(ctx, _uncertainty(told))),
        section("Errors", figures(ctx, _errors(told))),
        training_section(ctx),
        *calibration_sections(ctx, [done.label for done in history]),
        *second_sections(
            [done.train for done in history],
            [None if done.train.unseen is None else done.train.unseen.ensemble for done in history],
            [None if done.explore.second is None else or_nan(energies_of(done, SECOND).get(rate)) for done in history],
            []
            if oracle is None
            else [told.differences(done, SECOND).get(rate) if done.explore.second else None for done in history],
        ),
        section("Selected configurations", *_chosen(told)),
        *(_of_rows(told) if is_over else []),
    ]


def _summary(told: Told, iteration: int) -> IterationSummary:
    done, rate = told.history[iteration], told.rate
    unseen = None if done.train.unseen is None else done.train.unseen.ensemble
    ended = done.explore.ensemble.ended.values()
    n_broken = sum(how != "complete" for how in ended)
    return IterationSummary(
        iteration=iteration,
        n_labels=done.train.n_data,
        n_new=done.label.n_labeled,
        counts=done.select.counts,
        energy_mae=None if unseen is None else unseen.energy_mae,
        force_mae=None if unseen is None else unseen.force_mae,
        activation_energy=energies_of(done).get(rate),
        error_bars=error_bars_of(done, rate),
        difference=told.differences(done).get(rate),
        coverage=coverage_of(done.label),
        note=f"{n_broken} of {len(ended)} pulls ended early" if n_broken else "",
    )


def _energies(told: Told) -> list[str | Table | list[FigureFiles]]:
    """Return tables and figures of activation energies, work functions and free energies, and their reliability."""
    drawn, notes = free_energies(told)
    one_pull = without_interval(told.history)
    return [
        *tables_of_rates(told),
        *([f"{one_pull[0].upper()}{one_pull[1:]}."] if one_pull else []),
        figures(told.ctx, [*figures_of_energies(told), *drawn]),
        *_about_error_bars(told),
        *notes,
    ]


def _about_error_bars(told: Told) -> list[str]:
    """Return text on the reliability of the error bar from the members, or why there is none."""
    bar = error_bar_of(told.last, told.rate)
    if bar.undefined is not None:
        return [f"No error bar from the members: {bar.undefined}."]
    if bar.members is None:
        return []
    worth = (
        "It is the uncalibrated spread, often several times too small"
        if bar.factor is None
        else f"It is the spread times {bar.factor:.3g}, the calibration factor of energies in the model file, which "
        "holds near the training data only"
    )
    return [
        f"The error bar from the members is the standard deviation of E_a over the {len(bar.members)} members, whose "
        f"energies are evaluated along the ensemble's pull, to first order in their differences. {worth}. An error "
        "that all members share does not show."
    ]


def _uncertainty(told: Told) -> list[Figure]:
    counts = [done.select.counts for done in told.history]
    return [*traces(told), classes_history(list(range(len(counts))), counts)]


def _of_rows(told: Told) -> list[Section]:
    """Return sections with the complete figures of the supplement, and rotations of the ends before the break."""
    tables, drawn = rotations(told)
    found = [section("Figures of the supplement", figures(told.ctx, figures_of_rows(told)))]
    return [*found, section("Rotation of the ends", *tables, figures(told.ctx, drawn))] if drawn else found


def _errors(told: Told) -> list[Figure]:
    history, numbers = told.history, list(range(len(told.history)))
    parts = {
        "train": [done.train.training_errors for done in history],
        "validation": [done.train.validation_errors for done in history],
    }
    unseen = [None if done.train.unseen is None else done.train.unseen.best for done in history]
    shown: dict[str, Sequence[Errors | None]] = {**parts, "held-out pulls": unseen} if any(unseen) else {**parts}
    drawn = mae_of_all(numbers, shown)
    drawn += _parity(told.ctx)
    judged = [(k, done.label.uq) for k, done in enumerate(history) if done.label.uq is not None]
    if judged:
        groups = [f"iteration {k}" for k, one in judged for _ in one.energy_uq]
        for quantity, pairs in (
            ("energy", [(one.energy_uq, one.energy_error) for _, one in judged]),
            ("force", [(one.force_uq, one.force_error) for _, one in judged]),
        ):
            uq, error = ([value for pair in pairs for value in pair[side]] for side in (0, 1))
            drawn.append(uq_against_error(uq, error, groups, quantity=quantity, name=f"uq_against_error_{quantity}"))
    first = history[0].initial
    counts = {"initial": [0 if first is None else first.n_labeled] * len(history),
              "explored": np.cumsum([done.label.n_labeled for done in history]).tolist()}  # fmt: skip
    return [*drawn, labels_history(numbers, counts)]


def _parity(ctx: StageContext) -> list[Figure]:
    path = ctx.path(0, "initial", UNSEEN)
    if not path.is_file():
        return []
    frames = read_frames(path)
    found = predict(ctx.path(ctx.iteration, "train", BEST), frames, members=False, uq_force=False)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    return [parity(energies / found.n_atoms, found.energies / found.n_atoms, quantity="energy", relative=True,
                   name="parity_unseen")]  # fmt: skip


def _chosen(told: Told) -> list[str | list[FigureFiles]]:
    selected = told.last.select
    if not selected.chosen:
        return ["No configuration was selected in this iteration."]
    frames = read_bare(chosen_file(told.ctx))
    said = (
        f"{selected.n_candidates:,} candidates: {selected.n_near_known:,} near-duplicates of existing data, "
        f"{selected.n_near_chosen:,} of selected ones, {len(frames)} selected. Dataset: "
        f"iter-{told.ctx.iteration:04d}/label/{LEARNED}."
    )
    shown = [Snapshot(frame, f"{one.run}\nstep {one.step}") for frame, one in zip(frames, selected.chosen, strict=True)]
    return [said, figures(told.ctx, [structures(shown, most=SHOWN)])]
