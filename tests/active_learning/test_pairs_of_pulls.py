"""Pairs of pulls on constructed energies: the aim, the interval, and how many pulls there are to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from constructed_pulls import (
    EXPLORE,
    FIRST,
    KCAL,
    RATES,
    TRAIN,
    Tasks,
    context,
    history,
    pull,
    stop,
)
from loop_runs import RARE_EVENTS, changed, write_config
from nnpal.active_learning.config import read_run_config
from nnpal.active_learning.engine.changes import Basis
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.rare_events import explore_stage as exploring
from nnpal.active_learning.rare_events import pulls as pulling
from nnpal.active_learning.rare_events import report_stage as reporting
from nnpal.active_learning.rare_events import side_by_side
from nnpal.active_learning.rare_events.bias_report import bias_sections
from nnpal.active_learning.rare_events.facts import (
    ErrorBar,
    NoiselessFacts,
    PullFacts,
)
from nnpal.active_learning.rare_events.judge import (
    differences,
    has_reached_aim,
    largest_error,
    oracle_energies,
    oracle_runs,
    paired_energies,
    without_interval,
)
from nnpal.active_learning.rare_events.loop import RareEvents
from nnpal.active_learning.rare_events.noiseless import is_biased, noiseless_differences
from nnpal.active_learning.rare_events.oracle_pulls import folders_of_pulls
from nnpal.active_learning.rare_events.pulls import KCAL_MOL, facts_of_pulls
from nnpal.active_learning.rare_events.sizing import is_missed, runs_wanted
from nnpal.active_learning.sampling import SMDRun, rate_and_run
from nnpal.active_learning.sampling.ending import RunOutcome
from nnpal.active_learning.sampling.facts import FACTS
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.settings import LoopEnsembleSection, RareEventsSection
from nnpal.config import ConfigError
from nnpal.observables import Difference
from nnpal.oracle.settings import LammpsSection


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
    assert "set explore.runs to about 4" in without_interval(single)  # type: ignore[operator]


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
        (0.1, 0.9, 4, 9),  # t(6) 0.9/√7 = 0.83, t(5) 0.9/√6 = 0.94: 7, and a quarter more
        (0.5, 1.3, 6, 18),  # 29 by the scatter, at most three times as many in a round
        (0.5, 0.5, 12, 12),  # the interval is inside: 0.5 + 0.32
        (0.7, 1.6, 12, 140),  # from twelve pairs on, all that the scatter asks for: t(111) 1.6/√112 = 0.2996
        (0.5, 1.3, 18, 37),  # t(28) 1.3/√29 = 0.494
        (0.9, 1.3, 18, 200),  # no more than may be
        (0.9999, 5.0, 18, 200),
        (0.2, None, 1, 4),
        (1.2, None, 1, 4),
        (1.7, 0.5, 2, 4),  # two pairs tell little of their scatter
    ],
)
def test_pulls_are_added_where_they_can_settle_the_question(mean: float, sd: Any, n: int, wanted: int) -> None:
    error, freedom = (None, None) if sd is None else (sd / np.sqrt(n), n - 1.0)
    assert runs_wanted(Difference(mean, n, error, freedom, sd), n, goal=1.0, most=200) == wanted


def test_all_pulls_that_the_oracle_has_take_part_where_any_are_added() -> None:
    wide, narrow = Difference(0.1, 4, 0.45, 3.0, 0.9), Difference(0.1, 4, 0.1, 3.0, 0.2)
    assert runs_wanted(wide, 4, goal=1.0, most=200, n_oracle=30) == 30
    assert runs_wanted(wide, 4, goal=1.0, most=20, n_oracle=30) == 20
    assert runs_wanted(wide, 4, goal=1.0, most=200, n_oracle=4) == 9
    assert runs_wanted(narrow, 4, goal=1.0, most=200, n_oracle=30) == 4
    assert runs_wanted(Difference(0.1, 1), 1, goal=1.0, most=200, n_oracle=30) == 30


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
    assert said[-1] == "iteration 0: no pairs of pulls are added, because the goal is missed at 4 Å/ps"
    wrong[0] = 0.5
    monkeypatch.setattr(exploring, "is_biased", lambda *_: True)
    assert len(exploring.explore(ctx, section, tmp_path, sizing).ensemble.by_run["1"]) == 4
    assert said[-1] == "iteration 0: no pairs of pulls are added, because the pulls without noise miss the goal"
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
    with pytest.raises(
        ConfigError, match=r"explore\.most_runs = 8: pulls are added in pairs with pulls under the oracle"
    ):
        read_run_config(write_config(tmp_path / "3", changed(more, rare_events={"reference": False})))
