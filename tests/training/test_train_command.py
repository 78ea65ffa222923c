"""From labeled configurations to a model file that LAMMPS runs, by the commands alone."""

from __future__ import annotations

import copy
import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.data import read_frames, write_dataset
from nnpal.evaluation.gate import GateError
from nnpal.model import read_metadata
from nnpal.training import load_ensemble
from nnpal.training.model_file import write_model_file
from nnpal.training.release import release
from processes import Process, wait_until
from training_frames import aluminum

CONFIG = """
[data]
train = ["al.h5"]
test = ["test.h5"]

[network]
hidden = [24, 16]

[loss]
force_weight = 1.0

[training]
batch_size = 4
max_epochs = 40
learning_rate = 4e-3
ema = 0.9

[ensemble]
folder = "here"
members = 2
"""


def run(*arguments, code=0):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("train_command")
    write_dataset(path / "all.h5", aluminum(30), provenance={})
    (path / "config.toml").write_text(CONFIG)
    assert "48 configurations" in run("data", "split", path / "all.h5", path / "al.h5", path / "test.h5")
    output = run("train", path / "config.toml")
    assert "48 configurations" in output
    assert "* marks the best member" in output
    return path


def test_split_leaves_nothing_out_and_nothing_twice(folder):
    parts = [read_frames(folder / name) for name in ("al.h5", "test.h5")]
    energies = sorted(frame.get_potential_energy() for part in parts for frame in part)
    assert energies == sorted(frame.get_potential_energy() for frame in read_frames(folder / "all.h5"))
    assert [len(part) for part in parts] == [48, 12]
    same = run("data", "split", folder / "al.h5", folder / "al.h5", folder / "x.h5", code=1)
    assert "expected three different files" in same
    assert "leaves one part empty" in run(
        "data", "split", folder / "al.h5", folder / "x.h5", folder / "y.h5", "--fraction", "0.001", code=1
    )


