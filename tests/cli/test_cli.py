"""The `nnpal` command: exit codes, output, and imports that wait until they are needed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nnpal import __version__, doctor
from nnpal.active_learning.config import read_run_config
from nnpal.active_learning.engine.engine import Outcome
from nnpal.cli.app import app
from nnpal.demo import butane
from nnpal.demo import run as demo
from nnpal.doctor import Check
from nnpal.lammps.process import LmpError
from processes import run
from torchani_reference import ExportedModel

WELL = Check("plugin", "ok", "/x/nnpplugin.so")
LIMITED = Check("threads", "warn", "OMP_NUM_THREADS=8", "export OMP_NUM_THREADS=1")
BROKEN = Check("lmp: pair_style nnp", "fail", "/usr/bin/lmp does not run it", "use the other [lmp]")


@pytest.fixture
def nnpal() -> CliRunner:
    return CliRunner()


def test_installed_command_prints_the_version() -> None:
    command = Path(sys.executable).parent / "nnpal"
    done = run([command, "--version"])
    assert done.stdout == f"nnpal {__version__}\n"


def test_help_needs_no_heavy_import() -> None:
    program = "import sys, nnpal.cli.app; print({'torch', 'torchani', 'ase', 'lammps'} & {*sys.modules})"
    command = [sys.executable, "-c", program]
    done = run(command)
    assert done.stdout == "set()\n"


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every command below a group, with the words that call it."""
    yield names, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


def test_help_prints_every_text_in_full(nnpal: CliRunner) -> None:
    """Square brackets included, for they hold the names of TOML tables."""
    for names, command in commands(get_command(app)):
        if names == ("lmp",):
            continue  # prints that of LAMMPS as well
        printed = nnpal.invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
        assert printed.exit_code == 0
        words = " ".join(printed.output.split())
        texts = [command.help.partition("\f")[0], *(getattr(one, "help", None) for one in command.params)]
        for text in texts:
            assert " ".join((text or "").split()) in words, names


@pytest.mark.parametrize(("checks", "exit_code"), [([WELL], 0), ([WELL, LIMITED], 0), ([WELL, BROKEN], 1)])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_doctor_exits_by_its_worst_check(
    nnpal: CliRunner,
    monkeypatch: pytest.MonkeyPatch,
    checks: list[Check],
    exit_code: int,
    options: list[str],
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: checks)
    result = nnpal.invoke(app, ["doctor", *options])
    assert result.exit_code == exit_code
    for check in checks:
        assert check.name in result.output
        assert check.detail in result.output
        assert check.cure in result.output


def test_doctor_prints_nothing_but_json(nnpal: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: [WELL, BROKEN])
    report = json.loads(nnpal.invoke(app, ["doctor", "--json"]).output)
    assert report["ok"] is False
    assert [check["name"] for check in report["checks"]] == [WELL.name, BROKEN.name]


@pytest.mark.parametrize("spelling", ["aluminum", "aluminium"])
def test_demo_hands_its_options_on(
    spelling: str, nnpal: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(demo, "run_demo", lambda out, settings, _: asked.append((out, settings.seed)))
    result = nnpal.invoke(app, ["demo", spelling, "--output", str(tmp_path), "--seed", "7"])
    assert (result.exit_code, asked) == (0, [(tmp_path, 7)])


def test_demo_of_butane_is_a_run_of_its_configuration(
    nnpal: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def stopped(config: Path, **_: object) -> Outcome:
        asked.append((config, read_run_config(config)))
        return Outcome("stopped", "wall time", 0, "nnpal run butane.toml")

    monkeypatch.setattr(butane, "run", stopped)
    result = nnpal.invoke(app, ["demo", "--output", str(tmp_path), "--seed", "7"])
    assert result.exit_code == 0, result.output
    [(path, config)] = asked
    assert path == tmp_path / "butane.toml"
    assert (config.kind, config.run.seed) == ("rare_events", 7)
    path.write_text(re.sub(r"^iterations = \d+", "iterations = 8", path.read_text(), flags=re.M))
    result = nnpal.invoke(app, ["demo", "--output", str(tmp_path), "--seed", "7"])
    assert asked[1][1].run.iterations == 8  # what the user has edited stays
    # rich breaks lines wherever the length of the folder's name makes it
    assert "butane.toml:existsalreadyandisused" in "".join(result.output.split())
    assert "butane.xyz" not in result.output


def test_demo_of_nothing_known(nnpal: CliRunner) -> None:
    result = nnpal.invoke(app, ["demo", "gold"])
    assert result.exit_code == 1
    assert "'gold': expected butane or aluminum" in result.output


def test_demo_sends_a_failed_lmp_to_the_doctor(nnpal: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LmpError("lmp ended with 1: Unrecognized pair style 'nnp'")

    monkeypatch.setattr(demo, "run_demo", fail)
    result = nnpal.invoke(app, ["demo", "aluminum"])
    assert result.exit_code == 1
    assert "Unrecognized pair style" in result.stderr
    assert "nnpal doctor" in result.stderr


def test_info_prints_what_the_file_says(nnpal: CliRunner, hcno_model: ExportedModel) -> None:
    result = nnpal.invoke(app, ["info", str(hcno_model.path)])
    assert result.exit_code == 0
    assert ", ".join(hcno_model.elements) in result.output
    assert re.search(r"^kind of networks +ani *$", result.output, re.M)
    assert re.search(r"^pair terms +- *$", result.output, re.M)
    assert re.search(r"^cutoff \(Å\) +[0-9.]+ *$", result.output, re.M)
    assert "{" not in result.output  # nested records have a line for each key
    said = json.loads(nnpal.invoke(app, ["info", "--json", str(hcno_model.path)]).output)
    assert said["elements"] == list(hcno_model.elements)
    assert said["n_members"] == hcno_model.n_members
    assert said["dtype"] == "float32"
    assert said["cutoff"] == pytest.approx(float(hcno_model.model.cutoff), rel=1e-12)


def test_info_refuses_what_is_no_model(nnpal: CliRunner, tmp_path: Path, al_model: ExportedModel) -> None:
    cut = tmp_path / "cut.nnp.pt"
    content = al_model.path.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    for path in (tmp_path / "absent.nnp.pt", cut):
        result = nnpal.invoke(app, ["info", str(path)])
        assert result.exit_code == 1
        assert result.stdout == ""
        assert path.name in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shell_completion(nnpal: CliRunner, shell: str) -> None:
    """Of the commands, as the shell's script asks for it."""
    words = {"COMP_WORDS": "nnpal tr", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "nnpal tr"}
    done = nnpal.invoke(app, [], prog_name="nnpal", env={"_NNPAL_COMPLETE": f"complete_{shell}", **words})
    assert "train" in done.output
    assert "evaluate" not in done.output
