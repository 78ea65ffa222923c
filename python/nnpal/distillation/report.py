"""The report of distillation: what was kept of how much, errors, and crystals beside the oracle's."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnpal.distill import grid_chain
from nnpal.distillation.pools import series
from nnpal.distillation.select import CHOSEN
from nnpal.driver.data import learnt_so_far
from nnpal.driver.frames import read_bare
from nnpal.driver.reporting import configuration, figures, section, task_failures, versions, write_report
from nnpal.figures.style import MILLI
from nnpal.loop.stage import StageContext
from nnpal.report import (
    Crystal,
    Fact,
    Figure,
    IterationSummary,
    Page,
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
    mae_history,
    relax_table,
    structures,
    uq_against_error,
)
from nnpal.report.table import Cell


def report(ctx: StageContext) -> dict[str, Any]:
    """Write figures, their CSV files and the page, for all iterations so far."""
    n_learnt = len(learnt_so_far(ctx))
    sampled = ctx.history[0]["sample"]
    page = Page(
        title="Data distillation",
        subtitle=f"{n_learnt:,} configurations kept of {sampled['n_frames']:,} sampled, ensemble of "
        f"{ctx.tables['ensemble']['members']}",
        facts=_facts(ctx, n_learnt),
        sections=[
            section("Iterations", iteration_table([_summary(k, stages) for k, stages in enumerate(ctx.history)])),
            section("Crystals", *_crystals(ctx)),
            section("What was kept", figures(ctx, _kept(ctx)), *_grids(ctx)),
            section("Errors", figures(ctx, _errors(ctx))),
            section("Configurations chosen last", *_chosen(ctx)),
        ],
        failures=task_failures(ctx),
        configuration=configuration(ctx),
        versions=versions(),
    )
    return write_report(ctx, page)


def _facts(ctx: StageContext, n_learnt: int) -> list[Fact]:
    from nnpal.distillation.pools import n_pools

    pools = n_pools(ctx.tables["distillation"])
    done = len(ctx.history)
    test = ctx.history[-1]["train"]["test"] or {}
    found = [
        ending(_reason(done, pools, ctx.tables["run"]["iterations"]), f"{done} of {pools} pools are distilled"),
        *(
            error_fact(name, MILLI * test[key], "the test set of the sampling")
            for name, key in (("Energy MAE (meV/atom)", "energy_mae"), ("Force MAE (meV/Å)", "force_mae"))
            if key in test
        ),
        labels_used(n_learnt, of=ctx.history[0]["sample"]["n_frames"]),
        iterations_done(done, of=min(pools, ctx.tables["run"]["iterations"])),
        *(classes(ctx.history[-1]["select"]["counts"]) if ctx.history[-1]["select"]["counts"] else []),
    ]
    for element, crystals in ctx.history[-1]["train"]["crystals"].items():
        order = "right" if crystals["right_order"] else "wrong"
        found.append(Fact(f"Order of {element}'s crystals", Cell(order, tone="good" if order == "right" else "bad")))
        found.append(Fact(f"Summed bond error, {element} (Å)", Cell(crystals["summed_bond_error"], decimals=3)))
    return found


def _reason(done: int, pools: int, iterations: int) -> str | None:
    """Return what ended the loop; None: it goes on."""
    if done >= pools:
        return f"all {pools} pools are distilled"
    return f"run.iterations = {iterations} are done" if done >= iterations else None


def _summary(iteration: int, stages: Any) -> IterationSummary:
    test = stages["train"]["test"] or {}
    return IterationSummary(
        iteration=iteration,
        n_labels=stages["train"]["n_data"],
        n_new=stages["label"]["n_labelled"],
        counts=stages["select"]["counts"],
        energy_mae=test.get("energy_mae"),
        force_mae=test.get("force_mae"),
    )


def _crystals(ctx: StageContext) -> list[str | Table]:
    found: list[str | Table] = []
    for crystals in ctx.history[-1]["train"]["crystals"].values():
        ours, theirs = (
            [Crystal(name, _number(one["bond"]), _number(one["energy"])) for name, one in crystals[who].items()]
            for who in ("model", "oracle")
        )
        found.append(relax_table(theirs, {"distilled": ours}))
        found += crystals["notes"]
    return found or ["No table [crystals] was given."]


def _kept(ctx: StageContext) -> list[Figure]:
    history = ctx.history
    order, enthalpy, _ = series(ctx)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[[one["frame"] for stages in history for one in stages["select"]["chosen"]]] = True
    offered = [stages["select"]["n_pool"] for stages in history]
    kept = [len({one["frame"] for one in stages["select"]["chosen"]}) for stages in history]
    drawn = [distillation_history(list(range(len(history))), offered, kept, label="pool")]
    if np.isfinite(order).all():
        drawn.append(enthalpy_order(enthalpy, order, chosen))
    later = history[1:]
    if later:
        drawn.append(classes_history(list(range(1, len(history))), [stages["select"]["counts"] for stages in later]))
    return drawn


def _grids(ctx: StageContext) -> list[str | Table]:
    order, enthalpy, _ = series(ctx)
    if not np.isfinite(order).all():
        return []
    levels = grid_chain(order, enthalpy, delta_H=ctx.tables["distillation"]["delta_H"])
    table = grid_table(
        [level.delta_O for level in levels],
        [len(level.selected) for level in levels],
        [len(level.deselected) for level in levels],
    )
    return ["What grids in the order parameter would select of the same sampling, as in Table S3:", table]


def _errors(ctx: StageContext) -> list[Figure]:
    history = ctx.history
    drawn = []
    iterations = list(range(len(history)))
    for quantity in ("energy", "relative_energy", "force"):
        key = f"{quantity}_mae"
        parts = {
            part: [_number(stages["train"].get(f"{part}_{key}")) for stages in history]
            for part in ("train", "validation")
        }
        parts["test (sampling)"] = [_number((stages["train"]["test"] or {}).get(key)) for stages in history]
        drawn.append(mae_history(iterations, parts, quantity=quantity.replace("_", " "), name=f"mae_{quantity}"))
    uq, error, groups = [], [], []
    for k, stages in enumerate(history):
        found = stages["label"].get("uq")
        if found:
            uq += found["energy_uq"]
            error += found["energy_error"]
            groups += [f"iteration {k}"] * len(found["energy_uq"])
    return [*drawn, uq_against_error(uq, error, groups, name="uq_against_error_energy")] if uq else drawn


def _chosen(ctx: StageContext) -> list[Any]:
    frames = read_bare(ctx.path(ctx.iteration, "select", CHOSEN))
    if not frames:
        return ["No configuration was chosen in this iteration."]
    chosen = ctx.history[-1]["select"]["chosen"]
    shown = [
        Snapshot(
            frame, f"frame {one['frame']}\natom {one['atom']}", (0,) if one["preserved_radius"] is not None else ()
        )
        for frame, one in zip(frames, chosen, strict=True)
    ]
    return [figures(ctx, [structures(shown, marked="the atom that was uncertain")])]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
