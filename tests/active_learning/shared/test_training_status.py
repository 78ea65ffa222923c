"""`nnpal status` of a training at work: in a run, or in a folder of `nnpal train`."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest
from typer.testing import CliRunner

from begun_training import begun_training, record, write_log
from nnpal.active_learning.engine.runlog import LOG
from nnpal.cli.app import app
from nnpal.runtime.json_files import write_json
from nnpal.runtime.locks import locked
from nnpal.training.result import Result, write_result


def status(folder, *flags, code=0):
    done = CliRunner().invoke(app, ["status", str(folder), *flags])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def run_folder(tmp_path):
    """A run that trains: member 0 at work, 1 given up by its task, 2 waiting."""
    run, stage = tmp_path / "run", tmp_path / "run" / "iter-0000" / "train"
    begun_training(stage / "ensemble")
    (run / LOG).write_text("2026-11-29 12:00:00 iter-0000/train begins\n")
    write_json(stage / "stage.json", {})
    for member in range(3):
        (stage / f"member-{member}").mkdir()
        write_json(stage / f"member-{member}" / "task.json", {})
    write_json(stage / "member-1" / "failure.json", {})
    write_log(stage / "ensemble", 0, range(3))
    with ExitStack() as stack:
        stack.enter_context(locked(run / ".lock", wait=False))
        stack.enter_context(locked(stage / "ensemble" / "member-0" / "lock", wait=False))
        yield run


def test_a_run_that_trains_shows_its_members_once(run_folder):
    lines = status(run_folder).splitlines()
    assert lines[1] == "  running iter-0000/train, 0 of 3 tasks done, 1 given up"
    assert lines[2].split()[:2] == ["member", "updates"]
    assert [line.split()[:2] for line in lines[3:6]] == [["0", "9/24"], ["1", "0/24"], ["2", "0/24"]]
    assert [line.split()[-1] for line in lines[3:6]] == ["s", "failed", "waiting"]
    assert lines[6].startswith("    0 of 3 members trained, 1 in training, 1 waiting, 1 failed; updates 9/72; ")
    assert lines[7] == "  | 2026-11-29 12:00:00 iter-0000/train begins"


def test_json_has_the_same(run_folder):
    found = json.loads(status(run_folder, "--json"))
    assert found["begun"]["name"] == "iter-0000/train"
    training = found["training"]
    assert training["folder"] == str(run_folder / "iter-0000/train/ensemble")
    first, _, last = training["members"]
    assert (first["member"], first["state"]) == (0, "training")
    assert (first["updates"], first["total_updates"], first["epochs"], first["total_epochs"]) == (9, 24, 3, 8)
    assert first["validation_energy_mae"] == record(2).validation_energy_mae
    assert 24.0 <= first["seconds_left"] <= 30.0  # 15 updates of 2 s, less what has gone by since the last epoch
    # member 2 follows, with 24 of them
    assert training["seconds_left"] == pytest.approx(first["seconds_left"] + 48.0)
    assert (last["state"], last["updates"], last["train_loss"], last["seconds_left"]) == ("waiting", 0, None, None)


def test_the_second_kind_is_shown_while_it_trains(run_folder):
    begun_training(run_folder / "iter-0000/train/second/ensemble")
    found = json.loads(status(run_folder, "--json"))["training"]
    assert found["folder"] == str(run_folder / "iter-0000/train/second/ensemble")
    assert [member["updates"] for member in found["members"]] == [0, 0, 0]


def test_a_run_that_does_not_train_has_none(run_folder):
    (run_folder / "iter-0000/train").rename(run_folder / "iter-0000/explore")
    assert json.loads(status(run_folder, "--json"))["training"] is None
    assert "updates" not in status(run_folder)


def test_a_folder_of_nnpal_train_has_a_status_too(tmp_path):
    folder = begun_training(tmp_path / "train", members=1)
    assert status(folder).splitlines()[0] == f"{folder}: waiting"
    write_log(folder, 0, range(2))
    with locked(folder / "member-0" / "lock", wait=False):
        assert status(folder).splitlines()[0] == f"{folder}: running"
        assert json.loads(status(folder, "--json"))["state"] == "running"
    write_result(folder, Result(0, {0: 1.0}, {}, []))
    lines = status(folder).splitlines()
    assert lines[0] == f"{folder}: finished"
    assert lines[2].split()[-1] == "finished"


def test_another_folder_is_neither(tmp_path):
    said = status(tmp_path, code=1)
    assert "not a run folder; expected a folder made by nnpal run, or a training folder of nnpal train" in said
