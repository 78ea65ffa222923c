"""`nnpal momt report`, the figures, and the Python example of docs/momt.md, on files that MOMT's own writers made."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from momt_runs import BALANCE, BOLTZ, CONSTANTS, T0, write_two_phases
from nnpal.cli.app import app
from nnpal.figures.figure import drawn
from nnpal.figures.style import LEARNING, PRODUCTION
from nnpal.momt import figures, read_bias, read_trace, write_bias
from nnpal.momt.reweighting import from_traces

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with momt.h5 and momt.trace of a walk between two phases that are in balance at 960 K."""
    write_two_phases(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(*args: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["momt", "report", "momt.h5", "momt.trace", *args])


def test_report_prints_and_draws(run: Path) -> None:
    result = report("--temperature", "960", "--temperature", "200", "--output", "out")
    assert result.exit_code == 0, result.output
    assert "5000 samples of 1 walker(s), grid H -11 -8 4, O 0 35 5" in result.output
    assert "T = 200: the samples do not reach temperature 200" in result.output.replace("\n", " ")
    found = re.search(r"coexistence temperature (\S+) ± (\S+)", result.output)
    assert found
    assert abs(float(found[1]) - BALANCE) < 4 * float(found[2]) < 60
    text = " ".join(result.output.split())
    assert "has not made a round trip" not in result.output
    assert "T enthalpy volume heat capacity ΔG effective K eV Å³ eV/K eV rows 960 " in text
    assert "…" not in text
    heat = re.search(r"latent heat (\S+) ± \S+ eV and volume change \S+ ± \S+ Å³ per atom, from the high-O", text)
    assert heat
    assert float(heat[1]) == pytest.approx(1 / CONSTANTS["n_atoms"], rel=0.05)  # type: ignore[operator]
    assert re.search(r"2\d round trips between the phases in the production run; errors from 20 blocks", text)
    summary = json.loads((run / "out" / "summary.json").read_text())
    for name in summary["figures"]:
        assert (run / name).read_bytes().startswith(b"\x89PNG")
    assert len(summary["figures"]) == 4
    names = {Path(name).stem for name in summary["figures"]}
    assert {path.name for path in (run / "out").iterdir()} == {"summary.json"} | {
        f"{name}.{suffix}" for name in names for suffix in ("png", "pdf", "csv")
    }


def test_a_run_that_has_seen_one_end_alone_says_so(run: Path) -> None:
    write_bias(run / "momt.h5", replace(read_bias(run / "momt.h5"), round_trips=0))
    text = " ".join(report().output.split())
    assert "note: the run has not made a round trip between the two ends (keyword ends), so both phases" in text


def test_report_as_json(run: Path) -> None:
    summary = json.loads(report("--json", "--divide", "15").output)
    assert summary["round_trips"] == 25
    assert summary["coexistence"]["divide"] == 15
    assert [row["temp"] for row in summary["temperatures"]] == [1000.0]
    assert summary["temperatures"][0]["enthalpy_error"] > 0


def test_mistakes_are_one_line(run: Path) -> None:
    (run / "momt.trace").write_text("nonsense\n")
    result = report()
    assert result.exit_code == 1
    assert re.fullmatch(r"nnpal momt report: trace momt\.trace: its header lacks step, .*\n", result.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temperature", "nan"), "temperature nan: expected a finite number above 0"),
        (("--temperature", "900", "--temperature", "inf"), "temperature inf: expected a finite number above 0"),
        (("--temperature", "-5"), "temperature -5: expected a finite number above 0"),
        (("--divide", "nan"), "divide nan: expected a finite order parameter"),
        (("--discard", "-5"), "discard -5: expected a number of rows from 0"),
        (("--discard", "5000"), "discard 5000 leaves none of the 5000 production rows; discard fewer"),
        (("--output", "momt.h5"), "--output momt.h5: expected a folder, found a file; give another name"),
    ],
)
def test_numbers_that_no_report_can_have(run: Path, arguments: tuple[str, ...], message: str) -> None:
    before = (run / "momt.h5").read_bytes()
    result = report(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert (run / "momt.h5").read_bytes() == before


def test_rows_outside_the_grid_are_counted(run: Path) -> None:
    text = (run / "momt.trace").read_text().splitlines(keepends=True)
    moved = [line if line.startswith("#") or i % 10 else line.replace(" 0 1 ", " -1 1 ") for i, line in enumerate(text)]
    (run / "momt.trace").write_text("".join(moved))
    result = report()
    assert "4500 samples of 1 walker(s)" in result.output
    assert "500 rows outside the grid (10.0%) are excluded" in result.output
    assert json.loads(report("--json").output)["outside"] == 500
    (run / "momt.trace").write_text("".join(line.replace(" 0 1 ", " -1 1 ") for line in text))
    assert "all 5000 production rows lie outside the grid" in report().output


def test_a_production_run_from_a_bias_file_has_visited_what_it_visited(run: Path) -> None:
    learned = read_bias("momt.h5")
    seen = np.zeros((4, 5), dtype=np.int64)
    seen[1:3, 2:] = 7
    nothing = np.zeros_like(seen)
    write_bias(run / "momt.h5", replace(learned, visits=nothing, flatness_visits=nothing, production_visits=seen))
    result = report("--output", "out")
    assert "6 of 20 bins visited" in " ".join(result.output.split())
    shown = drawn(figures.bias_map(read_bias("momt.h5"))).axes[0].collections[0].get_array()
    np.testing.assert_array_equal(~np.ma.getmaskarray(np.ma.masked_invalid(shown)), seen.T > 0)


def test_a_bias_without_visits_is_drawn_whole_and_says_so(run: Path) -> None:
    nothing = np.zeros((4, 5), dtype=np.int64)
    bias = replace(read_bias("momt.h5"), visits=nothing, flatness_visits=nothing, production_visits=nothing)
    axes = drawn(figures.bias_map(bias)).axes[0]
    assert np.isfinite(axes.collections[0].get_array()).all()
    assert axes.get_title() == "no bin visited yet: δH on the whole grid"


def test_a_run_that_still_learns_is_drawn_and_not_reweighted(run: Path) -> None:
    text = (run / "momt.trace").read_text()
    (run / "momt.trace").write_text(text.replace(" 0 1 ", " 0 0 "))
    write_bias(run / "momt.h5", replace(read_bias("momt.h5"), phase=0, production_visits=np.zeros((4, 5), np.int64)))
    result = report("--output", "out")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "6000 rows of the learning phase of 1 walker(s)" in said
    assert "20 of 20 bins visited, 25 round trips between the ends" in said
    assert "samples under a changing bias cannot be reweighted" in said
    assert "enthalpy" not in said
    summary = json.loads((run / "out" / "summary.json").read_text())
    assert (summary["phase"], summary["samples"], summary["learning_rows"]) == ("learning", 0, 6000)
    assert "temperatures" not in summary
    assert [Path(name).name for name in summary["figures"]] == ["bias.png", "series.png"]
    assert all((run / name).read_bytes().startswith(b"\x89PNG") for name in summary["figures"])
    assert "temperature nan" in report("--temperature", "nan").output
    (run / "momt.trace").write_text(text.replace(" 0 1 ", " 0 0 ").replace("#! SET temp 1000", "#! SET temp 1100"))
    assert "give the files of one run" in report().output


def test_files_of_two_runs_are_refused(run: Path) -> None:
    text = (run / "momt.trace").read_text()
    (run / "momt.trace").write_text(text.replace("#! SET temp 1000", "#! SET temp 1100"))
    assert "the bias file has temp 1000.0, the trace 1100.0; give the files of one run" in report().output
    (run / "momt.trace").write_text(text.replace("#! SET temp", "#! SET grid H -11 -8 5\n#! SET temp"))
    said = report().output.replace("\n", " ")
    assert "the bias file has axes H -11 -8 4, O 0 35 5, the trace H -11 -8 5; give the files of one run" in said


def test_figures_show_the_data(run: Path) -> None:
    trace, bias = read_trace("momt.trace"), read_bias("momt.h5")
    samples = from_traces(trace)
    top, bottom = drawn(figures.series(trace)).axes
    for axes, values in ((top, trace.H), (bottom, trace.O)):
        learning, production = axes.lines
        rows = np.linspace(0, 5999, 4000).round().astype(int)  # of more rows so many are drawn
        learned = (trace.phase[rows] == 0).sum()
        np.testing.assert_array_equal(learning.get_ydata()[:-1], values[rows][:learned])
        np.testing.assert_array_equal(production.get_ydata(), values[rows][learned:])
        assert [line.get_color() for line in (learning, production)] == [LEARNING, PRODUCTION]
        assert learning.get_xydata()[-1].tolist() == production.get_xydata()[0].tolist()
    assert (top.get_ylabel(), bottom.get_xlabel()) == ("enthalpy H (eV)", "time (ps)")
    counts = drawn(figures.histogram(samples)).axes[0].collections[0].get_array()
    assert np.nansum(counts) == len(samples)
    shown = drawn(figures.bias_map(bias)).axes[0].collections[0].get_array()
    h, o = bias.axes
    expected = bias.evaluate(H=h.centers[:, None], O=o.centers[None, :]) / (BOLTZ * T0)
    np.testing.assert_allclose(np.asarray(shown).reshape(5, 4), expected.T, rtol=1e-12)
    lines = drawn(figures.free_energies(samples, [950.0, 1000.0])).axes[0]
    assert [text.get_text() for text in lines.get_legend().get_texts()] == ["T = 950 K", "T = 1000 K"]
    reduced = figures.free_energies(samples, [950.0], units="lj")
    assert (drawn(reduced).axes[0].get_legend().get_texts()[0].get_text(), "temp" in reduced.columns) == (
        "T = 950", True
    )  # fmt: skip


@pytest.mark.parametrize(
    ("units", "timestep", "label", "last"),
    [
        ("metal", 0.002, "time (ps)", 0.002 * 599900),
        ("real", 2.0, "time (ps)", 1199.8),
        ("lj", 0.005, "time (τ)", 2999.5),
    ],
)
def test_time_is_physical(run: Path, units: str, timestep: float, label: str, last: float) -> None:
    trace = read_trace("momt.trace")
    figure = figures.series(replace(trace, units=units, time=timestep * trace.step))
    bottom = drawn(figure).axes[1]
    assert bottom.get_xlabel() == label
    assert bottom.lines[-1].get_xdata()[-1] == pytest.approx(last)
    assert figure.columns["step"][-1] == 599900


def without_times(path: Path) -> None:
    """Write a trace as earlier versions did."""
    lines = path.read_text().replace("#! FIELDS time step", "#! FIELDS step").splitlines(keepends=True)
    path.write_text("".join(line if line.startswith("#") else line.partition(" ")[2] for line in lines))


def test_a_trace_without_times_is_given_a_timestep(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnpal.figures.figure.save", lambda canvas, *paths: list(paths))  # the tables are looked at
    said = " ".join(report("--timestep", "0.001").output.split())
    assert "--timestep 0.001: the rows of trace momt.trace have times of their own; remove --timestep" in said
    assert report("--output", "out").exit_code == 0
    assert (run / "out" / "series.csv").read_text().startswith("step,time_ps,H_eV,O,production")
    without_times(run / "momt.trace")
    assert report("--output", "out").exit_code == 0
    assert (run / "out" / "series.csv").read_text().startswith("step,H_eV,O,production")
    assert report("--output", "out", "--timestep", "0.001").exit_code == 0
    assert (run / "out" / "series.csv").read_text().startswith("step,time_ps,H_eV,O,production")
    assert "--timestep -1: expected a finite number above 0" in report("--timestep", "-1").output


def test_a_production_run_alone_is_drawn_in_its_color(run: Path) -> None:
    trace = read_trace("momt.trace")
    top, _ = drawn(figures.series(replace(trace, phase=np.ones_like(trace.phase)))).axes
    assert [line.get_color() for line in top.lines] == [PRODUCTION]
    assert [text.get_text() for text in top.figure.legends[0].get_texts()] == ["production"]


def test_example_of_the_docs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example, of_members = re.findall(r"```python\n(.*?)```", (DOCS / "momt.md").read_text(), re.S)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/momt.md", "exec"), names)
    assert len(capsys.readouterr().out.splitlines()) >= 5
    samples = names["samples"]
    names |= {"steps": samples.step, "energies": samples.U + 0.01 * np.array([[-1.0], [0.0], [1.0]])}
    exec(compile(of_members, "docs/momt.md", "exec"), names)
    error, melting = capsys.readouterr().out.splitlines()
    assert float(error) == pytest.approx(0.01 * np.sqrt(2 / 3), rel=1e-6)  # the offsets, which shift enthalpies alone
    assert float(melting.split()[0]) == pytest.approx(0.0, abs=1e-6)


def test_options_of_the_docs_are_the_classs() -> None:
    """Names and defaults in the table of docs/momt.md are those of the signature."""
    import inspect

    from nnpal.momt import MOMT

    table = re.search(r"\| keyword \| values.*?\n\n", (DOCS / "momt.md").read_text(), re.S)
    assert table
    rows = dict(re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|", table[0], re.M))
    parameters = dict(list(inspect.signature(MOMT.__init__).parameters.items())[2:])
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        said = rows[name].strip("`")
        if isinstance(parameter.default, bool):
            assert said == ("yes" if parameter.default else "no")
        elif isinstance(parameter.default, int | float):
            assert float(said) == parameter.default
        elif parameter.default == ("yes",):
            assert said == "yes"
        elif isinstance(parameter.default, str):
            assert said == parameter.default
