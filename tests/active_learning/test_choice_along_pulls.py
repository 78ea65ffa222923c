"""The choice along constructed pulls: thresholds, errors, frames around the largest force, budgets."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from constructed_pulls import (
    EXPLORE,
    LIMITS,
    choice,
    context,
    history,
    pull,
)
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.rare_events import explore_stage as exploring
from nnpal.active_learning.rare_events import report_stage as reporting
from nnpal.active_learning.rare_events import uq_report
from nnpal.active_learning.rare_events.select_stage import (
    Choice,
    _candidates,
    _classes,
    _free,
    _sound,
    _threshold,
    select,
)
from nnpal.active_learning.sampling import SMDRun
from nnpal.active_learning.selection import Classes, Threshold
from nnpal.active_learning.settings import LoopEnsembleSection, RareEventsSection
from torchani_reference import ExportedModel


def test_only_a_pull_that_broke_off_may_lack_a_threshold() -> None:
    assert _threshold(pull(), LIMITS).n_values == 50  # type: ignore[union-attr]
    assert _threshold(pull(ended="too hot", n_rows=20), LIMITS) is None
    with pytest.raises(ValueError, match="uncertainty of rate-1-run-0 has 20 values, expected 30 at least"):
        _threshold(pull(n_rows=20), LIMITS)


def classes_of(run: SMDRun, limit: Threshold | None, how: Choice) -> Classes:
    return _classes(run, limit, how, _sound(run, how))


def test_a_random_choice_is_among_all_sound_frames() -> None:
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, d]], info={"step": 0}) for d in (1.0, 1.0, 0.1)]
    run = replace(pull(), frames=frames, frame_step=np.arange(3), uq=np.array([1e-9, 2e-9, 3e-9]))
    limit = _threshold(pull(), LIMITS)
    assert len(classes_of(run, limit, choice(LIMITS)).candidates) == 0
    drawn = classes_of(run, limit, choice(LIMITS.model_copy(update={"order": "random"})))
    assert (drawn.candidates.tolist(), drawn.failed.tolist()) == ([0, 1], [2])


def test_errors_above_the_threshold_are_candidates_and_beyond_the_bound_failed() -> None:
    errors = np.array([0.1, 0.3, 0.5, 0.2, 1.9, 2.1, 0.4])
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]], info={"step": step}) for step in range(7)]
    uq = np.full(7, 0.01)  # μ + kσ would find nothing
    run = replace(pull(), frames=frames, frame_step=np.arange(7), uq=uq, error=errors)
    section = RareEventsSection(error_above=0.3, order="uq")
    classes = classes_of(run, None, choice(section))
    assert (classes.candidates.tolist(), classes.accurate.tolist()) == ([2, 4, 5, 6], [0, 1, 3])
    bounded = classes_of(run, None, choice(section, 2.0))
    assert (bounded.candidates.tolist(), bounded.failed.tolist()) == ([2, 4], [5, 6])
    _, values, names = _candidates([run], {run.name: bounded}, section)
    assert (values.tolist(), names) == ([0.5, 1.9], [run.name] * 2)
    # beside μ + kσ the bound holds too
    assert classes_of(run, _threshold(pull(), LIMITS), choice(LIMITS, 2.0)).n_good == 5
    with pytest.raises(StageError, match="rate-1-run-0: its rows have no column error_force, like those of earlier"):
        classes_of(pull(), None, choice(section))


def test_frames_around_the_largest_force_have_not_failed_and_are_not_taken_twice() -> None:
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, d]], info={"step": 0}) for d in (1.0, 1.0, 1.0, 0.1, 1.0)]
    run = replace(pull(), frames=frames, frame_step=20 * np.arange(5), uq=np.full(5, 0.1))
    classes = classes_of(run, _threshold(pull(), LIMITS), choice(LIMITS))  # what follows the fourth grew out of it
    (free,) = _free([run], {run.name: classes}, {(run.name, 20), ("rate-4-run-0", 40)})
    assert free.tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("share", "labels", "n_peak", "most"),
    [(0.29, 200, 29, 71), (0.0, 3, 0, 1), (0.5, 3, 0, 1), (1.0, 1, 0, 0), (1.0, 3, 1, 0), (1.0, 4, 2, 0)],
)
def test_the_budget_holds_for_both_parts_of_the_choice(share: float, labels: int, n_peak: int, most: int) -> None:
    assert RareEventsSection(peak_share=share, max_chosen=200).shares(labels, copies=1) == (most, n_peak)
    assert 2 * (n_peak + most) <= labels


def test_limits_in_error_units_end_the_stage_where_the_model_knows_no_error(
    tmp_path: Path, al_model: ExportedModel
) -> None:
    ctx = context(tmp_path)
    ctx.path(0, "train", "").mkdir(parents=True)
    shutil.copy(al_model.path, ctx.path(0, "train", "model.nnp.pt"))
    with pytest.raises(StageError, match=r"explore\.max_error = 2: .*model\.nnp\.pt has no calibration"):
        exploring.explore(ctx, EXPLORE.model_copy(update={"max_error": 2.0}), tmp_path)
    with pytest.raises(StageError, match=r"rare_events\.error_above = 0\.3: .*model\.nnp\.pt has no calibration"):
        select(ctx, choice(RareEventsSection(error_above=0.3)))


def test_the_trace_of_a_pull_is_that_which_the_threshold_was_held_against(tmp_path: Path, monkeypatch: Any) -> None:
    done = history((100.5, 110.0), chosen=())
    done[-1] = done[-1].model_copy(
        update={"select": done[-1].select.model_copy(update={"error_above": 0.3, "thresholds": {}})}
    )
    told = reporting.Told(context(tmp_path), done, RunSection(), RareEventsSection(), EXPLORE, LoopEnsembleSection())
    folder = told.ctx.folder / "ensemble" / "rate-1-run-0"
    folder.mkdir(parents=True)
    (folder / "run.json").touch()
    own = pull()
    errors = np.linspace(0.1, 0.5, len(own.step))
    monkeypatch.setattr(uq_report, "read_smd", lambda _: replace(own, error_trace=errors))
    trace = reporting._uncertainty(told)[0]
    np.testing.assert_allclose(trace.columns["uq_meV_angstrom"], 1e3 * errors)
    assert set(trace.columns["threshold_meV_angstrom"]) == {300.0}
    assert "30 of 60 frames above the threshold" in trace.alt
    assert "the threshold error_above" in trace.caption
