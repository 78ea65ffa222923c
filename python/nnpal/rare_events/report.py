"""The report of the loop of rare events: Figures S1 to S8 of the first supplement, and whether the aim is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnpal.data import read_frames
from nnpal.driver.data import LEARNT
from nnpal.driver.frames import read_bare
from nnpal.driver.reporting import configuration, figures, section, task_failures, versions, write_report
from nnpal.driver.training import BEST, MODEL
from nnpal.evaluate import predict
from nnpal.explore import SMDRun, read_smd
from nnpal.loop.stage import StageContext
from nnpal.rare_events.initial import PULLS, UNSEEN
from nnpal.rare_events.judge import energies_of, has_reached_aim, largest_error, oracle_energies, reason_to_stop
from nnpal.rare_events.select import chosen_file
from nnpal.report import (
    Fact,
    Figure,
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
    iteration_table,
    iterations_done,
    labels_history,
    labels_used,
    loading_rates,
    mae_history,
    parity,
    structures,
    uq_against_error,
    uq_trace,
    work_function,
)
from nnpal.report.table import Cell

SHOWN = 12


def report(ctx: StageContext) -> dict[str, Any]:
    """Write figures, their CSV files and the page, for all iterations so far."""
    settings = ctx.tables["rare_events"]
    history = ctx.history
    reason = reason_to_stop(history, settings["goal"], settings["patience"], settings["steady"])
    rate = _main_rate(ctx)
    page = Page(
        title="Active learning of rare events",
        subtitle=f"{history[-1]['train']['n_data']:,} configurations learnt in iteration {ctx.iteration}; "
        f"ensemble of {ctx.tables['ensemble']['members']}, {ctx.tables['ensemble']['split']} splits",
        facts=_facts(ctx, reason, rate),
        sections=_sections(ctx, rate),
        failures=task_failures(ctx),
        configuration=configuration(ctx),
        versions=versions(),
    )
    facts = write_report(ctx, page)
    oracle = oracle_energies(history)
    error = None if oracle is None else largest_error(history[-1], oracle)
    return facts | {"reason": reason, "largest_error_kcal_mol": error}


def _main_rate(ctx: StageContext) -> str:
    return f"{ctx.tables['explore']['rates'][0]:g}"


def _facts(ctx: StageContext, reason: str | None, rate: str) -> list[Fact]:
    history = ctx.history
    oracle = oracle_energies(history)
    n_labels = sum(facts.get("n_labelled", 0) for stages in history for facts in stages.values())
    value = energies_of(history[-1]).get(rate)
    is_last = len(history) >= ctx.tables["run"]["iterations"]
    converged = True if has_reached_aim(reason) else (False if reason or is_last else None)
    said = reason or ("all iterations are spent" if is_last else "the aim is not reached yet")
    return [
        convergence(said, converged=converged),
        activation(value, None if oracle is None else oracle.get(rate), bound=ctx.tables["rare_events"]["goal"]),
        labels_used(n_labels),
        iterations_done(len(history), of=ctx.tables["run"]["iterations"]),
        *classes(history[-1]["select"]["counts"]),
        Fact("Loading rate", Cell(f"{rate} Å/ps")),
    ]


def _sections(ctx: StageContext, rate: str) -> list[Section]:
    history = ctx.history
    oracle = oracle_energies(history)
    iterations = list(range(len(history)))
    table = iteration_table(
        [_summary(k, stages, rate) for k, stages in enumerate(history)],
        oracle=None if oracle is None else oracle.get(rate),
        bound=ctx.tables["rare_events"]["goal"],
    )
    return [
        section("Iterations", table),
        section("Activation energy", figures(ctx, _energies(ctx, iterations, oracle, rate))),
        section("Uncertainty along the pulls", figures(ctx, _uncertainty(ctx, iterations))),
        section("Errors", figures(ctx, _errors(ctx, iterations))),
        section("Configurations chosen", *_chosen(ctx)),
    ]


def _summary(iteration: int, stages: Mapping[str, Any], rate: str) -> IterationSummary:
    unseen = (stages["train"].get("unseen") or {}).get(MODEL) or {}
    ended = stages["explore"]["ensemble"]["ended"].values()
    n_broken = sum(how != "complete" for how in ended)
    return IterationSummary(
        iteration=iteration,
        n_labels=stages["train"]["n_data"],
        n_new=stages["label"]["n_labelled"],
        counts=stages["select"]["counts"],
        energy_mae=unseen.get("energy_mae"),
        force_mae=unseen.get("force_mae"),
        activation_energy=energies_of(stages).get(rate),
        note=f"{n_broken} of {len(ended)} pulls broke off" if n_broken else "",
    )


def _energies(ctx: StageContext, iterations: list[int], oracle: Mapping[str, Any] | None, rate: str) -> list[Figure]:
    history = ctx.history
    drawn = [work_function(_curves(ctx, rate), _oracle_curve(ctx, rate), name="work_function")]
    expected = None if oracle is None else oracle.get(rate)
    for who, said in (("ensemble", "ensemble"), ("best", "best model")):
        values = [_number(energies_of(stages, who).get(rate)) for stages in history]
        drawn.append(activation_energy(iterations, values, expected, who=said, name=f"activation_energy_{who}"))
        if expected is not None:
            drawn.append(
                activation_energy_error(iterations, values, expected, who=said, name=f"activation_energy_error_{who}")
            )
    rates = [f"{value:g}" for value in ctx.tables["explore"]["rates"]]
    if len(rates) > 1 and oracle is not None:
        ours = [_number(energies_of(history[-1]).get(r)) for r in rates]
        theirs = [_number(oracle.get(r)) for r in rates]
        drawn.append(loading_rates([float(r) for r in rates], ours, theirs, who="ensemble"))
    return drawn


def _curves(ctx: StageContext, rate: str) -> list[WorkCurve]:
    """Return the best member's pull of each iteration."""
    curves = []
    for iteration in range(len(ctx.history)):
        run = _first_run(ctx, iteration, "explore/best", rate)
        if run is not None:
            curves.append(WorkCurve(f"iteration {iteration}", run.target, run.work, failed=not run.complete))
    return curves


