"""Figures of pulls: mean and band of each rate, free energies, the files of the command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nnpal.cli.app import app
from nnpal.figures.figure import drawn
from nnpal.figures.style import CYCLE
from nnpal.smd import Pull
from nnpal.smd.figures import free_energies, work_functions
from nnpal.smd.protocols import protocols

KT = 0.02585


def pull(rate: float | None, scale: float, name: str = "pull.txt", start: float = 4.0) -> Pull:
    way = np.linspace(0.0, 2.0, 101)
    facts = {"units": "metal", "boltz": "8.617343e-05", "k": "20.0"} | ({} if rate is None else {"rate": str(rate)})
    return Pull(np.arange(101), start + way, start + way, scale * np.ones(101), scale * way, facts, name)


FAST = [pull(4.0, 1.2, "fast.1.txt"), pull(4.0, 1.6, "fast.2.txt")]
SLOW = [pull(0.5, 1.0 + 0.01 * k, f"slow.{k}.txt") for k in range(3)]


def test_pulls_are_sorted_by_rate_and_averaged_by_it() -> None:
    slow, fast, unknown = protocols([*FAST, pull(None, 1.0), *SLOW], KT)
    assert [(one.rate, len(one.pulls)) for one in (slow, fast, unknown)] == [(0.5, 3), (4.0, 2), (None, 1)]
    assert slow.work is not None
    np.testing.assert_allclose(slow.work.mean, 1.01 * (slow.work.target - 4.0), atol=1e-12)
    assert slow.free_energy is not None
    target, free = slow.free_energy
    works = np.array([2.0, 2.02, 2.04])
    assert (target[-1], free.value[-1]) == (6.0, pytest.approx(-KT * np.log(np.exp(-works / KT).mean())))
    assert unknown.free_energy is None  # of one pull
    [apart] = protocols([FAST[0], replace(FAST[1], target=FAST[1].target + 0.5)], KT)
    assert (apart.work, apart.free_energy) == (None, None)  # they do not start together


def test_pulls_of_other_atoms_are_another_protocol_unless_they_are_equivalent() -> None:
    other = [replace(one, facts=one.facts | {"pulled": f"atoms 1 {k}"}) for k, one in enumerate(FAST)]
    assert [len(one.pulls) for one in protocols(other, KT)] == [1, 1]
    [both] = protocols(other, KT, equivalent_atoms=True)
    assert both.work is not None
    assert both.work.n == 2


def test_each_rate_has_a_mean_with_a_band_and_the_reference_is_dashed() -> None:
    figure = work_functions(protocols([*FAST, *SLOW], KT), "metal", protocols([pull(4.0, 1.1)], KT))
    [axes] = drawn(figure).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("spring position λ (Å)", "work W (eV)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "0.5 Å/ps, 3 pulls", "4 Å/ps, 2 pulls", "reference, 4 Å/ps, 1 pull"
    ]  # fmt: skip
    thick = [line for line in axes.get_lines() if line.get_linewidth() > 1]
    assert [(line.get_color(), line.get_linestyle()) for line in thick] == [
        (CYCLE[0], "-"), (CYCLE[1], "-"), ("black", "--")
    ]  # fmt: skip
    assert len(axes.get_lines()) == 3 + 5  # and each pull of those that have a mean
    band = axes.collections[1].get_paths()[0].get_extents()
    deviation = np.std([2 * 1.2, 2 * 1.6], ddof=1)
    assert band.y1 == pytest.approx(2.8 + deviation)
    rows = list(zip(*figure.columns.values(), strict=True))
    last = [row for row in rows if row[0] == "mean, 4 Å/ps, 2 pulls"][-1]
    assert last[1:] == pytest.approx((6.0, 2.8, deviation))
    assert {row[0] for row in rows} >= {"fast.1.txt", "fast.2.txt", "slow.0.txt"}


def test_free_energies_have_a_band_of_the_standard_error() -> None:
    figure = free_energies(protocols([*FAST, *SLOW], KT), "real")
    [axes] = drawn(figure).axes
    assert axes.get_ylabel() == "free energy ΔF (kcal/mol)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "0.5 Å/fs, 3 pulls", "4 Å/fs, 2 pulls", "second cumulant"
    ]  # fmt: skip
    free = protocols(FAST, KT)[0].free_energy
    assert free is not None
    value, error = free[1].value, free[1].error
    assert axes.collections[1].get_paths()[0].get_extents().y1 == pytest.approx((value + error).max())
    assert list(figure.columns)[:4] == ["curve", "lambda_angstrom", "free_energy_kcal_mol", "standard_error_kcal_mol"]
    [axes] = drawn(free_energies(protocols(FAST[:1], KT), "metal")).axes
    assert [text.get_text() for text in axes.texts] == ["two pulls of one rate\nare needed"]


def write(folder: Path, one: Pull) -> str:
    header = "".join(f"#! SET {name} {value}\n" for name, value in one.facts.items())
    columns = np.column_stack((one.step, one.d, one.target, one.force, one.work))
    rows = "".join(" ".join(f"{value:.17g}" for value in row) + "\n" for row in columns)
    (folder / one.name).write_text(f"{header}# step d lambda force work\n{rows}")
    return str(folder / one.name)


def test_the_command_writes_figures_and_a_summary_of_several_rates(tmp_path: Path) -> None:
    files = [write(tmp_path, one) for one in (*FAST, *SLOW)]
    command = ["smd", "report", *files, "--temperature", "300", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"Figures are in {tmp_path / 'out'}.\n")
    names = {"work_functions", "free_energy"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"summary.json"} | {
        f"{name}.{suffix}" for name in names for suffix in ("png", "pdf", "csv")
    }
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {Path(name).stem for name in summary["figures"]} == names
    assert len(summary["pulls"]) == 5
    with (tmp_path / "out" / "free_energy.csv").open(newline="", encoding="utf-8") as file:
        curves = [row["curve"] for row in csv.DictReader(file)]
    assert list(dict.fromkeys(curves)) == ["0.5 Å/ps, 3 pulls", "4 Å/ps, 2 pulls"]
    refused = CliRunner().invoke(app, [*command[:-1], files[0]])
    assert refused.exit_code == 1
    assert "--output" in refused.output
