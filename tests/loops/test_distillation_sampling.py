"""Sampling by NPT dynamics in a distillation, and the time series of any sampling."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from loop_runs import DISTILLATION, changed, write_config
from nnpal.active_learning.checks import faults, read_given
from nnpal.active_learning.config import read_run_config
from nnpal.active_learning.distillation.pools import pool, sampled_frames
from nnpal.active_learning.distillation.sample_stage import sample
from nnpal.active_learning.distillation.time_series import (
    read_time_series,
    series_of_file,
    series_table,
    timestep_of,
)
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.engine.task import RESULT, perform, prepare
from nnpal.active_learning.plan import plan_of
from nnpal.active_learning.run import loop_of
from nnpal.active_learning.sampling import read_isobaric
from nnpal.active_learning.shared.label_frames import Labeling
from nnpal.cli.app import app
from nnpal.config import ConfigError
from nnpal.runtime.json_files import as_json, read_json, write_json

NPT = {
    "kind": "npt", "H": None, "O": None, "equilibration": 100, "melt_steps": 800, "melt_temperature": 3000.0,
    "steps": 200, "every": 20,
}  # fmt: skip
N_FRAMES, N_TEST = 22, 4


class InThisProcess:
    """A runner that does tasks at once."""

    def run(self, tasks, limits=None):
        done = []
        for task in tasks:
            prepare(task)
            perform(task.folder)
            done.append(TaskOutcome(task.folder, read_json(task.folder / RESULT)["result"], None))
        return done


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """The folder of a loop after its sampling, and a context of the stages that follow."""
    folder = tmp_path_factory.mktemp("npt")
    tables = changed(DISTILLATION, explore=NPT, distillation={"test": N_TEST, "sets": 2}, crystals=None)
    config = read_run_config(write_config(folder, tables))
    assert faults(read_given(config, folder)) == []
    place = folder / "run" / "iter-0000" / "sample"
    place.mkdir(parents=True)
    history: list = [{}]
    ctx = StageContext(
        folder / "run", place, 0, {}, history, 1, tasks=InThisProcess(), deadline=Deadline(), log=lambda text: None
    )
    found = sample(ctx, Labeling(config.oracle, config.label, folder), config.explore, N_TEST)
    history[0]["sample"] = as_json(found.to_json(), "facts")
    return folder, config, ctx, found


def test_crystal_and_liquid_become_the_pools_of_a_distillation(sampled):
    folder, config, ctx, found = sampled
    assert (found.n_frames, found.n_test) == (N_FRAMES, N_TEST)
    assert found.runs == ("crystal-run-0", "liquid-run-0")
    assert set(found.ended.values()) == {"complete"}
    first, second = (pool(ctx, config.distillation, i) for i in (0, 1))
    assert max(first) < N_FRAMES // 2 <= min(second)
    for indices, tag in ((first, "npt-crystal"), (second, "npt-liquid")):
        assert {frame.info["tag"] for frame in sampled_frames(ctx, indices)} == {tag}
    plan = plan_of(config, folder, loop_of(config, folder))
    steps = 2 * (NPT["equilibration"] + NPT["steps"]) + NPT["melt_steps"]
    assert [(one.what, one.n) for one in plan.steps] == [("steps of NPT (2 walks)", steps)]


def test_time_series_of_a_stage_are_those_of_its_runs(sampled):
    folder, _, _, _ = sampled
    of_file = series_of_file(folder / "run/iter-0000/sample/series.npz")
    of_runs = read_time_series(folder / "run")
    assert [one.label for one in of_file] == ["crystal-run-0", "liquid-run-0"]
    assert [one.label for one in of_runs] == [f"run {one.label}" for one in of_file]
    for mine, theirs in zip(of_file, of_runs, strict=True):
        for name in ("time", "energy", "enthalpy", "order", "learning"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        assert mine.time.tolist() == pytest.approx([0.02 * i for i in range(11)])
        assert not mine.learning.any()
        run = read_isobaric(folder / f"run/iter-0000/sample/runs/{mine.label}")
        np.testing.assert_array_equal(mine.energy, run.energy)
        np.testing.assert_array_equal(mine.enthalpy, run.H)
    crystal, liquid = of_file
    assert crystal.order.mean() > 3 * liquid.order.mean()
    rows = series_table(of_file).rows
    assert rows[0][:2] == ["crystal-run-0", 11]
    assert rows[0][4].value == f"{crystal.energy.mean():.2f} ± {crystal.energy.std():.2f}".replace("-", "−")


def test_the_command_draws_several_samplings_in_one_figure(sampled, tmp_path):
    folder, *_ = sampled
    runs = [str(folder / "run"), str(folder / "run/iter-0000/sample/runs/liquid-run-0")]
    done = CliRunner().invoke(app, ["momt", "series", *runs, "--output", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    labels = ["run crystal-run-0", "run liquid-run-0", "liquid-run-0"]
    told = json.loads(done.stdout)["runs"]
    assert [run["run"] for run in told] == labels
    assert told[1] == {**told[2], "run": labels[1]}
    assert told[1]["U_eV"] == pytest.approx(series_of_file(folder / "run/iter-0000/sample/series.npz")[1].energy.mean())
    table = CliRunner().invoke(app, ["momt", "series", *runs, "--output", str(tmp_path / "out")])
    assert "run crystal-run-0" in table.output
    assert "…" not in table.output
    for name in ("energy_series", "time_series"):
        with (tmp_path / "out" / f"{name}.csv").open() as file:
            assert list(dict.fromkeys(row["run"] for row in csv.DictReader(file))) == labels
    twice = [runs[1], f"again={runs[1]}", f"loop={runs[0]}"]
    named = CliRunner().invoke(app, ["momt", "series", *twice, "--output", str(tmp_path / "out"), "--json"])
    assert [run["run"] for run in json.loads(named.stdout)["runs"]] == [
        "liquid-run-0",
        "again",
        "loop crystal-run-0",
        "loop liquid-run-0",
    ]
    for arguments, message in (
        ([runs[0], runs[0]], "RUNS: several are named run crystal-run-0; give each folder once, with a name"),
        ([str(tmp_path)], "no sampling data; expected the folder of a MOMT or NPT run"),
    ):
        failed = CliRunner().invoke(app, ["momt", "series", *arguments, "--output", str(tmp_path / "no")])
        assert failed.exit_code == 1
        assert message in failed.output


def test_series_of_earlier_versions_have_no_figure(tmp_path):
    np.savez(tmp_path / "series.npz", order=np.ones(3), enthalpy=np.ones(3), test=np.arange(1))
    assert series_of_file(tmp_path / "series.npz") == []


def test_the_timestep_of_earlier_runs_is_that_of_their_task(tmp_path):
    write_json(tmp_path / "run.json", {"kind": "momt"})
    with pytest.raises(ValueError, match=r"run\.json: timestep is missing, and there is no task\.json that has it"):
        timestep_of(tmp_path)
    write_json(tmp_path / "task.json", {"arguments": {"settings": {"timestep": 0.002}}})
    assert timestep_of(tmp_path) == 0.002


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": ["gas"]}, r"starts.*'gas'"),
        ({"starts": ["liquid", "liquid"]}, r"starts: \['liquid', 'liquid'\], expected different ones"),
        ({"starts": ["crystal"]}, "melt_steps, melt_temperature: no effect without"),
        ({"melt_temperature": 900.0}, "melt_temperature: 900 K, expected more than temperature, 900 K"),
        ({"H": [-130.0, -60.0, 30]}, r"explore.*H: unknown key"),
        ({"element": None}, r"expected either structure \(a file\) or element"),
    ],
)
def test_tables_that_contradict_themselves(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        read_run_config(write_config(tmp_path, changed(DISTILLATION, explore={**NPT, **changes})))


@pytest.mark.parametrize(
    ("explore", "distillation", "message"),
    [
        ({**NPT, "structure": "al.xyz", "element": None, "lattice": "hcp"}, {}, "explore.lattice = 'hcp': lattice hcp"),
        ({**NPT, "structure": "al.xyz", "element": None, "lattice": None}, {"pools": "grid"}, "distillation.pools ="),
        ({"structure": "al.xyz", "element": None, "lattice": None, "O": None}, {"initial": "grid"}, "grids in O need"),
    ],
)  # fmt: skip
def test_order_that_cannot_be_measured_is_told_before_anything_runs(tmp_path, explore, distillation, message):
    config = read_run_config(
        write_config(tmp_path, changed(DISTILLATION, explore={**explore, "cells": None}, distillation=distillation))
    )
    cell = 'Lattice="4.05 0 0 0 4.05 0 0 0 4.05" Properties=species:S:1:pos:R:3 pbc="T T T"'
    places = ["0 0 0", "0 2.025 2.025", "2.025 0 2.025", "2.025 2.025 0"]
    (tmp_path / "al.xyz").write_text("\n".join(["4", cell, *(f"Al {place}" for place in places), ""]))
    assert any(message in str(fault) for fault in faults(read_given(config, tmp_path)))
