"""The loop of rare events on constructed pulls and histories: activation energies, stop rule, thresholds, failures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from loop_runs import RARE_EVENTS, changed, write_config
from nnpal.active_learning.config import read_run_config
from nnpal.active_learning.engine.changes import Basis
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.failure import FAILURE, Failure
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.rare_events import energies_report, side_by_side, uq_report
from nnpal.active_learning.rare_events import explore_stage as exploring
from nnpal.active_learning.rare_events import initial_stage as beginning
from nnpal.active_learning.rare_events import pulls as pulling
from nnpal.active_learning.rare_events import report_stage as reporting
from nnpal.active_learning.rare_events.bias_report import bias_sections
from nnpal.active_learning.rare_events.energies_report import figures_of_energies
from nnpal.active_learning.rare_events.facts import (
    ChosenFrame,
    ErrorBar,
    ExploreFacts,
    InitialFacts,
    Iteration,
    LabelFacts,
    NoiselessFacts,
    PullFacts,
    RareEventsTrainFacts,
    SelectFacts,
)
from nnpal.active_learning.rare_events.judge import (
    differences,
    has_reached_aim,
    largest_error,
    oracle_energies,
    oracle_runs,
    paired_energies,
    reason_to_stop,
    without_interval,
)
from nnpal.active_learning.rare_events.loop import RareEvents
from nnpal.active_learning.rare_events.noiseless import is_biased, noiseless_differences
from nnpal.active_learning.rare_events.oracle_pulls import folders_of_pulls
from nnpal.active_learning.rare_events.pulls import KCAL_MOL, facts_of_pulls
from nnpal.active_learning.rare_events.select_stage import (
    Choice,
    _candidates,
    _classes,
    _free,
    _sound,
    _threshold,
    select,
)
from nnpal.active_learning.rare_events.sizing import is_missed, runs_wanted
from nnpal.active_learning.report import Page, RateSummary, rates_table, write_figure
from nnpal.active_learning.sampling import InitialSection, SMDRun, rate_and_run
from nnpal.active_learning.sampling import SMDSection as Explore
from nnpal.active_learning.sampling.ending import RunOutcome
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.selection import Classes, Threshold
from nnpal.active_learning.settings import LoopEnsembleSection, LoopLabelSection, RareEventsSection
from nnpal.active_learning.shared.label_frames import Labeled, Labeling
from nnpal.active_learning.shared.report_page import task_failures, write_report
from nnpal.config import ConfigError
from nnpal.evaluation import predict
from nnpal.observables import Difference, paired_difference, pairs_needed
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
    lost = facts_of_pulls(pulls[:-1], given_up=["rate-4-run-2"])
    assert lost.activation_energy == {"1": pytest.approx(5.1), "4": None}
    assert lost.by_run == {"1": pytest.approx((5.0, 5.1, 5.2)), "4": (pytest.approx(8.0), pytest.approx(8.1), None)}
    names = [f"rate-4-run-{run}" for run in range(RUNS)]
    assert facts_of_pulls(pulls[:3], names).activation_energy == {"1": pytest.approx(5.1), "4": None}
    assert facts_of_pulls(pulls[4:], ["rate-4-run-1"]).by_run == {"4": (None, pytest.approx(8.2))}


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
    return Choice(section, EXPLORE.model_copy(update={"max_error": max_error}), most=9, n_peak=0)


def context(folder: Path, tasks: Any = None, stage: str = "explore") -> StageContext:
    (folder / "water.xyz").write_text("1\n\nH 0 0 0\n")
    place = stage_folder(folder / "run", 0, stage)
    place.mkdir(parents=True)
    before = {"initial": FIRST, "train": TRAIN}
    return StageContext(folder / "run", place, 0, {}, [before], 1, tasks, Deadline(), print)


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


def history(
    *energies: Any, oracle: Any = (100.0, 110.0), chosen: Any = (1,), ended: str = "complete", apart: Any = (0.01,) * 3
) -> Any:
    """Return iterations with E_a (kcal/mol) at the two rates; None: a pull broke off.

    Pulls of the model lie around their mean by ``apart`` and its negatives, those of the oracle are alike.
    """
    around = [sign * one for one in apart for sign in (1, -1)]

    def facts(values: Any, shifts: Any = (), **given: Any) -> PullFacts:
        energies = {f"{r:g}": None if v is None else KCAL * v for r, v in zip(RATES, values, strict=True)}
        runs = {r: tuple(None if v is None else v + KCAL * d for d in shifts) for r, v in energies.items()}
        return PullFacts(activation_energy=energies, n_frames=1, by_run=runs if shifts else None, **given)

    first = InitialFacts.from_json(FIRST, "test")
    if oracle is not None:
        first = first.model_copy(update={"oracle": facts(oracle, [0.0] * len(around), ended={})})
    found = []
    for k, values in enumerate(energies):
        own = facts(values, around, ended={"rate-1-run-0": ended})
        explore = ExploreFacts(failed_tasks={}, last_lines={}, ensemble=own, best=own, files=())
        select = SelectFacts(
            thresholds={}, counts={"accurate": 1, "candidate": 0, "failed": 0}, good_frames={"rate-1-run-0": 1},
            n_candidates=1, n_near_known=0, n_near_chosen=0, files=(),
            chosen=tuple(ChosenFrame(run="rate-1-run-0", step=step, uq=1.0) for step in chosen),
        )  # fmt: skip
        label = LabelFacts(n_chosen=0, n_labeled=0, n_failed=0, reasons={}, files=())
        train = RareEventsTrainFacts.model_construct(failed_members={}, n_data=10)
        found.append(
            Iteration.model_construct(
                initial=None if k else first, train=train, explore=explore, select=select, label=label
            )
        )
    return found


def stop(found: Any, patience: int = 2) -> str | None:
    return reason_to_stop(found, goal=1.0, patience=patience, steady=0.5)


def test_the_aim_is_an_interval_within_the_goal_at_every_rate_patience_times_running() -> None:
    good, bad = (100.9, 109.5), (100.1, 108.9)
    assert stop(history(good)) is None
    half = 2.5706 * 0.01 * np.sqrt(6 / 5) / np.sqrt(6)  # t of 5 degrees of freedom
    reached = "aim reached: at all rates the 95 % interval of E_a - E_a(oracle) lies within ±1 kcal/mol (±0.91, 0.91)"
    assert stop(history(good, good)) == reached
    assert 0.9 + half == pytest.approx(0.91, abs=5e-3)
    assert has_reached_aim(stop(history(bad, good, good)))
    assert stop(history(good, bad)) is None
    assert stop(history(good, bad, good)) is None
    assert stop(history(good, (100.0, None))) is None  # a pull broke off
    assert stop(history(good), patience=1) is not None
    assert stop(history(bad, bad, bad)) is None  # as steady as can be, and wrong


def test_a_mean_within_the_goal_is_not_enough() -> None:
    near = (100.2, 109.9)
    wide = history(near, near, apart=(1.0, 1.0, 1.0))
    found = differences(wide, wide[-1])
    assert found["1"].mean == pytest.approx(0.2)
    assert found["1"].half_width() == pytest.approx(2.5706 * np.sqrt(6 / 5) / np.sqrt(6), rel=1e-4)  # 1.15
    assert stop(wide) is None
    assert stop(history(near, near, apart=(0.69, 0.69, 0.69))) is not None  # 0.2 + 0.79
    assert without_interval(wide) is None
    single = history(near, near, apart=())
    for done in [single[0].initial.oracle, *(one.explore.ensemble for one in single)]:
        done.__dict__["by_run"] = {rate: (value,) for rate, value in done.activation_energy.items()}
    assert stop(single) is None
    assert largest_error(differences(single, single[-1])) == pytest.approx(0.2)
    assert "set explore.runs = 4" in without_interval(single)  # type: ignore[operator]


def test_runs_of_earlier_versions_have_a_difference_without_an_interval() -> None:
    old = history((100.9, 109.5), (100.9, 109.5), apart=())
    assert differences(old, old[-1]) == {
        "1": Difference(pytest.approx(0.9), 0),
        "4": Difference(pytest.approx(-0.5), 0),
    }
    assert stop(old) is None


def added(done: Any, rate: str, values: Any) -> Any:
    """Return an iteration that has added pulls under the oracle (kcal/mol) at a rate."""
    own = PullFacts(activation_energy={rate: None}, ended={}, n_frames=1, by_run={rate: tuple(values)})
    return done.model_copy(update={"explore": done.explore.model_copy(update={"oracle": own})})


def test_pulls_that_were_added_under_the_oracle_are_paired_in_the_order_of_all() -> None:
    done = history((101.0, 110.0), (101.0, 110.0), apart=(0.5,))
    done[0] = added(done[0], "1", [KCAL * 104.0, None])
    ours = done[1].explore.ensemble
    ours.by_run["1"] = tuple(KCAL * value for value in (101.0, 102.0, 103.5, 99.0))
    assert oracle_runs(done)["1"] == (*[KCAL * 100.0] * 2, KCAL * 104.0, None)
    found = differences(done, done[1])["1"]
    assert (found.n, found.mean) == (3, pytest.approx((1.0 + 2.0 - 0.5) / 3))
    # so that energies side by side differ by the difference that is told
    assert paired_energies(done, done[1], "1") == pytest.approx((KCAL * 306.5 / 3, KCAL * 304.0 / 3))
    assert paired_energies(done, done[0], "1") == pytest.approx((KCAL * 101.0, KCAL * 100.0))
    told = reporting.Told(None, done[:1], RunSection(), RareEventsSection(), EXPLORE, LoopEnsembleSection())
    [fact] = [fact for fact in reporting._facts(told, None) if fact.label == "Activation energy"]
    assert "oracle 100.00; error +1.00" in fact.cell.note
    assert oracle_energies(done)["1"] == pytest.approx(KCAL * 304.0 / 3)
    assert differences(done, done[0])["1"].n == 2


def test_pulls_are_shown_in_the_order_of_their_numbers_though_one_never_began(tmp_path: Path) -> None:
    there = {"one": ("rate-1-run-2", "rate-1-run-0", "rate-10-run-0"), "two": ("rate-1-run-10", "rate-1-run-3")}
    for place, names in there.items():
        for name in names:
            (tmp_path / place / name).mkdir(parents=True)
            (tmp_path / place / name / FACTS).touch()
    (tmp_path / "one" / "rate-1-run-1").mkdir()  # it was given up before it began
    found = folders_of_pulls([tmp_path / "one", tmp_path / "two", tmp_path / "none"], "1")
    assert [path.name for path in found] == [f"rate-1-run-{run}" for run in (0, 2, 3, 10)]


@pytest.mark.parametrize(
    ("mean", "sd", "n", "wanted"),
    [
        (1.1, 0.9, 4, 12),  # the mean is outside by chance, or not: three times as many will tell
        (0.1, 0.3, 4, 4),  # the interval is inside: 0.1 + 0.48
        (0.1, 0.9, 4, 7),  # t(6) 0.9/√7 = 0.83, t(5) 0.9/√6 = 0.94
        (0.5, 1.3, 6, 18),  # 29 by the scatter, at most three times as many in a round
        (0.5, 1.3, 18, 20),  # no more than may be
        (0.9999, 5.0, 18, 20),
        (0.2, None, 1, 4),
        (1.2, None, 1, 4),
        (1.7, 0.5, 2, 4),  # two pairs tell little of their scatter
    ],
)
def test_pulls_are_added_where_they_can_settle_the_question(mean: float, sd: Any, n: int, wanted: int) -> None:
    error, freedom = (None, None) if sd is None else (sd / np.sqrt(n), n - 1.0)
    assert runs_wanted(Difference(mean, n, error, freedom, sd), n, goal=1.0, most=20) == wanted


@pytest.mark.parametrize(
    ("mean", "sd", "n", "missed"),
    [
        (3.0, 1.9, 4, True),
        (3.0, 2.1, 4, False),
        (-3.0, 1.9, 4, True),
        (0.9, 0.01, 4, False),
        (60.0, None, 1, False),
        (9.0, 0.1, 3, False),
    ],
)
def test_the_goal_is_missed_where_the_mean_lies_past_it_by_two_standard_errors(
    mean: float, sd: Any, n: int, missed: bool
) -> None:
    error, freedom = (None, None) if sd is None else (float(sd / np.sqrt(n)), n - 1.0)
    assert is_missed(Difference(mean, n, error, freedom, sd), 1.0) is missed
    assert is_missed(None, 1.0)


def test_a_bias_without_noise_is_a_missed_goal_too() -> None:
    ours, theirs = (NoiselessFacts(rate=4.0, activation_energy=one) for one in ((4.0, 4.2), (4.05, 4.1)))
    assert not is_biased(ours, theirs, 1.0)  # -1.15 and 2.31 kcal/mol
    assert is_biased(ours, theirs, 0.5)
    assert is_biased(NoiselessFacts(rate=4.0, activation_energy=(4.05, None)), theirs, 1.0)
    assert not is_biased(None, theirs, 1.0)
    # what broke off under the oracle says nothing of the model, so that pairs may be added
    half = NoiselessFacts(rate=4.0, activation_energy=(None, 4.1))
    assert not is_biased(NoiselessFacts(rate=4.0, activation_energy=(4.0, 4.12)), half, 1.0)
    assert is_biased(NoiselessFacts(rate=4.0, activation_energy=(4.0, None)), half, 1.0)


@pytest.mark.parametrize(
    ("rate", "energies", "expected"),
    [
        (4.0, (4.1, 4.1, 4.1), [0.05, 0.0]),  # one more than the oracle's
        (4.0, (4.1,), [0.05, None]),
        (2.0, (4.1, 4.1), []),  # at another rate
    ],
)
def test_pulls_without_noise_pair_where_a_change_of_them_was_kept(rate: float, energies: Any, expected: Any) -> None:
    done = history((100.0, 110.0))
    theirs, ours = (
        NoiselessFacts(rate=4.0, activation_energy=(4.05, 4.1)),
        NoiselessFacts(rate=rate, activation_energy=energies),
    )
    done[0] = done[0].model_copy(
        update={
            "initial": done[0].initial.model_copy(update={"noiseless": theirs}),
            "explore": done[0].explore.model_copy(update={"noiseless": ours}),
        }
    )
    found = noiseless_differences(done, done[0])
    assert found == [None if one is None else pytest.approx(KCAL_MOL * one) for one in expected]
    assert is_biased(ours, theirs, 0.5) is bool(expected)  # by 0.58 and 1.15 kcal/mol
    tables = [block for part in bias_sections(done) for block in part.blocks]
    assert [len(row) for table in tables for row in table.rows] == [4] * bool(expected)


class Pulled(Tasks):
    """Do all pulls, with energies (kcal/mol) by who pulls and number of the run."""

    def __init__(self, energies: Any) -> None:
        super().__init__("none")
        self.energies = energies
        self.made: list[str] = []
        self.seeds: dict[str, int] = {}

    def run(self, tasks: Any) -> list[TaskOutcome]:
        self.made += [f"{task.folder.parent.name}/{task.folder.name}" for task in tasks]
        self.seeds |= {f"{task.folder.parent.name}/{task.folder.name}": task.arguments["seed"] for task in tasks}
        ended = RunOutcome("complete", (), n_frames=1, last_frame=0, steps=9, seed=1).to_json()
        return [TaskOutcome(task.folder, ended, None) for task in tasks]

    def read(self, folder: Path) -> SMDRun:
        rate, run = rate_and_run(folder.name)
        return pull(float(rate), run, KCAL * self.energies(folder.parent.name, rate, run))


def test_pairs_are_added_up_to_what_the_interval_needs_and_the_oracle_s_are_made_once(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """At 1 Å/ps differences scatter by 1.2 around 0.1; at 4 Å/ps the model is wrong by ``wrong``."""
    noise, wrong = np.random.default_rng(3).normal(size=40), [0.5]

    def energy(who: str, rate: str, run: int) -> float:
        theirs = 100.0 + 2.0 * noise[run]
        return theirs if who == "oracle" else theirs + (wrong[0] if rate == "4" else 0.1 + (1.2, -1.2)[run % 2])

    tasks = Pulled(energy)
    monkeypatch.setattr(side_by_side, "read_smd", tasks.read)
    monkeypatch.setattr(pulling, "error_bar", lambda runs, model: ErrorBar())
    oracle = OracleForces(LammpsSection(elements=("H",), commands=("pair_style",)), tmp_path)
    section = EXPLORE.model_copy(update={"runs": 4, "most_runs": 16})
    sizing = exploring.Sizing(oracle, 1.0, 16)
    ctx = context(tmp_path, tasks)
    first = [pull(rate, run, KCAL * energy("oracle", f"{rate:g}", run)) for rate in RATES for run in range(4)]
    ctx.history[0]["initial"] = {**FIRST, "oracle": facts_of_pulls(first).to_json()}  # type: ignore[index]
    facts = exploring.explore(ctx, section, tmp_path, sizing)
    added = [name for name in tasks.made if name.startswith("oracle/")]
    assert added == [f"oracle/rate-1-run-{run}" for run in range(4, 12)]  # t(11) 1.39/√12 = 0.88
    assert len(facts.ensemble.by_run["1"]) == 12
    assert [len(own.by_run["4"]) for own in (facts.ensemble, facts.best)] == [4, 4]  # whose interval is within
    assert len(facts.best.by_run["1"]) == 4
    assert facts.oracle.by_run["1"] == pytest.approx([KCAL * energy("oracle", "1", run) for run in range(4, 12)])
    assert set(facts.oracle.by_run) == {"1"}
    for name in added:
        assert tasks.seeds[name] == tasks.seeds[name.replace("oracle", "ensemble")]
    # the next iteration finds them
    again = Pulled(energy)
    monkeypatch.setattr(side_by_side, "read_smd", again.read)
    later = replace(ctx, iteration=1, tasks=again, history=[{**ctx.history[0], "explore": facts.to_json()},
                                                            {"train": TRAIN}])  # fmt: skip
    facts = exploring.explore(later, section, tmp_path, sizing)
    assert len(facts.ensemble.by_run["1"]) == 12
    assert facts.oracle is None
    assert not [name for name in again.made if name.startswith("oracle/")]
    # none are added where the aim is missed at another rate, or without noise,
    wrong[0] = 3.0
    said: list[str] = []
    ctx = replace(ctx, log=said.append)
    assert len(exploring.explore(ctx, section, tmp_path, sizing).ensemble.by_run["1"]) == 4
    assert said[-1] == "iteration 0: no pairs of pulls are added, as the goal is missed at 4 Å/ps"
    wrong[0] = 0.5
    monkeypatch.setattr(exploring, "is_biased", lambda *_: True)
    assert len(exploring.explore(ctx, section, tmp_path, sizing).ensemble.by_run["1"]) == 4
    assert said[-1] == "iteration 0: no pairs of pulls are added, as the pulls without noise miss the goal"
    # and unless asked for
    assert len(exploring.explore(ctx, section, tmp_path).ensemble.by_run["1"]) == 4


def test_settings_of_added_pulls_leave_the_first_data_as_they_are(tmp_path: Path) -> None:
    tables = changed(RARE_EVENTS, explore={"runs": 2})
    more = changed(RARE_EVENTS, explore={"runs": 2, "most_runs": 8})
    bases = []
    for number, one in enumerate((tables, more)):
        config = read_run_config(write_config(tmp_path / str(number), one))
        resolved = config.model_dump(mode="json") | {"files": {}, "oracle identity": []}
        stages = {stage.name: stage for stage in RareEvents(config, tmp_path).stages(0)}
        bases.append({name: Basis.of(stage, resolved, 1, {}) for name, stage in stages.items()})
    assert [name for name in bases[0] if bases[0][name] != bases[1][name]] == ["explore"]
    assert "rare_events.goal" not in bases[0]["explore"].config
    assert "rare_events.goal" in bases[1]["explore"].config
    with pytest.raises(ConfigError, match=r"most_runs: 1, expected runs, 2, or more"):
        read_run_config(write_config(tmp_path / "2", changed(tables, explore={"most_runs": 1})))
    with pytest.raises(ConfigError, match=r"explore\.most_runs = 8: pulls are added in pairs with the oracle's"):
        read_run_config(write_config(tmp_path / "3", changed(more, rare_events={"reference": False})))


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
    assert "Thin bars: the 95 % interval of the difference from the oracle" in drawn["loading_rates"].caption
    np.testing.assert_allclose(drawn["activation_energy_error_ensemble"].columns["error_kcal_mol"], [2.0, 0.5])
    assert "members_error_kcal_mol" not in drawn["activation_energy_best"].columns
    np.testing.assert_allclose(drawn["loading_rates"].columns["members_error_kcal_mol"], [spread, np.nan], rtol=1e-6)
    assert "Wide bars: the standard deviation over the ensemble's members" in drawn["loading_rates"].caption
    for figure in drawn.values():
        write_figure(tmp_path, figure)
    [text] = reporting._about_error_bars(told)
    assert "over the 3 members" in text
    assert "the spread times 3, the calibration factor" in text


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
    assert rows[1]["pairs needed for ±1"].note == "the mean alone is outside"
    assert (rows[2]["difference"].note, rows[2]["pairs"].text) == ("a pull broke off", "4")
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
    with pytest.raises(StageError, match="rate-1-run-0: its rows have no column error_force, as those of earlier"):
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
