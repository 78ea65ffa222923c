"""Complete figures of the first supplement, with all panels: S1 to S6, S8 to S10. S7 is with the energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnpal.active_learning.rare_events.energies_report import (
    beside_oracle,
    best_curves,
    error_bars_of,
    error_over_iterations,
    half_widths,
    oracle_curve,
)
from nnpal.active_learning.rare_events.initial_stage import UNSEEN
from nnpal.active_learning.rare_events.judge import energies_of, oracle_energies
from nnpal.active_learning.rare_events.pulls import WINDOW
from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.rare_events.uq_report import shown_as, traced_run
from nnpal.active_learning.report import (
    Figure,
    Snapshot,
    activation_energy,
    mae_history,
    panels,
    parity,
    structures,
    uq_trace,
    work_function,
)
from nnpal.active_learning.sampling import SMDRun, read_smd
from nnpal.active_learning.shared.facts import Errors
from nnpal.active_learning.shared.report_page import or_nan
from nnpal.active_learning.shared.train_ensemble import MODEL
from nnpal.data import read_frames
from nnpal.evaluation import predict
from nnpal.smd import letting_go

FIRST_SHOWN = 3
"""Number of first iterations whose traces are drawn, in addition to the last."""
BEFORE = 0.3
"""Interval in λ before the break, Å."""


def figures_of_rows(told: Told) -> list[Figure]:
    """Return the figures of the supplement that can be drawn."""
    return [*uq_of_iterations(told), *learning(told), *energies_and_scatter(told), *snapshots(told)]


def uq_of_iterations(told: Told) -> list[Figure]:
    """Return a figure of the uncertainty along the first pull of iterations 0, 1, 2 and the last: Figure S1."""
    last = len(told.history) - 1
    shown = [*range(min(FIRST_SHOWN, last)), last]
    runs = []
    for letter, k in zip("abcd", shown, strict=False):
        folders = told.folders("ensemble", told.rate, k)
        run = traced_run(told, k, folders[0], f"({letter}) iteration {k}") if folders else None
        runs += [] if run is None else [run]
    return [uq_trace(runs, name="uq_trace_iterations", **shown_as(told))] if runs else []


def learning(told: Told) -> list[Figure]:
    """Return figures of work, error of E_a and energy errors of the best model over iterations: Figures S2 to S5."""
    history, numbers = told.history, list(range(len(told.history)))
    drawn = [work_function(best_curves(told), oracle_curve(told, told.rate))]
    if oracle_energies(history) is not None:
        drawn.append(error_over_iterations(told, "best"))
    own = {
        "train": _relative([done.train.training_errors for done in history]),
        "validation": _relative([done.train.validation_errors for done in history]),
    }
    drawn.append(mae_history(numbers, own, quantity="relative energy"))
    unseen = [None if done.train.unseen is None else done.train.unseen.best for done in history]
    if any(unseen):
        drawn.append(mae_history(numbers, {"held-out pulls": _relative(unseen)}, quantity="relative energy"))
    return [panels("learning_of_the_best", "Learning of the best model", drawn)]


def energies_and_scatter(told: Told) -> list[Figure]:
    """Return a figure of E_a over iterations, and predicted over true energies of held-out data: Figure S6."""
    history = told.history
    oracle = (oracle_energies(history) or {}).get(told.rate)
    path = told.ctx.path(0, "initial", UNSEEN)
    if not path.is_file():
        return []
    frames = read_frames(path)
    found = predict(told.ctx.path(told.ctx.iteration, "train", MODEL), frames, members=False, uq_force=False)
    true = np.array([frame.get_potential_energy() for frame in frames])
    differences = [told.differences(done).get(told.rate) for done in history]
    energies = [
        beside_oracle(oracle, own, energies_of(done).get(told.rate))
        for done, own in zip(history, differences, strict=True)
    ]
    left = activation_energy(
        list(range(len(history))), energies, oracle, who="ensemble",
        error_bars=[error_bars_of(done, told.rate) for done in history], intervals=half_widths(differences),
    )  # fmt: skip
    right = parity(true / found.n_atoms, found.energies / found.n_atoms, quantity="energy", relative=True)
    name = f"Activation energy and energies of held-out configurations, {told.last.train.members} members"
    return [panels("energies_and_scatter", name, [left, right])]


def snapshots(told: Told) -> list[Figure]:
    """Return snapshots of the best model's and the oracle's first pull, before, at and after the break: Figure S8c."""
    pulls = {"best model": told.folders("best", told.rate), "oracle": told.oracle_folders(told.rate)}
    shown = [snapshot for who, folders in pulls.items() if folders for snapshot in _along(read_smd(folders[0]), who)]
    if not shown:
        return []
    return [
        structures(
            shown, name="snapshots", columns=4, title="Snapshots along the pull",
            caption="Structures along the first pull under the best model and under the oracle: at the start, before "
            "the break, at the break and at the end",
        )
    ]  # fmt: skip


def _along(run: SMDRun, who: str) -> list[Snapshot]:
    """Return structures at four points of a pull, or those that exist if it ended early."""
    if not run.frames:
        return []
    rows = np.searchsorted(run.step, run.frame_step)
    target = run.target[np.minimum(rows, len(run.target) - 1)]
    way = np.abs(target - target[0])
    try:
        gone = abs(letting_go(run.pull, WINDOW) - run.target[0])
    except ValueError:  # too short a pull
        gone = np.nan
    gone = way[-1] if np.isnan(gone) else gone
    wanted = {"start": 0.0, "before the break": gone - BEFORE, "at the break": gone, "end": np.inf}
    found = []
    for said, place in wanted.items():
        k = min(int(np.searchsorted(way, max(place, 0.0))), len(way) - 1)
        text = f"{who}\nλ = {target[k]:.2f} Å\n{said if run.complete or said != 'end' else run.ended}"
        found.append(Snapshot(run.frames[k], text))
    return found


def _relative(errors: Sequence[Errors | None]) -> list[float]:
    return [or_nan(None if one is None else one.relative_energy_mae) for one in errors]
