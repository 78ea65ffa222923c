"""The part of the report on errors that mean errors along pulls do not show: bias without noise, and stiffness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnpal.active_learning.rare_events.facts import Iteration
from nnpal.active_learning.rare_events.noiseless import noiseless_differences
from nnpal.active_learning.report import Cell, Section, Table
from nnpal.active_learning.shared.report_page import section


def bias_sections(history: Sequence[Iteration]) -> list[Section]:
    """Return a section with a row for each iteration; none without noiseless pulls and displaced copies."""
    blocks = [*_noiseless(history), *_stiffness(history)]
    return [section("Bias before the break", *blocks)] if blocks else []


def _noiseless(history: Sequence[Iteration]) -> list[Table]:
    first = history[0].initial
    oracle = None if first is None else first.noiseless
    if oracle is None:
        return []
    n_pulls = len(oracle.activation_energy)
    caption = (
        f"E_a - E_a(oracle), kcal/mol, of {n_pulls} pulls at {oracle.rate:g} Å/ps without velocities and noise, that "
        "differ by small constant forces: a systematic error without random noise."
    )
    rows = []
    for k, done in enumerate(history):
        found = noiseless_differences(history, done)
        if found:
            known = [value for value in found if value is not None]
            mean = float(np.mean(known)) if len(known) == len(found) else None
            rows.append([k, *(Cell(value, decimals=2) for value in (*found, mean))])
    header = ["iteration", *(f"pull {number}" for number in range(1, n_pulls + 1)), "mean"]
    return [Table(caption=caption, header=header, rows=rows)] if rows else []


def _stiffness(history: Sequence[Iteration]) -> list[Table]:
    rows = []
    for k, done in enumerate(history):
        found = done.label.stiffness
        if found is not None:
            sizes = float(np.mean(np.abs(found.oracle)))
            rows.append(
                [k, len(found.oracle), *(Cell(value, decimals=2) for value in (sizes, found.bias, found.mae))],
            )
    caption = (
        "Stiffness against the displacements of the labeled copies, eV/Å², by the model before it was trained on them: "
        "mean value of the oracle, mean difference of the model (too stiff: above 0), and mean absolute difference."
    )
    header = ["iteration", "copies", "oracle", "model - oracle", "MAE"]
    return [Table(caption=caption, header=header, rows=rows)] if rows else []