def test_curves_hold_what_was_trained(folder):
    with (folder / "here" / "learning_curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    for member in load_ensemble(folder / "here").members:
        own = [float(row["validation_loss"]) for row in rows if row["member"] == str(member.number)]
        assert own == pytest.approx([record.validation_loss for record in member.history], rel=1e-11)
    for suffix in ("png", "pdf"):
        assert (folder / "here" / f"learning_curves.{suffix}").stat().st_size > 10_000


def test_parity_holds_the_best_members_errors(folder):
    best = load_ensemble(folder / "here").best
    with (folder / "here" / "parity_energy.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "validation"]
    assert [int(row["configuration"]) for row in rows] == best.split.validation.tolist()
    errors = [abs(float(row["model_eV_atom"]) - float(row["reference_eV_atom"])) for row in rows]
    assert sum(errors) / len(errors) == pytest.approx(best.history[best.best_epoch].validation_energy_mae, rel=1e-4)
    with (folder / "here" / "parity_force.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "validation"]
    errors = [abs(float(row[f"model_f{x}_eV_A"]) - float(row[f"reference_f{x}_eV_A"])) for row in rows for x in "xyz"]
    assert sum(errors) / len(errors) == pytest.approx(best.history[best.best_epoch].validation_force_mae, rel=1e-4)
    assert (folder / "here" / "parity_force.png").stat().st_size > 5_000


def test_the_same_command_on_a_finished_training_changes_nothing(folder):
    before = (folder / "here" / "result.json").read_bytes()
    run("train", folder / "config.toml")
    assert (folder / "here" / "result.json").read_bytes() == before
    other = CONFIG.replace("max_epochs = 40", "max_epochs = 41")
    (folder / "other.toml").write_text(other)
    assert "training.max_epochs is 41, but was 40" in run("train", folder / "other.toml", code=1)


def test_export_passes_the_gate_and_reaches_a_stated_accuracy(folder):
    output = run("export", folder / "here")
    model = folder / "here" / "model.nnp.pt"
    assert "forces in LAMMPS and Python" in output
    provenance = read_metadata(model).provenance
    ensemble = load_ensemble(folder / "here")
    assert provenance["content_hash"] == read_metadata(model).dataset_hash == ensemble.plan.content_hash
    assert provenance["ensemble"]["split"] == "random"
    assert provenance["best_member"] == ensemble.result.best_member
    run("evaluate", model, "--config", folder / "config.toml", "--output", folder / "evaluate")
    accuracy = json.loads((folder / "evaluate" / "summary.json").read_text())["accuracy"]
    assert accuracy["n_frames"] == 12
    # 48 configurations of solid at 600 K and liquid at 1500 K, whose energies spread over 200 meV/atom and forces over
    # 700 meV/Å (root mean square): learned means a tenth and a third of these
    assert accuracy["ensemble"]["energy_rmse"] < 20.0
    assert accuracy["ensemble"]["force_rmse"] < 230.0


def test_export_of_some_members(folder, tmp_path):
    run("export", folder / "here", "--members", "best", "--output", tmp_path / "best.nnp.pt", "--no-gate")
    assert read_metadata(tmp_path / "best.nnp.pt").n_members == 1
    run("export", folder / "here", "--members", "1,0", "--dtype", "float64", "--output", tmp_path / "both.nnp.pt")
    assert read_metadata(tmp_path / "both.nnp.pt").provenance["members"] == [1, 0]
    assert read_metadata(tmp_path / "both.nnp.pt").dtype == "float64"
    assert "no trained member '7'" in run("export", folder / "here", "--members", "0,7", code=1)
    assert "expected float32 or float64" in run("export", folder / "here", "--dtype", "half", code=1)
    assert "is not a training folder" in run("export", tmp_path, code=1)


def test_a_model_that_is_not_what_was_trained_is_not_left_behind(folder, tmp_path, monkeypatch):
    ensemble = load_ensemble(folder / "here")

    def altered(description, networks, *arguments, **more):
        other = copy.deepcopy(networks)
        with torch.no_grad():
            next(other[0].parameters()).mul_(1.01)
        return write_model_file(description, other, *arguments, **more)

    monkeypatch.setattr("nnpal.training.release.write_model_file", altered)
    with pytest.raises(
        GateError, match=r"model\.nnp\.pt must not be used:\s+members' energies in the file and as trained"
    ):
        release(ensemble, tmp_path / "model.nnp.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_going_on_works(folder, tmp_path):
    write_dataset(tmp_path / "al.h5", read_frames(folder / "al.h5"), provenance={})
    text = CONFIG.replace('test = ["test.h5"]', "").replace("max_epochs = 40", "max_epochs = 40\ncheckpoint_every = 1")
    (tmp_path / "config.toml").write_text(text)
    command = [sys.executable, "-m", "nnpal", "train", str(tmp_path / "config.toml")]
    process = Process(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )
    wait_until(lambda: list((tmp_path / "here").glob("member-*/checkpoint.pt")), process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "repeat the same command to resume" in said
    run("train", tmp_path / "config.toml")
    resumed, unbroken = load_ensemble(tmp_path / "here"), load_ensemble(folder / "here")
    assert [m.history for m in resumed.members] == [m.history for m in unbroken.members]


def test_duplicates_are_told(tmp_path):
    frames = aluminum(3)
    write_dataset(tmp_path / "al.h5", [*frames, frames[0]], provenance={})
    text = (
        CONFIG.replace('test = ["test.h5"]', "")
        .replace("max_epochs = 40", "max_epochs = 1")
        .replace("members = 2", "members = 1")
    )
    (tmp_path / "config.toml").write_text(text)
    output = run("train", tmp_path / "config.toml")
    assert "1 warnings about the data" in output
    assert "configuration 6" in output


def test_bad_data_name_the_configuration(folder, tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    assert "al.h5" in run("train", tmp_path / "config.toml", code=1)
    (tmp_path / "none.toml").write_text("[ensemble]\nmembers = 2\n")
    assert "no table [data]" in run("train", tmp_path / "none.toml", code=1)
    text = CONFIG.replace("hidden = [24, 16]", 'elements = ["Ni"]').replace("al.h5", str(folder / "al.h5"))
    (tmp_path / "ni.toml").write_text(text)
    assert "the data also contain ['Al']" in run("train", tmp_path / "ni.toml", code=1)