def _oracle_curve(ctx: StageContext, rate: str) -> WorkCurve | None:
    run = _first_run(ctx, 0, f"initial/{PULLS}", rate)
    return None if run is None else WorkCurve("oracle", run.target, run.work)


def _first_run(ctx: StageContext, iteration: int, place: str, rate: str) -> SMDRun | None:
    stage, _, below = place.partition("/")
    folder = ctx.path(iteration, stage, below) / f"rate-{rate}-run-0"
    return read_smd(folder) if (folder / "run.json").is_file() else None


def _uncertainty(ctx: StageContext, iterations: list[int]) -> list[Figure]:
    selected = ctx.history[-1]["select"]
    runs = []
    for path in sorted(ctx.path(ctx.iteration, "explore", "ensemble").iterdir()):
        if not (path / "run.json").is_file():
            continue
        run, limit = read_smd(path), selected["thresholds"].get(path.name)
        if run.uq_trace is None or not len(run.step):
            continue
        good = selected["good_frames"][run.name]
        runs.append(
            UQRun(
                label=run.name,
                steps=run.step,
                uq=run.uq_trace,
                mean=None if limit is None else limit["mean"],
                deviation=None if limit is None else limit["deviation"],
                k=ctx.tables["rare_events"]["k"],
                first_steps=ctx.tables["rare_events"]["first_steps"],
                chosen=[one["step"] for one in selected["chosen"] if one["run"] == run.name],
                failed_step=int(run.frame_step[good]) if good < len(run.frames) else None,
            )
        )
    drawn = [uq_trace(runs, unit="meV/Å" if ctx.tables["explore"]["uq"] == "uq_force" else "meV")] if runs else []
    counts = [stages["select"]["counts"] for stages in ctx.history]
    return [*drawn, classes_history(iterations, counts)]


def _errors(ctx: StageContext, iterations: list[int]) -> list[Figure]:
    history = ctx.history
    drawn = []
    unseen = [(stages["train"].get("unseen") or {}).get(BEST) for stages in history]
    for quantity in ("energy", "relative_energy", "force"):
        key = f"{quantity}_mae"
        series = {
            part: [_number(stages["train"].get(f"{part}_{key}")) for stages in history]
            for part in ("train", "validation")
        }
        if any(unseen):
            series["unseen pulls of the oracle"] = [_number((errors or {}).get(key)) for errors in unseen]
        name = f"mae_{quantity}"
        drawn.append(mae_history(iterations, series, quantity=quantity.replace("_", " "), name=name))
    drawn += _parity(ctx)
    for quantity in ("energy", "force"):
        uq, error, groups = [], [], []
        for k, stages in enumerate(history):
            found = stages["label"].get("uq")
            if found:
                uq += found[f"{quantity}_uq"]
                error += found[f"{quantity}_error"]
                groups += [f"iteration {k}"] * len(found[f"{quantity}_uq"])
        if uq:
            drawn.append(uq_against_error(uq, error, groups, quantity=quantity, name=f"uq_against_error_{quantity}"))
    counts = {"initial": [history[0]["initial"]["n_labelled"]] * len(history),
              "explored": np.cumsum([stages["label"]["n_labelled"] for stages in history]).tolist()}  # fmt: skip
    return [*drawn, labels_history(iterations, counts)]


def _parity(ctx: StageContext) -> list[Figure]:
    path = ctx.path(0, "initial", UNSEEN)
    if not path.is_file():
        return []
    frames = read_frames(path)
    found = predict(ctx.path(ctx.iteration, "train", BEST), frames, members=False, uq_force=False)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    return [parity(energies / found.n_atoms, found.energies / found.n_atoms, quantity="energy", relative=True,
                   name="parity_unseen")]  # fmt: skip


def _chosen(ctx: StageContext) -> list[Any]:
    selected = ctx.history[-1]["select"]
    if not selected["chosen"]:
        return ["No configuration was chosen in this iteration."]
    frames = read_bare(chosen_file(ctx))
    said = (
        f"{selected['n_candidates']:,} candidates: {selected['n_near_known']:,} near-duplicates of known data, "
        f"{selected['n_near_chosen']:,} of chosen ones, {len(frames)} chosen. Data set: "
        f"iter-{ctx.iteration:04d}/label/{LEARNT}."
    )
    shown = [
        Snapshot(frame, f"{one['run']}\nstep {one['step']}")
        for frame, one in zip(frames, selected["chosen"], strict=True)
    ]
    return [said, figures(ctx, [structures(shown, most=SHOWN)])]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
