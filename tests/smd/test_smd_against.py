"""Pulls held against other pulls: the difference of their activation energies with its interval."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.smd import Pull
from nnpal.smd.against import energies_against, in_words

OURS, THEIRS = [4.10, 4.35, 4.22, 4.05], [4.00, 4.20, 4.15, 3.99]
MEAN, SD = 0.095, np.std([0.10, 0.15, 0.07, 0.06], ddof=1)


def pull(energy: float, **facts: str) -> Pull:
    way = np.linspace(0.0, 2.0, 41)
    force = np.where(way < 1.6, way, 0.05)
    return Pull(np.arange(41), 1.5 + way, 1.5 + way, force, energy * np.minimum(1.0, way / 1.5), facts=facts)


def test_as_many_pulls_pair_in_their_order_and_others_do_not() -> None:
    found = energies_against(list(map(pull, OURS)), list(map(pull, THEIRS)))
    assert (found.mean, found.n, found.deviation) == (pytest.approx(MEAN), 4, pytest.approx(SD))
    half = 3.18245 * SD / 2
    assert found.half_width() == pytest.approx(half, rel=1e-5)
    assert in_words(found).startswith(f"+0.0950 ± {half:.2g} (95 % interval, 4 pairs, standard deviation of differ")
    apart = energies_against(list(map(pull, OURS)), list(map(pull, THEIRS)), unpaired=True)
    assert (apart.mean, apart.paired) == (pytest.approx(MEAN), False)
    assert apart.half_width() > 3 * half
    fewer = energies_against(list(map(pull, OURS)), list(map(pull, THEIRS[:3])))
    assert (fewer.paired, fewer.mean) == (False, pytest.approx(4.18 - 4.116667, abs=1e-5))
    assert "unpaired" in in_words(fewer)
    assert in_words(energies_against([pull(4.0)], [pull(3.5)])) == "+0.5000 (no interval: one pull of each)"
    with pytest.raises(ValueError, match="the pulls differ in rate"):
        energies_against([pull(4.0, rate="1")], [pull(4.0, rate="2")])


def write(path: Path, one: Pull) -> str:
    rows = np.column_stack([one.step, one.d, one.target, one.force, one.work])
    np.savetxt(path, rows, header="step d lambda force work", fmt="%.10g")
    return str(path)


def test_the_command_prints_the_difference(tmp_path: Path) -> None:
    ours = [write(tmp_path / f"nnp.{k}.txt", pull(energy)) for k, energy in enumerate(OURS)]
    for k, energy in enumerate(THEIRS):
        write(tmp_path / f"oracle.{k}.txt", pull(energy))
    command = ["smd", "report", *ours, "--temperature", "10", "--units", "metal"]
    against = ["--against", str(tmp_path / "oracle.*.txt")]
    text = CliRunner().invoke(app, [*command, *against]).output
    assert "activation energy minus that of 4 reference pulls (--against): +0.0950 ± " in text
    assert "4 pairs" in text
    found = json.loads(CliRunner().invoke(app, [*command, *against, "--json"]).output)["against"]
    assert (found["n"], found["paired"], found["mean"]) == (4, True, pytest.approx(MEAN))
    backwards = ["smd", "report", *ours[::-1], "--temperature", "10", "--units", "metal"]
    assert json.loads(CliRunner().invoke(app, [*backwards, *against, "--json"]).output)["against"] == found
    assert found["interval"] == pytest.approx([MEAN - 3.18245 * SD / 2, MEAN + 3.18245 * SD / 2], rel=1e-4)
    found = json.loads(CliRunner().invoke(app, [*command, *against, "--unpaired", "--json"]).output)["against"]
    assert not found["paired"]
    assert "against" not in json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    none = CliRunner().invoke(app, [*command, "--against", "nowhere.*"])
    assert none.exit_code == 1
    assert "--against nowhere.*: no such file" in none.output
    alone = CliRunner().invoke(app, [*command, "--unpaired"])
    assert "--unpaired requires --against" in alone.output
    differing = write(tmp_path / "other.txt", pull(4.0))
    Path(differing).write_text("#! SET k 20.0\n" + Path(differing).read_text())
    assert "the pulls differ in k" in CliRunner().invoke(app, [*command, "--against", differing]).output
