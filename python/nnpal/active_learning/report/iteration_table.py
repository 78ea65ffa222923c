"""Table of all iterations of a loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnpal.active_learning.report.activation_energy import CHEMICAL_ACCURACY
from nnpal.active_learning.report.classes_history import COLORS
from nnpal.active_learning.report.facts import error_bars_text, judged
from nnpal.active_learning.report.table import Cell, Table
from nnpal.figures.style import KCAL_MOL, MILLI
from nnpal.observables import Difference


@dataclass(frozen=True)
class IterationSummary:
    """Results of one iteration; None means unknown.

    Attributes:
        iteration: number of the iteration.
        n_labels: number of labeled configurations in its training data.
        n_new: number of labels that it added.
        counts: class ("accurate", "candidate", "failed") -> number of frames explored.
        energy_mae, force_mae: errors of the best model on held-out data, eV/atom and eV/Å.
        activation_energy: E_a of the model, eV.
        error_bars: statistical error bar of E_a and that from the members, eV; None if unknown.
        coverage: nominal -> observed coverage of the new configurations' force components by the error bars of the
            model before it was trained on them.
        difference: mean difference of E_a from the oracle's over pairs of pulls, kcal/mol; None: that of the two
            values.
        note: remark, such as "pull 2 failed".
    """

    iteration: int
    n_labels: int | None = None
    n_new: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    energy_mae: float | None = None
    force_mae: float | None = None
    activation_energy: float | None = None
    error_bars: tuple[float | None, float | None] = (None, None)
    coverage: Mapping[float, float] = field(default_factory=dict)
    difference: Difference | None = None
    note: str = ""


def iteration_table(
    summaries: Sequence[IterationSummary], *, oracle: float | None = None, bound: float = CHEMICAL_ACCURACY
) -> Table:
    """Return a table with a row for each iteration; leave out columns without known values.

    Arguments:
        summaries: iterations, in order.
        oracle: E_a of the oracle, eV.
        bound: largest good error of E_a, kcal/mol.
    """
    columns: dict[str, list[Any]] = {
        "iteration": [Cell(str(s.iteration), s.note, "warning" if s.note else "plain") for s in summaries],
        "labels": [s.n_labels for s in summaries],
        "new labels": [s.n_new for s in summaries],
        **{name: [_share(s.counts, name) for s in summaries] for name in COLORS},
        "energy MAE (meV/atom)": [_times(MILLI, s.energy_mae) for s in summaries],
        "force MAE (meV/Å)": [_times(MILLI, s.force_mae) for s in summaries],
        "E_a (kcal/mol)": [_times(KCAL_MOL, s.activation_energy, error_bars_text(*s.error_bars)) for s in summaries],
        "error of E_a (kcal/mol)": [_error(s, oracle, bound) for s in summaries],
    }
    for level in sorted({level for s in summaries for level in s.coverage}):
        columns[f"coverage of {100 * level:.0f} % (%)"] = [_percent(s.coverage.get(level)) for s in summaries]
    known = {name: values for name, values in columns.items() if name == "iteration" or any(map(_is_known, values))}
    return Table(
        caption="Iterations: data, frames of the exploration by class, errors of the model on held-out data"
        + (
            ", coverage of its error bars on the new labels, before it was trained on them"
            if any(s.coverage for s in summaries)
            else ""
        )
        + (f", activation energy (oracle: {KCAL_MOL * oracle:.2f} kcal/mol)." if oracle is not None else "."),
        header=list(known),
        rows=[list(row) for row in zip(*known.values(), strict=True)],
    )


def _share(counts: Mapping[str, int], name: str) -> Cell:
    total = sum(counts.values())
    if not counts:
        return Cell(None)
    n = counts.get(name, 0)
    return Cell(n, f"{100.0 * n / total:.1f} %" if total else "")


def _times(factor: float, value: float | None, note: str = "") -> Cell:
    return Cell(None if value is None else factor * value, "" if value is None else note, decimals=2)


def _percent(share: float | None) -> Cell:
    return Cell(None if share is None else 100.0 * share, decimals=0)


def _error(summary: IterationSummary, oracle: float | None, bound: float) -> Cell:
    value, found = summary.activation_energy, summary.difference
    if found is None:
        if value is None or oracle is None or not math.isfinite(value - oracle):
            return Cell(None)
        found = Difference(KCAL_MOL * (value - oracle), 0)
    tone, note = judged(found, bound)
    return Cell(found.mean, note, tone, decimals=2)


def _is_known(value: Any) -> bool:
    inside = value.value if isinstance(value, Cell) else value
    return inside is not None and not (isinstance(inside, float) and math.isnan(inside))
