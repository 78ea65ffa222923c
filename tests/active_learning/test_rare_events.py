"""The loop of rare events on constructed pulls and histories: first data, error bars, pages, failures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from constructed_pulls import (
    EXPLORE,
    KCAL,
    RATES,
    RUNS,
    Tasks,
    context,
    history,
    pull,
    stop,
)
from nnpal.active_learning.engine.failure import FAILURE
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.rare_events import energies_report, side_by_side, uq_report
from nnpal.active_learning.rare_events import explore_stage as exploring
from nnpal.active_learning.rare_events import initial_stage as beginning
from nnpal.active_learning.rare_events import pulls as pulling
from nnpal.active_learning.rare_events import report_stage as reporting
from nnpal.active_learning.rare_events.energies_report import beside_oracle, figures_of_energies
from nnpal.active_learning.rare_events.facts import (
    ErrorBar,
    ExploreFacts,
    LabelFacts,
    PullFacts,
    RareEventsTrainFacts,
)
from nnpal.active_learning.rare_events.judge import (
    has_reached_aim,
)
from nnpal.active_learning.rare_events.pulls import facts_of_pulls
from nnpal.active_learning.report import Page, RateSummary, rates_table, write_figure
from nnpal.active_learning.sampling import InitialSection
from nnpal.active_learning.settings import LoopEnsembleSection, LoopLabelSection, RareEventsSection
from nnpal.active_learning.shared.label_frames import Labeled, Labeling
from nnpal.active_learning.shared.report_page import task_failures, write_report
from nnpal.evaluation import predict
from nnpal.observables import Difference, paired_difference, pairs_needed
from nnpal.oracle.settings import LammpsSection
from nnpal.runtime.json_files import write_json
from torchani_reference import ExportedModel


def test_an_activation_energy_is_the_mean_of_all_pulls_at_its_rate_or_none() -> None:
    pulls = [pull(rate, run, 4.0 + rate + 0.1 * run) for rate in RATES for run in range(RUNS)]
    assert facts_of_pulls(pulls).activation_energy == pytest.approx({"1": 5.1, "4": 8.1})
    broken = [replace(pulls[0], ended="too hot"), *pulls[1:]]
    assert facts_of_pulls(broken).activation_energy == {"1": None, "4": pytest.approx(8.1)}
    # the oracle's is of three
    lost = facts_of_pulls(pulls[:-1], given_up=["rate-4-run-2"])
    assert lost.activation_energy == {"1": pytest.approx(5.1), "4": None}
    assert lost.by_run == {"1": pytest.approx((5.0, 5.1, 5.2)), "4": (pytest.approx(8.0), pytest.approx(8.1), None)}
    names = [f"rate-4-run-{run}" for run in range(RUNS)]
    assert facts_of_pulls(pulls[:3], names).activation_energy == {"1": pytest.approx(5.1), "4": None}
    assert facts_of_pulls(pulls[4:], ["rate-4-run-1"]).by_run == {"4": (None, pytest.approx(8.2))}


def test_a_pull_that_was_given_up_leaves_its_rate_without_an_energy(tmp_path: Path, monkeypatch: Any) -> None:
    known = {f"rate-{rate:g}-run-{run}": pull(rate, run) for rate in RATES for run in range(RUNS)}
    monkeypatch.setattr(side_by_side, "read_smd", lambda folder: known[folder.name])
    monkeypatch.setattr(side_by_side, "read_given_up", lambda *_: None)
    asked = []
    bar = ErrorBar(members=(4.0, 4.2))
    monkeypatch.setattr(pulling, "error_bar", lambda runs, model: asked.append((len(runs), model)) or bar)
    facts = exploring.explore(context(tmp_path, Tasks("ensemble/rate-4-run-1")), EXPLORE, tmp_path)
    assert facts.ensemble.activation_energy == {"1": pytest.approx(4.0), "4": None}
    assert facts.best.activation_energy == pytest.approx({"1": 4.0, "4": 4.0})
    assert facts.ensemble.error_bars == {"1": bar}  # of the rate that has an energy
    assert [(n, model is not None) for n, model in asked] == [(3, True), (3, False), (3, False)]
    assert facts.failed_tasks == {"ensemble/rate-4-run-1": "killed: was killed"}
    assert facts.last_lines["best/rate-4-run-1"] == ("step 7", "Fix halt")
    assert len(facts.last_lines) == 2 * len(RATES) * RUNS - 1


def test_without_a_reference_the_oracle_does_not_pull(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(beginning, "read_md", lambda _: [Atoms("H")])
    labeled = Labeled([], [], {}, {})
    monkeypatch.setattr(beginning, "label_in_tasks", lambda *_: labeled)
    monkeypatch.setattr(beginning, "write_learned", lambda *_: "learnt.h5")
    tasks = Tasks("none")
    labeling = Labeling(LammpsSection(elements=("H",), commands=("pair_style",)), LoopLabelSection(), tmp_path)
    how = beginning.First(labeling, InitialSection(structure="water.xyz"), EXPLORE, None, None)
    facts = beginning.initial(context(tmp_path, tasks, stage="initial"), how)
    assert [folder.parent.name for folder in tasks.seen] == ["dynamics"]
    assert facts.files == ("learnt.h5",)
    assert facts.oracle is None
    assert "oracle" not in facts.to_json()


def test_without_an_oracle_the_energy_is_to_stand_still() -> None:
    first, near, far = (90.0, 95.0), (90.4, 95.4), (90.0, 96.0)
    assert stop(history(first, near, oracle=None)) is None
    assert (
        stop(history(first, near, first, oracle=None))
        == "steady: E_a changed by less than 0.5 kcal/mol in 2 iterations"
    )
    assert has_reached_aim(stop(history(first, near, first, oracle=None)))
    assert stop(history(first, near, far, oracle=None)) is None
    assert stop(history(first, (None, 95.0), first, oracle=None)) is None
    assert stop(history(far, first, near, first, oracle=None)) is not None


def test_figures_say_whose_energies_and_which_unit_they_show(tmp_path: Path, monkeypatch: Any) -> None:
    ctx, pulls = context(tmp_path), EXPLORE.model_copy(update={"uq": "uq_force"})
    done = history((100.5, 110.0), chosen=())
    told = reporting.Told(ctx, done, RunSection(), RareEventsSection(), pulls, LoopEnsembleSection())
    folder = ctx.folder / "ensemble" / "rate-1-run-0"
    folder.mkdir(parents=True)
    (folder / "run.json").touch()
    monkeypatch.setattr(uq_report, "read_smd", lambda _: pull())
    moved = replace(pull().pull, target=np.linspace(3.9, 6.9, 60))
    monkeypatch.setattr(energies_report, "read_rows_of_pull", lambda _: (moved, "complete"))
    trace, _ = reporting._uncertainty(told)
    assert "uq_meV_angstrom" in trace.columns
    rates, by_rate = figures_of_energies(told)[-2:]
    assert by_rate.name == "work_function_by_rate"
    assert by_rate.grid == (1, 2)
    assert by_rate.columns["a: run"][0] == "ensemble"  # there are no pulls at the second rate
    assert "b: run" in by_rate.columns
    assert rates.name == "loading_rates"
    assert "of the ensemble's pulls" in rates.caption
    np.testing.assert_allclose(rates.columns["activation_energy_kcal_mol"], [100.5, 110.0], rtol=1e-6)


def with_bars(done: Any, bar: ErrorBar) -> Any:
    """Return an iteration whose E_a at the first rate has an error bar."""
    own = done.explore.ensemble.model_copy(update={"error_bars": {"1": bar}})
    return done.model_copy(update={"explore": done.explore.model_copy(update={"ensemble": own})})


def test_the_page_shows_error_bars_beside_the_energies(tmp_path: Path) -> None:
    ctx, done = context(tmp_path), history((102.0, 110.0), (100.5, 110.0))
    bar = ErrorBar(statistical=0.3 * KCAL, members=(99.5 * KCAL, 100.5 * KCAL, 101.5 * KCAL), factor=3.0)
    done[1] = with_bars(done[1], bar)
    told = reporting.Told(ctx, done, RunSection(), RareEventsSection(), EXPLORE, LoopEnsembleSection())
    spread = 3.0 * np.sqrt(2 / 3)
    said = f"± 0.30 (statistical) ± {spread:.2f} (members)"
    [fact] = [fact for fact in reporting._facts(told, None) if fact.label == "Activation energy"]
    assert fact.cell.note == f"{said}; oracle 100.00; error +0.50 (95 %: +0.49 to +0.51, 6 pairs), bound 1"
    assert fact.cell.tone == "good"
    summaries = [reporting._summary(told, k) for k in range(len(done))]
    table = reporting.iteration_table(summaries)
    column = table.header.index("E_a (kcal/mol)")
    assert [row[column].note for row in table.rows] == ["", said]
    errors = [row[table.header.index("error of E_a (kcal/mol)")] for row in table.rows]
    assert [(cell.text, cell.note, cell.tone) for cell in errors] == [
        ("2.00", "95 %: +1.99 to +2.01, 6 pairs", "bad"),
        ("0.50", "95 %: +0.49 to +0.51, 6 pairs", "good"),
    ]
    drawn = {figure.name: figure for figure in figures_of_energies(told)}
    columns = drawn["activation_energy_ensemble"].columns
    np.testing.assert_allclose(columns["members_error_kcal_mol"], [np.nan, spread], rtol=1e-6)
    np.testing.assert_allclose(columns["statistical_error_kcal_mol"], [np.nan, 0.3], rtol=1e-6)
    half = 2.5706 * 0.01 * np.sqrt(6 / 5) / np.sqrt(6)
    np.testing.assert_allclose(columns["interval_kcal_mol"], [half, half], rtol=1e-4)
    assert "and thin bars: the difference from the oracle, a mean over pairs of pulls" in drawn["loading_rates"].caption
    np.testing.assert_allclose(drawn["activation_energy_error_ensemble"].columns["error_kcal_mol"], [2.0, 0.5])
    assert "members_error_kcal_mol" not in drawn["activation_energy_best"].columns
    np.testing.assert_allclose(drawn["loading_rates"].columns["members_error_kcal_mol"], [spread, np.nan], rtol=1e-6)
    assert "Wide bars: the standard deviation over the ensemble's members" in drawn["loading_rates"].caption
    for figure in drawn.values():
        write_figure(tmp_path, figure)
    [text] = reporting._about_error_bars(told)
    assert "over the 3 members" in text
    assert "the spread times 3, the calibration factor" in text


def test_an_energy_is_drawn_as_far_from_the_oracles_as_the_pairs_say() -> None:
    oracle, own = 4.4, 4.9  # eV; the model's 40 pulls have another mean than the 6 that the oracle made too
    assert beside_oracle(oracle, Difference(2.0, 6, 0.1, 5.0, 0.2, 0.9), own) == pytest.approx(oracle + 2.0 * KCAL)
    assert beside_oracle(oracle, None, own) == own
    assert np.isnan(beside_oracle(None, None, None))


def test_a_row_of_the_table_of_rates_says_what_the_pairs_say() -> None:
    found = paired_difference([101.0, 103.5, 99.9, 102.0], [100.5, 102.5, 100.0, 101.0])
    summaries = [
        RateSummary("1", 101.6 * KCAL, 101.0 * KCAL, found, members=0.4 * KCAL, pulls=4),
        RateSummary("2", 105.0 * KCAL, 103.0 * KCAL, Difference(2.0, 4, 0.1, 3.0, 0.2, 0.9), pulls=4),
        RateSummary("4", None, 110.0 * KCAL, None, pulls=4),
        RateSummary("8", 110.5 * KCAL, 110.0 * KCAL, Difference(0.5, 1), pulls=1),
    ]
    table = rates_table(summaries, goal=1.0)
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    first = {name: cell.text for name, cell in rows[0].items()}
    half = 3.18245 * np.std([0.5, 1.0, -0.1, 1.0], ddof=1) / 2
    assert first["difference"] == "0.60"
    assert first["95 % interval"] == f"{0.6 - half:+.2f} to {0.6 + half:+.2f}".replace("-", "−")
    assert (first["pairs"], first["sd of differences"], first["correlation"]) == ("4", "0.52", "0.98")
    assert (first["error bar (sampling)"], first["error bar (members)"]) == ("0.26", "0.40")
    assert first["pairs needed for ±1"] == str(pairs_needed(found.deviation, 0.4))
    assert [row["difference"].tone for row in rows[:2]] == ["warning", "bad"]
    assert rows[1]["pairs needed for ±1"].note == "the mean itself is outside"
    assert (rows[2]["difference"].note, rows[2]["pairs"].text) == ("a pull ended early", "4")
    assert rows[3]["95 % interval"].note == "one pull: no interval"


def test_figures_of_earlier_reports_leave_the_run_s_folder_and_a_user_s_stay(tmp_path: Path) -> None:
    ctx = context(tmp_path, stage="report")
    before, now = (ctx.path(k, "report", "figures") for k in (0, 1))
    for place in (before, now, ctx.run_folder / "figures"):
        place.mkdir(parents=True)
    for path in (before / "old.png", before / "both.png", now / "both.png"):
        path.write_text(path.parent.parent.parent.name)
    for name in ("old.png", "both.png", "mine.png"):
        (ctx.run_folder / "figures" / name).touch()
    ctx.path(1, "train", "").mkdir(parents=True)
    ctx.path(1, "train", "model.nnp.pt").touch()
    write_report(replace(ctx, iteration=1, folder=now.parent), Page("A page"))
    assert sorted(path.name for path in (ctx.run_folder / "figures").iterdir()) == ["both.png", "mine.png"]
    assert (ctx.run_folder / "figures" / "both.png").read_text() == "iter-0001"


def test_a_manifest_of_an_earlier_version_has_no_error_bars() -> None:
    known = {"activation_energy": {"1": 4.0}, "ended": {}, "n_frames": 1}
    facts = PullFacts.from_json(known, "test")
    assert facts.error_bars is None
    assert facts.to_json() == known
    bar = ErrorBar(statistical=0.1, members=(1.0, 3.0), factor=2.0)
    assert bar.of_members == pytest.approx(2.0)
    again = PullFacts.from_json(facts.model_copy(update={"error_bars": {"1": bar}}).to_json(), "test")
    assert again.error_bars == {"1": bar}


def test_members_are_evaluated_along_the_pulls(al_model: ExportedModel) -> None:
    """Frames at every row and rows farther apart than the window: W + ΔU_m − ΔU_m(start), largest along the pull."""
    frames = [Atoms("Al3", positions=[[0, 0, 0], [0, 2.5, 0], [2.4 + 0.3 * i, 0.3, 0]]) for i in range(9)]
    target = 2.4 + 0.3 * np.arange(9)
    run = replace(
        pull(n_rows=9), distance=target, target=target, frames=frames, frame_step=5 * np.arange(9), uq=np.zeros(9)
    )
    change = predict(al_model.path, frames, members=False, uq_force=False).member_energies
    change = change - change.mean(axis=0)
    other = replace(run, work=run.work + 0.2 * (np.arange(9) > 4), name="rate-1-run-1")
    expected = [(one.work + change - change[:, :1]).max(axis=1) for one in (run, other)]
    facts = facts_of_pulls([run, other], ensemble=al_model.path)
    bar = facts.error_bars["1"]
    np.testing.assert_allclose(bar.members, np.mean(expected, axis=0), atol=1e-6)
    assert bar.of_members == pytest.approx(np.std(np.mean(expected, axis=0)), abs=1e-6)
    assert bar.statistical == pytest.approx(0.1)  # of 4.0 and 4.2
    few = replace(run, frames=frames[:2], frame_step=run.frame_step[:2])
    assert "the frames reach from" in facts_of_pulls([few], ensemble=al_model.path).error_bars["1"].undefined
    assert facts_of_pulls([run]).error_bars["1"] == ErrorBar()


def test_nothing_new_ends_the_loop_where_all_pulls_are_whole() -> None:
    far = (50.0, 50.0)
    reason = stop(history(far, chosen=()))
    assert reason == "nothing new: no frame above the threshold differs from the data"
    assert not has_reached_aim(reason)
    assert stop(history(far, chosen=(), ended="too hot")) is None
    lost = history(far, chosen=())
    failed = {"failed_tasks": {"best/rate-1-run-0": "killed"}}
    lost[-1] = lost[-1].model_copy(update={"explore": lost[-1].explore.model_copy(update=failed)})
    assert stop(lost) is None


def test_failures_are_told_with_their_last_lines_and_a_command(tmp_path: Path) -> None:
    ended = {"rate-1-run-0": "too hot", "rate-4-run-0": "interrupted", "rate-4-run-1": "complete"}
    explore = ExploreFacts(
        failed_tasks={"ensemble/rate-4-run-0": "error: ended with 1: no such style"},
        last_lines={"ensemble/rate-1-run-0": ("step 7", "Fix halt")},
        ensemble=PullFacts(activation_energy={}, ended=ended, n_frames=1),
        best=PullFacts(activation_energy={}, ended={}, n_frames=1),
        files=(),
    )
    train = RareEventsTrainFacts.model_construct(failed_members={"1": "error: diverged"})
    label = LabelFacts(n_chosen=2, n_labeled=0, n_failed=2, reasons={"did not converge": 2}, files=())
    ctx = context(tmp_path)
    task = ctx.path(0, "explore", "ensemble/rate-4-run-0")
    task.mkdir(parents=True)
    text = f"{task}: failed twice. The end of {task}/task.log:\n    ERROR: no such style\n  by hand: /python {task}"
    write_json(task / FAILURE, {"task": "", "kind": "error", "how": "", "text": text})
    member, given_up, hot, labels = task_failures(ctx.run_folder, [[train, explore, label]])
    assert (member.text, member.command) == (
        "error: diverged",
        "python -m nnpal.active_learning.engine.task iter-0000/train/member-1",
    )
    place = "iter-0000/explore/ensemble/rate-4-run-0"
    assert given_up.text == f"{place}: failed twice. The end of {place}/task.log:\n    ERROR: no such style"
    assert given_up.command == f"python -m nnpal.active_learning.engine.task {place}"
    place = "iter-0000/explore/ensemble/rate-1-run-0"
    assert hot.text == "ended: too hot; the samples before that are used\nstep 7\nFix halt"
    assert (
        hot.command == f"rm {place}/result.json {place}/ended.json; python -m nnpal.active_learning.engine.task {place}"
    )
    assert (labels.title, labels.text) == (
        "2 configurations of iteration 0 without a label",
        "2 times did not converge",
    )
