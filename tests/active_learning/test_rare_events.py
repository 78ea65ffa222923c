"""The loop of rare events on constructed pulls and histories: activation energies, stop rule, thresholds, failures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.failure import FAILURE, Failure
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.rare_events import explore_stage as exploring
from nnpal.active_learning.rare_events import initial_stage as beginning
from nnpal.active_learning.rare_events import pulls as pulling
from nnpal.active_learning.rare_events import report_stage as reporting
from nnpal.active_learning.rare_events.facts import (
    ChosenFrame,
    ErrorBar,
    ExploreFacts,
    InitialFacts,
    Iteration,
    LabelFacts,
    PullFacts,
    RareEventsTrainFacts,
    SelectFacts,
)
from nnpal.active_learning.rare_events.judge import has_reached_aim, reason_to_stop
from nnpal.active_learning.rare_events.pulls import KCAL_MOL, facts_of_pulls
from nnpal.active_learning.rare_events.select_stage import Choice, _candidates, _classes, _sound, _threshold, select
from nnpal.active_learning.report import write_figure
from nnpal.active_learning.sampling import InitialSection, SMDRun
from nnpal.active_learning.sampling import SMDSection as Explore
from nnpal.active_learning.sampling.ending import RunOutcome
from nnpal.active_learning.selection import Classes, Threshold
from nnpal.active_learning.settings import LoopEnsembleSection, LoopLabelSection, RareEventsSection
from nnpal.active_learning.shared.label_frames import Labeled, Labeling
from nnpal.active_learning.shared.report_page import task_failures
from nnpal.evaluation import predict
from nnpal.oracle.settings import LammpsSection
from nnpal.runtime.json_files import write_json
from torchani_reference import ExportedModel

KCAL = 1.0 / KCAL_MOL
RATES, RUNS = (1.0, 4.0), 3
LIMITS = RareEventsSection(first_steps=250)


def pull(rate: float = 1.0, run: int = 0, energy: float = 4.0, ended: str = "complete", n_rows: int = 60) -> SMDRun:
    """Return a pull whose work rises to ``energy``, eV, and falls a little."""
    step, zeros = 5 * np.arange(n_rows), np.zeros(n_rows)
    work = energy * np.minimum(1.0, np.linspace(0.0, 1.2, n_rows)) - 0.1 * (np.arange(n_rows) == n_rows - 1)
    frames = [Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]])]
    return SMDRun(
        step, zeros, zeros, zeros, work, zeros, zeros, 0.01 + 0.001 * (step % 2), frames, step[:1], np.full(1, 0.01),
        None, None, rate, ended, f"rate-{rate:g}-run-{run}",
    )  # fmt: skip


def test_an_activation_energy_is_the_mean_of_all_pulls_at_its_rate_or_none() -> None:
    pulls = [pull(rate, run, 4.0 + rate + 0.1 * run) for rate in RATES for run in range(RUNS)]
    assert facts_of_pulls(pulls).activation_energy == pytest.approx({"1": 5.1, "4": 8.1})
    broken = [replace(pulls[0], ended="too hot"), *pulls[1:]]
    assert facts_of_pulls(broken).activation_energy == {"1": None, "4": pytest.approx(8.1)}
    # the oracle's is of three
    assert facts_of_pulls(pulls[:-1], given_up={4.0}).activation_energy == {"1": pytest.approx(5.1), "4": None}
    assert facts_of_pulls(pulls[:3], given_up={4.0}).activation_energy == {"1": pytest.approx(5.1), "4": None}


class Tasks:
    """Answers for a runner of tasks: all are done but one."""

    def __init__(self, lost: str = "") -> None:
        self.lost = lost
        self.seen: list[Path] = []

    def run(self, tasks: Any) -> list[TaskOutcome]:
        self.seen += [task.folder for task in tasks]
        failure = Failure("killed", "was killed", "text")
        ended = RunOutcome("too hot", ("step 7", "Fix halt"), n_frames=1, last_frame=0, steps=9, seed=1).to_json()
        return [
            TaskOutcome(folder, *((None, failure) if str(folder).endswith(self.lost) else (ended, None)))
            for folder in (task.folder for task in tasks)
        ]


EXPLORE = Explore(kind="smd", structure="water.xyz", atoms=(1, 2), rates=RATES, runs=RUNS)
TRAIN: dict[str, Any] = {
    "n_data": 10, "members": 2, "failed_members": {}, "best_member": 0, "epochs": {"0": 3, "1": 3}, "files": [],
    **{f"{part}_{e}_mae": 0.1 for part in ("train", "validation") for e in ("energy", "relative_energy", "force")},
}  # fmt: skip
FIRST: dict[str, Any] = {
    "n_frames": 1, "ended": {}, "failed_tasks": {}, "last_lines": {}, "pull_seed": 3, "n_labelled": 1,
    "n_failed": 0, "reasons": {}, "files": [],
}  # fmt: skip


def choice(section: RareEventsSection, max_error: float | None = None) -> Choice:
    return Choice(section, EXPLORE.model_copy(update={"max_error": max_error}), labels=9)


def context(folder: Path, tasks: Any = None, stage: str = "explore") -> StageContext:
    (folder / "water.xyz").write_text("1\n\nH 0 0 0\n")
    place = stage_folder(folder / "run", 0, stage)
    place.mkdir(parents=True)
    before = {"initial": FIRST, "train": TRAIN}
    return StageContext(folder / "run", place, 0, {}, [before], 1, tasks, Deadline(), print)


def test_a_pull_that_was_given_up_leaves_its_rate_without_an_energy(tmp_path: Path, monkeypatch: Any) -> None:
    known = {f"rate-{rate:g}-run-{run}": pull(rate, run) for rate in RATES for run in range(RUNS)}
    monkeypatch.setattr(exploring, "read_smd", lambda folder: known[folder.name])
    monkeypatch.setattr(exploring, "read_given_up", lambda *_: None)
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


def history(*energies: Any, oracle: Any = (100.0, 110.0), chosen: Any = (1,), ended: str = "complete") -> Any:
    """Return iterations with E_a (kcal/mol) at the two rates; None: a pull broke off."""

    def by_rate(values: Any) -> dict[str, float | None]:
        return {f"{r:g}": None if v is None else KCAL * v for r, v in zip(RATES, values, strict=True)}

    first = InitialFacts.from_json(FIRST, "test")
    if oracle is not None:
        pulls = PullFacts(activation_energy=by_rate(oracle), ended={}, n_frames=1)
        first = first.model_copy(update={"oracle": pulls})
    found = []
    for k, values in enumerate(energies):
        own = PullFacts(activation_energy=by_rate(values), ended={"rate-1-run-0": ended}, n_frames=1)
        explore = ExploreFacts(failed_tasks={}, last_lines={}, ensemble=own, best=own, files=())
        select = SelectFacts(
            thresholds={}, counts={"accurate": 1, "candidate": 0, "failed": 0}, good_frames={"rate-1-run-0": 1},
            n_candidates=1, n_near_known=0, n_near_chosen=0, files=(),
            chosen=tuple(ChosenFrame(run="rate-1-run-0", step=step, uq=1.0) for step in chosen),
        )  # fmt: skip
        label = LabelFacts(n_chosen=0, n_labeled=0, n_failed=0, reasons={}, files=())
        train = RareEventsTrainFacts.model_construct(failed_members={})
        found.append(
            Iteration.model_construct(
                initial=None if k else first, train=train, explore=explore, select=select, label=label
            )
        )
    return found


def stop(found: Any, patience: int = 2) -> str | None:
    return reason_to_stop(found, goal=1.0, patience=patience, steady=0.5)


def test_the_aim_is_to_be_reached_at_every_rate_patience_times_running() -> None:
    good, bad = (100.9, 109.5), (100.1, 108.9)
    assert stop(history(good)) is None
    assert stop(history(good, good)) == "aim reached: |E_a - E_a(oracle)| at all rates below 1 kcal/mol (0.90, 0.90)"
    assert has_reached_aim(stop(history(bad, good, good)))
    assert stop(history(good, bad)) is None
    assert stop(history(good, bad, good)) is None
    assert stop(history(good, (100.0, None))) is None  # a pull broke off
    assert stop(history(good), patience=1) is not None
    assert stop(history(bad, bad, bad)) is None  # as steady as can be, and wrong


def test_without_an_oracle_the_energy_is_to_stand_still() -> None:
    first, near, far = (90.0, 95.0), (90.4, 95.4), (90.0, 96.0)
    assert stop(history(first, near, oracle=None)) is None
    assert (
        stop(history(first, near, first, oracle=None)) == "steady: E_a moved by less than 0.5 kcal/mol in 2 iterations"
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
    monkeypatch.setattr(reporting, "read_smd", lambda _: pull())
    trace, _ = reporting._uncertainty(told)
    assert "uq_meV_angstrom" in trace.columns
    oracle = {"1": 100.0 * KCAL, "4": 110.0 * KCAL}
    rates = reporting._energies(told, oracle)[-1]
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
    assert fact.cell.note == f"{said}; oracle 100.00; error +0.50, bound 1"
    trained = RareEventsTrainFacts.model_construct(unseen=None, n_data=10)
    summaries = [reporting._summary(k, one.model_copy(update={"train": trained}), "1") for k, one in enumerate(done)]
    table = reporting.iteration_table(summaries)
    column = table.header.index("E_a (kcal/mol)")
    assert [row[column].note for row in table.rows] == ["", said]
    drawn = {figure.name: figure for figure in reporting._energies(told, {"1": 100.0 * KCAL, "4": 110.0 * KCAL})}
    columns = drawn["activation_energy_ensemble"].columns
    np.testing.assert_allclose(columns["members_error_kcal_mol"], [np.nan, spread], rtol=1e-6)
    np.testing.assert_allclose(columns["statistical_error_kcal_mol"], [np.nan, 0.3], rtol=1e-6)
    assert "members_error_kcal_mol" not in drawn["activation_energy_best"].columns
    np.testing.assert_allclose(drawn["loading_rates"].columns["members_error_kcal_mol"], [spread, np.nan], rtol=1e-6)
    assert "Wide bars: the standard deviation over the ensemble's members" in drawn["loading_rates"].caption
    for figure in drawn.values():
        write_figure(tmp_path, figure)
    [text] = reporting._about_error_bars(told)
    assert "over the 3 members" in text
    assert "the spread times 3, the calibration factor" in text


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
    other = replace(run, work=run.work + 0.2 * (np.arange(9) > 4))
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
    assert reason == "nothing new: no frame above the threshold is unlike the data"
    assert not has_reached_aim(reason)
    assert stop(history(far, chosen=(), ended="too hot")) is None
    lost = history(far, chosen=())
    failed = {"failed_tasks": {"best/rate-1-run-0": "killed"}}
    lost[-1] = lost[-1].model_copy(update={"explore": lost[-1].explore.model_copy(update=failed)})
    assert stop(lost) is None


def test_only_a_pull_that_broke_off_may_lack_a_threshold() -> None:
    assert _threshold(pull(), LIMITS).n_values == 50  # type: ignore[union-attr]
    assert _threshold(pull(ended="too hot", n_rows=20), LIMITS) is None
    with pytest.raises(ValueError, match="uncertainty of rate-1-run-0 has 20 values, expected 30 at least"):
        _threshold(pull(n_rows=20), LIMITS)


def classes_of(run: SMDRun, limit: Threshold | None, how: Choice) -> Classes:
    return _classes(run, limit, how, _sound(run, how))


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
    with pytest.raises(StageError, match="rate-1-run-0: its rows have no column error_force, as those of earlier"):
        classes_of(pull(), None, choice(section))


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
    monkeypatch.setattr(reporting, "read_smd", lambda _: replace(own, error_trace=errors))
    trace = reporting._uncertainty(told)[0]
    np.testing.assert_allclose(trace.columns["uq_meV_angstrom"], 1e3 * errors)
    assert set(trace.columns["threshold_meV_angstrom"]) == {300.0}
    assert "30 of 60 frames above the threshold" in trace.alt
    assert "the threshold error_above" in trace.caption


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
    assert hot.text == "ended: too hot; what it sampled before is used\nstep 7\nFix halt"
    assert (
        hot.command == f"rm {place}/result.json {place}/ended.json; python -m nnpal.active_learning.engine.task {place}"
    )
    assert (labels.title, labels.text) == (
        "2 configurations of iteration 0 without a label",
        "2 times did not converge",
    )
