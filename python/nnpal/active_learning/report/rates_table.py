"""Activation energies of the model and of the oracle at each loading rate, as means over pairs of pulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnpal.active_learning.report.facts import judged
from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import KCAL_MOL
from nnpal.observables import Difference, pairs_needed


@dataclass(frozen=True)
class RateSummary:
    """Results at one loading rate.

    Attributes:
        rate: loading rate, Å/ps.
        ours, theirs: mean activation energies of the model's pulls and of the oracle's pulls paired with them, eV; None
            if a pull ended early.
        difference: mean difference over the pairs, kcal/mol; None if a pull ended early.
        members: error bar of the model's activation energy from its members, eV; None if unknown.
        pulls: number of pulls under the model.
    """

    rate: str
    ours: float | None
    theirs: float | None
    difference: Difference | None
    members: float | None = None
    pulls: int = 0


def rates_table(summaries: Sequence[RateSummary], *, goal: float, who: str = "ensemble") -> Table:
    """Return a table with a row for each rate, kcal/mol.

    Arguments:
        summaries: rates, in order.
        goal: half-width of the range that should contain the 95 % interval, kcal/mol.
        who: label of the model.
    """
    header = [
        "rate (Å/ps)", "pairs", f"E_a, {who}", "E_a, oracle", "difference", "95 % interval", "sd of differences",
        "correlation", "error bar (sampling)", "error bar (members)", f"pairs needed for ±{goal:g}",
    ]  # fmt: skip
    return Table(
        caption=f"Activation energies of the {who} and of the oracle in kcal/mol, means over pairs of pulls with "
        f"equal seeds. The goal is a 95 % interval of the difference (Student's t) within ±{goal:g}. Error bars: of "
        "the difference from the sampling (standard error), and of the model from its members. Pairs needed: for an "
        "interval within the goal, by the scatter so far, around the mean so far.",
        header=header,
        rows=[_row(one, goal) for one in summaries],
    )


def _row(one: RateSummary, goal: float) -> list[Cell]:
    found = one.difference
    members = Cell(None if one.members is None else KCAL_MOL * one.members, decimals=2)
    if found is None:
        energies = [Cell(None if v is None else KCAL_MOL * v, decimals=2) for v in (one.ours, one.theirs)]
        lost = Cell(None, "a pull ended early", "warning")
        return [Cell(one.rate), Cell(one.pulls), *energies, lost, *[Cell(None)] * 4, members, Cell(None)]
    interval = found.interval()
    return [
        Cell(one.rate),
        Cell(found.n or None),
        Cell(None if one.ours is None else KCAL_MOL * one.ours, decimals=2),
        Cell(None if one.theirs is None else KCAL_MOL * one.theirs, decimals=2),
        Cell(found.mean, tone=judged(found, goal)[0], decimals=2),
        Cell(None, "one pull: no interval" if found.n == 1 else "")
        if interval is None
        else Cell(f"{interval[0]:+.2f} to {interval[1]:+.2f}".replace("-", "−")),
        Cell(found.deviation, decimals=2),
        Cell(found.correlation, decimals=2),
        Cell(found.standard_error, decimals=2),
        members,
        _needed(found, goal),
    ]


def _needed(found: Difference, goal: float) -> Cell:
    if found.deviation is None:
        return Cell(None)
    if abs(found.mean) >= goal:
        return Cell(None, "the mean itself is outside")
    needed = pairs_needed(found.deviation, goal - abs(found.mean))
    return Cell("more than 10,000" if needed is None else needed)
