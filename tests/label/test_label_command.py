"""`nnpal label`: from a configuration file to a data set, a list of failures and an exit code."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from ase.build import bulk
from typer.testing import CliRunner, Result

from label_oracles import pair
from nnpal.cli.document import Config
from nnpal.cli.label import label
from nnpal.config import ConfigError, validated
from nnpal.data import read_dataset, write_extxyz
from nnpal.demo.eam import eam_potential
from nnpal.demo.eam import label as eam_label
from nnpal.runtime.locks import Writer
from processes import Process, wait_until
from support.folders import SEARCH_PATH

app = typer.Typer()
app.command()(label)

EAM = """
[oracle]
kind = "lammps"
elements = ["Al"]
commands = ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"]

[label]
input = ["al.xyz"]
"""
SPRING = """
[oracle]
kind = "python"
import_path = "label_oracles:Spring"
options = {{ k = 1.0, log = "{{folder}}/log" }}

[label]
input = ["pairs.xyz"]
output = "out/pairs.h5"
workers = 2
{more}
"""


def run(folder: Path, text: str, *options: str) -> Result:
    (folder / "label.toml").write_text(text)
    return CliRunner().invoke(app, [str(folder / "label.toml"), *options])


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write_extxyz(tmp_path / "pairs.xyz", [pair(x) for x in (0.0, 6.0, 1.0)])
    return tmp_path


def test_eam_labels_with_augmentation(tmp_path: Path) -> None:
    frames = []
    for seed in range(2):
        atoms = bulk("Al", cubic=True) * (2, 2, 2)
        atoms.rattle(0.1, seed=seed)
        atoms.info.update(tag="crystal", source=f"made {seed}")
        frames.append(atoms)
    write_extxyz(tmp_path / "al.xyz", frames)
    result = run(tmp_path, EAM + "[augmentation]\nsigma = 0.05\ncopies = 2\nseed = 3\n")
    assert result.exit_code == 0, result.output
    assert "6 of 6 configurations labeled: 0 from the store, 6 calculations, 0 failed" in result.output
    contents = read_dataset(tmp_path / "labeled.h5")
    assert len(contents.frames) == 6
    assert [frame.info["source"] for frame in contents.frames[1:3]] == ["made 1", "augmented from made 0"]
    assert {frame.info["tag"] for frame in contents.frames} == {"crystal"}
    for frame, known in zip(contents.frames, eam_label(contents.frames, eam_potential()), strict=True):
        assert frame.get_potential_energy() == pytest.approx(known.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(frame.get_forces(), known.get_forces(), rtol=0, atol=1e-10)
        assert frame.get_stress() is not None
    oracle = contents.provenance["oracle, by rung"]["0"]
    assert oracle["labels"] == 6
    assert list(oracle["files"]) == ["Al_mm.eam.fs"]
    again = run(tmp_path, EAM + "[augmentation]\nsigma = 0.05\ncopies = 2\nseed = 3\n")
    assert "6 from the store, 0 calculations" in again.output
    assert read_dataset(tmp_path / "labeled.h5").content_hash == contents.content_hash


def test_a_second_command_with_the_same_output_is_told_who_has_it(pairs: Path) -> None:
    (pairs / "out").mkdir()
    with Writer(pairs / "out" / "pairs.h5"):
        result = run(pairs, SPRING.format(more=""))
        assert result.exit_code == 1
        assert f"out/pairs.h5: process {os.getpid()} on {os.uname().nodename} (`" in result.output
        assert "is writing it; wait until it ends, end it, or give another file name" in result.output
    assert run(pairs, SPRING.format(more="")).exit_code == 0
    assert not [path.name for path in (pairs / "out").glob(".*")]


def test_failures_are_listed_and_can_be_tried_again(pairs: Path) -> None:
    text = SPRING.format(more="")
    result = run(pairs, text)
    assert result.exit_code == 0, result.output
    assert "2 of 3 configurations labeled: 0 from the store, 3 calculations, 1 failed" in result.output
    assert "configuration 1: RuntimeError: the spring broke" in result.output
    assert "nnpal label --retry-failed" in result.output
    with (pairs / "out" / "pairs.failures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"index": "1", "source": "pair at 6", "tag": "pairs", "tries": "1", "reason": "RuntimeError: the spring broke"}
    ]
    assert len(read_dataset(pairs / "out" / "pairs.h5").frames) == 2
    assert "0 calculations, 1 failed" in run(pairs, text).output
    retried = run(pairs, text, "--retry-failed", "--output", str(pairs / "other.h5"))
    assert "2 from the store, 1 calculations, 1 failed" in retried.output
    assert len(read_dataset(pairs / "other.h5").frames) == 2


def test_labels_outside_limits_are_put_aside(pairs: Path) -> None:
    result = run(pairs, SPRING.format(more="limits = { max_force = 0.9 }"))
    assert result.exit_code == 1  # pair 0 has a force of 1 eV/Å, pair 2 of √2
    assert "0 of 3 configurations labeled" in result.output
    assert "1 failed, 2 outside limits" in result.output
    assert not (pairs / "out" / "pairs.h5").exists()
    result = run(pairs, SPRING.format(more="limits = { max_force = 1.2 }"))
    assert result.exit_code == 0
    reasons = (pairs / "out" / "pairs.failures.csv").read_text()
    assert '2,pair at 1,pairs,1,"force: 1.414 eV/Å on atom 1, expected 1.2 eV/Å at most (label.limits)"' in reasons


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pairs.xyz", "piars.xyz"), "piars.xyz: no such file"),
        (("label_oracles:Spring", "label_oracles:Sprin"), "did you mean Spring"),
        (("out/pairs.h5", "out/pairs.xyz"), "label.output: out/pairs.xyz, expected a name ending in .h5"),
        (("workers", "wokers"), "label.wokers: unknown key; did you mean workers"),
        (('kind = "python"', 'kind = "pyton"'), "oracle"),
        (("[label]", "[lable]"), "lable: unknown key; did you mean label?"),
        (("workers = 2", "store = 'pairs.xyz'"), "pairs.xyz is read, as label.input; give another name"),
    ],
)
def test_bad_input(pairs: Path, change: tuple[str, str], message: str) -> None:
    result = run(pairs, SPRING.format(more="").replace(*change))
    assert result.exit_code == 1
    assert result.output.splitlines()[0].startswith("nnpal label: ") or "nnpal label: " in result.output
    assert message in result.output
    assert not (pairs / "out" / "pairs.h5").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_continued(pairs: Path, number: signal.Signals) -> None:
    write_extxyz(pairs / "pairs.xyz", [pair(0.1 * k) for k in range(40)])
    text = SPRING.format(more="")
    held = pairs / "log.held"
    held.write_text("6")
    (pairs / "label.toml").write_text(text)
    code = "import typer, sys; from nnpal.cli.label import label; typer.run(label)"
    process = Process(
        [sys.executable, "-c", code, str(pairs / "label.toml")],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )
    log = pairs / "log"
    wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= 8, process)
    process.send_signal(number)
    _, errors = process.communicate()
    held.unlink()
    assert process.returncode == 130
    assert "stopped; finished labels are in the store; repeat the same command to resume" in errors
    result = run(pairs, text)
    assert "40 of 40 configurations labeled" in result.output
    assert len((pairs / "log").read_text().splitlines()) <= 42  # but for two in flight, each once


def test_oracles_of_configuration_files() -> None:
    """Every kind, with all its keys."""
    common = {"label": {"input": ["a.xyz", {"path": "b.dump", "units": "metal", "symbols": ["Al"]}]}}
    oracles = [
        {"kind": "lammps", "elements": ["Al"], "commands": ["pair_style zero 5"], "units": "real", "stress": False},
        {"kind": "ase", "options": {"method": "GFN1-xTB"}, "ladder": [{"max_iterations": 900}], "version": "1"},
        {"kind": "python", "import_path": "label_oracles:Spring", "options": {"k": 2.0}, "ladder": [{"k": 3.0}]},
    ]
    rungs = []
    for table in oracles:
        file = validated({**common, "oracle": table}, Config, source="test")
        oracle = file.oracle.oracle(Path())
        assert oracle.identity()["kind"] == table["kind"]
        json.dumps(oracle.identity())
        rungs.append(oracle.n_rungs)
    assert rungs == [1, 2, 2]
    with pytest.raises(ConfigError, match=r"oracle\.elments: unknown key; did you mean elements"):
        validated({**common, "oracle": {**oracles[0], "elments": ["Al"]}}, Config, source="test")
    with pytest.raises(ConfigError, match=r"calculator = 'tblite'"):
        validated({**common, "oracle": {"kind": "ase", "calculator": "tblite"}}, Config, source="test")


def test_a_potential_beside_the_configuration_file(tmp_path: Path) -> None:
    shutil.copy(eam_potential(), tmp_path / "mine.eam.fs")
    write_extxyz(tmp_path / "al.xyz", [bulk("Al", cubic=True)])
    text = EAM.replace("Al_mm.eam.fs", "mine.eam.fs")
    assert "1 calculations" in run(tmp_path, text).output
    with (tmp_path / "mine.eam.fs").open("a") as file:
        file.write("\n")
    assert "1 calculations" in run(tmp_path, text).output  # another file, another oracle
    assert "0 calculations" in run(tmp_path, text).output


KILLED = """
import os, signal

class Killed:
    def compute(self, atoms):
        if len(atoms) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("does not converge")
"""


def test_killed_calculations_are_said_to_be_repeated_and_failed_ones_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "killed_oracle.py").write_text(KILLED)
    text = '[oracle]\nkind = "python"\nimport_path = "killed_oracle:Killed"\n[label]\ninput = ["{}"]\n'
    two, one = pair(1.0), pair(1.0)[:1]
    repeated = "1 have no result because workers were killed; repeat the same command to compute them"
    final = "not repeated"
    for frames, wanted in (([two], [repeated]), ([one], [final]), ([two, one], [repeated, final])):
        write_extxyz(tmp_path / "frames.xyz", frames)
        output = run(tmp_path, text.format("frames.xyz")).output
        assert [line for line in (repeated, final) if line in output] == wanted
