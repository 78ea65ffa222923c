"""The report of the loop of rare events: Figures S1 to S8 of the first supplement, and whether the aim is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnpal.active_learning.engine.facts import MANIFEST
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.bias_report import bias_sections
from nnpal.active_learning.rare_events.facts import Iteration, ReportFacts
from nnpal.active_learning.rare_events.initial_stage import UNSEEN
from nnpal.active_learning.rare_events.judge import (
    differences,
    energies_of,
    error_bar_of,
    has_reached_aim,
    largest_error,
    oracle_energies,
    reason_to_stop,
    without_interval,
)
from nnpal.active_learning.rare_events.oracle_pulls import PULLS
from nnpal.active_learning.rare_events.select_stage import chosen_file
from nnpal.active_learning.report import (
    Fact,
    Figure,
    FigureFiles,
    IterationSummary,
    Page,
    Section,
    Snapshot,
    UQRun,
    WorkCurve,
    activation,
    activation_energy,
    activation_energy_error,
    classes,
    classes_history,
    convergence,
    error_bars_text,
    iteration_table,
    iterations_done,
    labels_history,
    labels_used,
    loading_rates,
    parity,
    structures,
    uq_against_error,
    uq_trace,
    work_function,
)
from nnpal.active_learning.report.table import Cell
from nnpal.active_learning.sampling import SMDRun, SMDSection, holds_run, read_smd
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
from nnpal.active_learning.shared.second_report import name_of, second_name, second_sections
from nnpal.active_learning.shared.train_ensemble import BEST
from nnpal.data import read_frames
from nnpal.evaluation import predict

SHOWN = 12


@dataclass(frozen=True)
class Told:
    """What a page tells of.

    Arguments:
        ctx: of the stage.
        history: all iterations so far.
        run, section, pulls, ensemble: the tables [run], [rare_events], [explore] and [ensemble].
    """

    ctx: StageContext
    history: list[Iteration]
    run: RunSection
    section: RareEventsSection
    pulls: SMDSection
    ensemble: LoopEnsembleSection

    @property
    def last(self) -> Iteration:
        return self.history[-1]

    @property
    def rate(self) -> str:
        """The rate that headlines are of, Å/ps."""
        return f"{self.pulls.rates[0]:g}"


def report(
    ctx: StageContext, run: RunSection, section: RareEventsSection, pulls: SMDSection, ensemble: LoopEnsembleSection
) -> ReportFacts:
    """Write figures, their CSV files and the page, for all iterations so far."""
    history = iterations(ctx.history, Iteration, str(ctx.run_folder / MANIFEST))
    told = Told(ctx, history, run, section, pulls, ensemble)
    reason = reason_to_stop(history, section.goal, section.patience, section.steady)
    page = Page(
        title="Active learning of rare events",
        subtitle=f"{told.last.train.n_data:,} configurations learned in iteration {ctx.iteration}; "
        f"ensemble of {ensemble.members} {name_of(told.last.train.kind)} networks, {ensemble.split} splits",
        facts=_facts(told, reason),
        sections=_sections(told),
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
    oracle = oracle_energies(history)
    n_labels = sum(one.n_labeled for done in history for one in done.stages() if isinstance(one, LabeledFacts))
    value = energies_of(told.last).get(rate)
    is_last = len(history) >= told.run.iterations
    converged = True if has_reached_aim(reason) else (False if reason or is_last else None)
    said = reason or ("all iterations are spent" if is_last else "the aim is not reached yet")
    one_pull = None if told.pulls.adds_runs else without_interval(history)
    said = f"{said}; {one_pull}" if one_pull and not has_reached_aim(reason) else said
    return [
        convergence(said, converged=converged),
        activation(
            value,
            None if oracle is None else oracle.get(rate),
            bound=told.section.goal,
            error_bars=error_bars_text(*_error_bars(told.last, rate)),
        ),
        labels_used(n_labels),
        iterations_done(len(history), of=told.run.iterations),
        *classes(told.last.select.counts),
        Fact("Loading rate", Cell(f"{rate} Å/ps")),
    ]


def _sections(told: Told) -> list[Section]:
    ctx, history, rate = told.ctx, told.history, told.rate
    oracle = oracle_energies(history)
    table = iteration_table(
        [_summary(k, done, rate) for k, done in enumerate(history)],
        oracle=None if oracle is None else oracle.get(rate),
        bound=told.section.goal,
    )
    return [
        section("Iterations", table),
        section("Activation energy", figures(ctx, _energies(told, oracle)), *_about_error_bars(told)),
        *bias_sections(history),
        section("Uncertainty along the pulls", figures(ctx, _uncertainty(told))),
        section("Errors", figures(ctx, _errors(told))),
        *calibration_sections(ctx, [done.label for done in history]),
        *second_sections(
            [done.train for done in history],
            [None if done.train.unseen is None else done.train.unseen.ensemble for done in history],
            [None if done.explore.second is None else or_nan(energies_of(done, SECOND).get(rate)) for done in history],
            None if oracle is None else oracle.get(rate),
        ),
        section("Configurations chosen", *_chosen(told)),
    ]


def _summary(iteration: int, done: Iteration, rate: str) -> IterationSummary:
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
        error_bars=_error_bars(done, rate),
        coverage=coverage_of(done.label),
        note=f"{n_broken} of {len(ended)} pulls broke off" if n_broken else "",
    )


def _error_bars(done: Iteration, rate: str, who: str = "ensemble") -> tuple[float | None, float | None]:
    """Return the statistical error of E_a and that from the members, eV."""
    bar = error_bar_of(done, rate, who)
    return bar.statistical, bar.of_members


def _about_error_bars(told: Told) -> list[str]:
    """Say what the error bar from the members is worth, or why there is none."""
    bar = error_bar_of(told.last, told.rate)
    if bar.undefined is not None:
        return [f"No error bar from the members: {bar.undefined}."]
    if bar.members is None:
        return []
    worth = (
        "It is the bare spread, uncalibrated, and often several times too small"
        if bar.factor is None
        else f"It is the spread times {bar.factor:.3g}, the calibration factor of energies in the model file, which "
        "holds near the training data only"
    )
    return [
        f"The error bar from the members is the standard deviation of E_a over the {len(bar.members)} members, whose "
        f"energies are evaluated along the ensemble's pull, to first order in their differences. {worth}. An error "
        "that all members share does not show."
    ]


def _energies(told: Told, oracle: Mapping[str, float | None] | None) -> list[Figure]:
    history, rate = told.history, told.rate
    numbers = list(range(len(history)))
    drawn = [work_function(_curves(told), _oracle_curve(told), name="work_function")]
    expected = None if oracle is None else oracle.get(rate)
    shown = {"ensemble": "ensemble", "best": "best model"}
    if all(done.explore.second is not None for done in history) and told.last.train.second is not None:
        shown[SECOND] = f"{second_name(told.last.train.kind, told.last.train.second.kind)} ensemble"
    for who, said in shown.items():
        values = [or_nan(energies_of(done, who).get(rate)) for done in history]
        bars = [_error_bars(done, rate, who) for done in history]
        drawn.append(
            activation_energy(numbers, values, expected, who=said, name=f"activation_energy_{who}", error_bars=bars)
        )
        if expected is not None:
            drawn.append(
                activation_energy_error(numbers, values, expected, who=said, name=f"activation_energy_error_{who}")
            )
    rates = [f"{value:g}" for value in told.pulls.rates]
    if len(rates) > 1 and oracle is not None:
        ours = [or_nan(energies_of(told.last).get(r)) for r in rates]
        theirs = [or_nan(oracle.get(r)) for r in rates]
        bars = [_error_bars(told.last, r) for r in rates]
        drawn.append(loading_rates([float(r) for r in rates], ours, theirs, who="ensemble", error_bars=bars))
    return drawn


def _curves(told: Told) -> list[WorkCurve]:
    """Return the best member's pull of each iteration."""
    curves = []
    for iteration in range(len(told.history)):
        run = _first_run(told.ctx, iteration, "explore/best", told.rate)
        if run is not None:
            curves.append(WorkCurve(f"iteration {iteration}", run.target, run.work, failed=not run.complete))
    return curves


