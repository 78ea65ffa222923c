"""Activation energies and work functions in the report: tables and figures of means over pulls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnpal.active_learning.rare_events.facts import Iteration
from nnpal.active_learning.rare_events.judge import energies_of, error_bar_of, oracle_energies, paired_energies
from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.report import (
    Figure,
    RateSummary,
    Table,
    WorkCurve,
    activation_energy,
    activation_energy_error,
    loading_rates,
    panels,
    rates_table,
    work_function,
)
from nnpal.active_learning.sampling import read_rows_of_pull
from nnpal.active_learning.sampling.ending import COMPLETE
from nnpal.active_learning.shared.report_page import or_nan
from nnpal.figures.style import KCAL_MOL
from nnpal.observables import Difference
from nnpal.smd import mean_work


def tables_of_rates(told: Told) -> list[Table]:
    """Return tables of activation energies at each rate, for the oracle and all models used for pulls."""
    if oracle_energies(told.history) is None:
        return []
    return [
        rates_table([_summary(told, who, rate) for rate in told.rates], goal=told.section.goal, who=said)
        for who, said in told.shown.items()
    ]


def figures_of_energies(told: Told) -> list[Figure]:
    """Return figures of work functions, and of activation energies over iterations and over rates."""
    history, rate = told.history, told.rate
    numbers = list(range(len(history)))
    drawn = [work_function(best_curves(told), oracle_curve(told, rate), name="work_function")]
    oracle = oracle_energies(history)
    expected = None if oracle is None else oracle.get(rate)
    for who, said in told.shown.items():
        found = [told.differences(done, who).get(rate) for done in history]
        values = [
            beside_oracle(expected, own, energies_of(done, who).get(rate))
            for done, own in zip(history, found, strict=True)
        ]
        drawn.append(
            activation_energy(
                numbers, values, expected, who=said, name=f"activation_energy_{who}",
                error_bars=[error_bars_of(done, rate, who) for done in history], intervals=half_widths(found),
            )
        )  # fmt: skip
        if expected is not None:
            drawn.append(error_over_iterations(told, who))
    if len(told.rates) > 1 and oracle is not None:
        found = [told.differences(told.last).get(r) for r in told.rates]
        pairs = [paired_energies(history, told.last, r) for r in told.rates]
        drawn.append(
            loading_rates(
                [float(r) for r in told.rates],
                [or_nan(ours) for ours, _ in pairs],
                [or_nan(theirs) for _, theirs in pairs],
                who="ensemble",
                error_bars=[error_bars_of(told.last, r) for r in told.rates],
                intervals=half_widths(found),
            )
        )
        drawn.append(work_by_rate(told))
    return drawn


def beside_oracle(expected: float | None, found: Difference | None, own: float | None) -> float:
    """Return E_a to draw next to the oracle's, eV: the oracle's plus the mean difference over pairs of pulls.

    There may be fewer pairs than pulls under the oracle. Without a difference it is the model's own E_a.
    """
    if expected is None or found is None:
        return or_nan(own)
    return expected + found.mean / KCAL_MOL


def error_over_iterations(told: Told, who: str) -> Figure:
    """Return a figure of |E_a - E_a(oracle)| over iterations, means over pairs of pulls: Figures S2b to S5b, S8a."""
    found = [told.differences(done, who).get(told.rate) for done in told.history]
    return activation_energy_error(
        list(range(len(found))),
        [np.nan if one is None else one.mean / KCAL_MOL for one in found],
        0.0,
        who=told.shown[who],
        name=f"activation_energy_error_{who}",
        intervals=half_widths(found),
    )


def work_by_rate(told: Told) -> Figure:
    """Return a figure of the work under the ensemble and the oracle, with a panel for each rate: Figure S7."""
    drawn = []
    for rate in told.rates:
        curve = mean_curve(told.folders("ensemble", rate), "ensemble")
        drawn.append(
            work_function(
                [] if curve is None else [curve], oracle_curve(told, rate), who=f"the ensemble at {rate} Å/ps",
                title=f"{rate} Å/ps", name=f"work_function_{rate}",
            )
        )  # fmt: skip
    return panels(
        "work_function_by_rate", "Work functions by loading rate", drawn,
        headings=[f"{rate} Å/ps" for rate in told.rates],
    )  # fmt: skip


def best_curves(told: Told) -> list[WorkCurve]:
    """Return the mean work of the best member's pulls of each iteration."""
    curves = (mean_curve(told.folders("best", told.rate, k), f"iteration {k}") for k in range(len(told.history)))
    return [curve for curve in curves if curve is not None]


def oracle_curve(told: Told, rate: str) -> WorkCurve | None:
    """Return the mean work of all pulls under the oracle at a rate."""
    return mean_curve(told.oracle_folders(rate), "oracle")


def mean_curve(folders: Sequence[Path], label: str) -> WorkCurve | None:
    """Return the mean work of complete pulls with its scatter, or the work of the first pull if none is complete.

    None: there are no pulls.
    """
    read = [read_rows_of_pull(folder) for folder in folders]
    whole = [pull for pull, ended in read if ended == COMPLETE and len(pull.step) > 1]
    if len(whole) > 1:
        found = mean_work(whole)
        return WorkCurve(label, found.target, found.mean, band=found.deviation, pulls=found.n)
    shown = whole or [pull for pull, _ in read if len(pull.step)]
    return WorkCurve(label, shown[0].target, shown[0].work, failed=not whole) if shown else None


def error_bars_of(done: Iteration, rate: str, who: str = "ensemble") -> tuple[float | None, float | None]:
    """Return the statistical error of E_a, and the error from the members, eV."""
    bar = error_bar_of(done, rate, who)
    return bar.statistical, bar.of_members


def half_widths(found: Sequence[Difference | None]) -> list[float]:
    """Return half of each 95 % interval, eV; NaN without an interval."""
    return [or_nan(None if one is None else one.half_width()) / KCAL_MOL for one in found]


def _summary(told: Told, who: str, rate: str) -> RateSummary:
    ours, theirs = paired_energies(told.history, told.last, rate, who)
    return RateSummary(
        rate=rate,
        ours=ours,
        theirs=theirs,
        difference=told.differences(told.last, who).get(rate),
        members=error_bar_of(told.last, rate, who).of_members,
        pulls=len((told.last.explore.pulls(who).by_run or {}).get(rate, ())),
    )