def _oracle_curve(told: Told) -> WorkCurve | None:
    run = _first_run(told.ctx, 0, f"initial/{PULLS}", told.rate)
    return None if run is None else WorkCurve("oracle", run.target, run.work)


def _first_run(ctx: StageContext, iteration: int, place: str, rate: str) -> SMDRun | None:
    stage, _, below = place.partition("/")
    folder = ctx.path(iteration, stage, below) / f"rate-{rate}-run-0"
    return read_smd(folder) if holds_run(folder) else None


def _uncertainty(told: Told) -> list[Figure]:
    ctx, selected = told.ctx, told.last.select
    runs = []
    for path in sorted(ctx.path(ctx.iteration, "explore", "ensemble").iterdir()):
        if not holds_run(path):
            continue
        run, limit = read_smd(path), selected.thresholds.get(path.name)
        bound = selected.error_above
        trace = run.uq_trace if bound is None else run.error_trace
        if trace is None or not len(run.step):
            continue
        good = selected.good_frames[run.name]
        runs.append(
            UQRun(
                label=run.name,
                steps=run.step,
                uq=trace,
                mean=None if limit is None else limit.mean,
                deviation=None if limit is None else limit.deviation,
                k=told.section.k,
                first_steps=told.section.first_steps if bound is None else None,
                chosen=[one.step for one in selected.chosen if one.run == run.name],
                failed_step=int(run.frame_step[good]) if good < len(run.frames) else None,
                bound=bound,
            )
        )
    in_errors = selected.error_above is not None
    unit = "meV/Å" if in_errors or told.pulls.uq == "uq_force" else "meV"
    drawn = [uq_trace(runs, quantity="error" if in_errors else "UQ", unit=unit)] if runs else []
    counts = [done.select.counts for done in told.history]
    return [*drawn, classes_history(list(range(len(counts))), counts)]


def _errors(told: Told) -> list[Figure]:
    history, numbers = told.history, list(range(len(told.history)))
    parts = {
        "train": [done.train.training_errors for done in history],
        "validation": [done.train.validation_errors for done in history],
    }
    unseen = [None if done.train.unseen is None else done.train.unseen.best for done in history]
    shown: dict[str, Sequence[Errors | None]] = (
        {**parts, "unseen pulls of the oracle": unseen} if any(unseen) else {**parts}
    )
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
        return ["No configuration was chosen in this iteration."]
    frames = read_bare(chosen_file(told.ctx))
    said = (
        f"{selected.n_candidates:,} candidates: {selected.n_near_known:,} near-duplicates of known data, "
        f"{selected.n_near_chosen:,} of chosen ones, {len(frames)} chosen. Data set: "
        f"iter-{told.ctx.iteration:04d}/label/{LEARNED}."
    )
    shown = [Snapshot(frame, f"{one.run}\nstep {one.step}") for frame, one in zip(frames, selected.chosen, strict=True)]
    return [said, figures(told.ctx, [structures(shown, most=SHOWN)])]
