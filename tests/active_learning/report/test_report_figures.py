"""Figures of reports: their CSV holds the numbers given, their files are whole, odd histories do not break them."""

from __future__ import annotations

import csv
import io
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from matplotlib import pyplot, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from PIL import Image

import nnpal.figures.figure
import processes
from nnpal.active_learning.report import (
    Figure,
    Snapshot,
    UQRun,
    WorkCurve,
    activation_energy,
    activation_energy_error,
    classes_history,
    coverage_history,
    distillation_history,
    enthalpy_order,
    error_by_tenth,
    labels_history,
    loading_rates,
    mae_history,
    parity,
    rank_correlation,
    reliability_curves,
    structures,
    uq_against_error,
    uq_trace,
    work_function,
    write_figure,
)
from nnpal.active_learning.report.free_energy import FreeEnergyCurve, free_energy
from nnpal.active_learning.report.rotation import RotationCurve, end_rotation, rotation_table
from nnpal.figures.figure import save

KCAL = units.kcal / units.mol
NAN = math.nan


@pytest.fixture(autouse=True)
def no_text_is_cut(monkeypatch):
    """Every figure that a test writes has all that it shows within its edges."""

    def checked(canvas: Canvas, *paths: Path, **kwargs: float) -> list[Path]:
        written = save(canvas, *paths, **kwargs)
        drawn, (width, height) = canvas.get_tightbbox(), canvas.get_size_inches()
        outside = [-drawn.x0, -drawn.y0, drawn.x1 - width, drawn.y1 - height]
        assert max(outside) < 0.02, f"{paths[0].stem}: {max(outside):.2f} inches are cut"
        return written

    monkeypatch.setattr(nnpal.figures.figure, "save", checked)


def columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {header: [row[k] for row in rows[1:]] for k, header in enumerate(rows[0])}


def numbers(path: Path, header: str) -> list[float]:
    return [float(text) for text in columns(path)[header]]


def simple(name: str = "line", draw=lambda axes: axes.plot([1, 2], [3, 4])) -> Figure:
    return Figure(name, "Line", "A line.", "a line", {"x": [1, 2], "y_eV": [0.1 + 0.2, NAN], "of": ["å, b", "c"]}, draw)


def test_files_hold_image_page_and_numbers(tmp_path):
    files = write_figure(tmp_path / "figures", simple())
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == ["line.csv", "line.pdf", "line.png"]
    assert files.csv.read_bytes().decode() == 'x,y_eV,of\r\n1,0.3,"å, b"\r\n2,nan,c\r\n'
    with Image.open(files.png) as image:
        image.load()
        assert image.size == (680, 510)  # 3.4 x 2.55 inches
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.0127)  # PNG holds whole dots per meter
    assert files.pdf.read_bytes().startswith(b"%PDF")
    assert files.pdf.read_bytes().rstrip().endswith(b"%%EOF")


def test_styles_and_pyplot_stay_as_they_were(tmp_path):
    before = dict(rcParams)
    write_figure(tmp_path, simple())
    assert dict(rcParams) == before
    assert pyplot.get_fignums() == []


SCRIPT = """
import sys
from pathlib import Path
from ase.build import molecule
from nnpal.active_learning.report import *
out = Path(sys.argv[1])
write_figure(out, work_function([WorkCurve("iteration 0", [1, 2], [0.1, 0.4])], WorkCurve("ωÅ", [1, 2], [0.2, 0.3])))
write_figure(out, parity([1.0, 2.0, 3.0], [1.1, 2.1, 2.9]))
write_figure(out, structures([Snapshot(molecule("CH4"), "methane")]))
"""


def test_same_numbers_give_same_bytes(tmp_path, monkeypatch):
    """Also in a process whose sets are in another order, as those of its text are by their hashes."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = processes.run([sys.executable, "-c", SCRIPT, str(tmp_path / "there")], env=environment)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "here")])
    exec(SCRIPT, {})
    names = sorted(p.name for p in (tmp_path / "here").iterdir())
    assert len(names) == 9
    for name in names:
        content = (tmp_path / "here" / name).read_bytes()
        assert content == (tmp_path / "there" / name).read_bytes(), name
        assert b"CreationDate" not in content


def test_a_figure_that_cannot_be_drawn_leaves_the_old_files(tmp_path):
    old = write_figure(tmp_path, simple())
    before = [path.read_bytes() for path in (old.png, old.pdf)]

    def fail(axes):
        raise RuntimeError("no drawing")

    with pytest.raises(RuntimeError, match="no drawing"):
        write_figure(tmp_path, simple(draw=fail))
    assert [path.read_bytes() for path in (old.png, old.pdf)] == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["", "../line", "a b", ".hidden", "a/b"])
def test_names_are_names_of_files(name):
    with pytest.raises(ValueError, match="expected letters"):
        simple(name)


def test_columns_of_one_length():
    with pytest.raises(ValueError, match=r"figure x: columns of lengths \{'a': 1, 'b': 2\}"):
        Figure("x", "", "", "", {"a": [1], "b": [1, 2]}, lambda axes: None)


def run(**changes) -> UQRun:
    steps = np.arange(0, 500, 10)
    uq = np.where(steps < 300, 0.002, 0.02)
    given = {"mean": 0.002, "deviation": 0.001, "first_steps": 100, "chosen": [310, 330], "failed_step": 450}
    return UQRun("iteration 0", steps, uq, **{**given, **changes})


def test_uq_trace(tmp_path):
    files = write_figure(tmp_path, uq_trace([run(), run(k=4.0, failed_step=None, chosen=())]))
    found = columns(files.csv)
    assert found["run"] == ["iteration 0"] * 100
    assert numbers(files.csv, "uq_meV") == pytest.approx([2.0] * 30 + [20.0] * 20 + [2.0] * 30 + [20.0] * 20)
    assert numbers(files.csv, "threshold_meV") == pytest.approx([5.0] * 50 + [6.0] * 50)
    assert [int(s) for s, c in zip(found["step"], found["chosen"], strict=True) if c == "1"] == [310, 330]
    assert [int(s) for s, g in zip(found["step"], found["good"], strict=True) if g == "0"] == [450, 460, 470, 480, 490]
    assert "iteration 0: 15 of 50 frames above the threshold" in files.alt
    assert "iteration 0 failed at step 450" in files.alt
    files = write_figure(tmp_path, uq_trace([run()], unit="meV/Å"))
    assert numbers(files.csv, "threshold_meV_angstrom") == pytest.approx([5.0] * 50)
    assert "uq_meV_angstrom" in columns(files.csv)


def test_uq_trace_of_unlike_arrays():
    with pytest.raises(ValueError, match=r"uq_trace: short: lengths differ \(steps 2, uq 1\)"):
        uq_trace([UQRun("short", [0, 1], [0.1])])


def test_work_function(tmp_path):
    curves = [WorkCurve(f"iteration {k}", [1.5, 2.5], [0.0, k * KCAL], failed=k == 0) for k in range(9)]
    files = write_figure(tmp_path, work_function(curves, WorkCurve("oracle", [1.5, 2.0, 2.5], [0.0, KCAL, 2 * KCAL])))
    expected = [value for k in range(9) for value in (0.0, float(k))] + [0.0, 1.0, 2.0]
    assert numbers(files.csv, "work_kcal_mol") == pytest.approx(expected)
    assert columns(files.csv)["run"][-4:] == ["iteration 8", "oracle", "oracle", "oracle"]
    assert numbers(files.csv, "distance_angstrom")[-3:] == [1.5, 2.0, 2.5]
    assert files.alt == "iteration 8 ends at 8.0 kcal/mol; oracle ends at 2.0 kcal/mol"
    assert "Crosses" in files.caption


def test_activation_energy(tmp_path):
    values = KCAL * np.array([120.0, NAN, 90.5])
    files = write_figure(tmp_path, activation_energy([0, 1, 2], values, 90.0 * KCAL))
    assert columns(files.csv)["iteration"] == ["0", "1", "2"]
    assert numbers(files.csv, "activation_energy_kcal_mol") == pytest.approx([120.0, NAN, 90.5], nan_ok=True)
    assert numbers(files.csv, "oracle_kcal_mol") == pytest.approx([90.0] * 3)
    files = write_figure(tmp_path, activation_energy_error([0, 1, 2], values, 90.0 * KCAL))
    assert numbers(files.csv, "error_kcal_mol") == pytest.approx([30.0, NAN, 0.5], nan_ok=True)
    assert files.alt == "Last error 0.5 kcal/mol, smallest 0.5"


def drawn(figure: Figure) -> Axes:
    axes = Canvas().subplots()
    figure.draw(axes)
    return axes


def axis_scale(figure: Figure) -> str:
    return drawn(figure).get_yscale()


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in drawn(figure).get_legend().get_texts()]


def test_errors_are_logarithmic_where_they_span_much():
    assert axis_scale(activation_energy_error([0, 1], [31.0 * KCAL, KCAL / 2], 0.0)) == "log"
    assert axis_scale(activation_energy_error([0, 1], [5.0 * KCAL, KCAL / 2], 0.0)) == "linear"
    assert axis_scale(activation_energy_error([0, 1], [31.0 * KCAL, 0.0], 0.0)) == "linear"  # no logarithm of 0


def test_loading_rates_are_sorted(tmp_path):
    files = write_figure(tmp_path, loading_rates([1.0, 0.25], [3 * KCAL, KCAL], np.array([3.5, 1.0]) * KCAL))
    assert numbers(files.csv, "rate_angstrom_ps") == [0.25, 1.0]
    assert numbers(files.csv, "activation_energy_kcal_mol") == pytest.approx([1.0, 3.0])
    assert numbers(files.csv, "oracle_kcal_mol") == pytest.approx([1.0, 3.5])
    assert "largest 0.5 kcal/mol" in files.alt
    figure = loading_rates([1.0, 2.0], [3 * KCAL, KCAL], [KCAL, KCAL], who="ensemble")
    assert legend(figure) == ["oracle", "ensemble"]
    assert "of the ensemble's pulls" in figure.caption
    assert drawn(figure).get_xscale() == "log"
    together = drawn(loading_rates([-1.0, -4.0], [3 * KCAL, KCAL], [KCAL, KCAL]))  # pushed together
    low, high = together.get_xlim()
    assert low < -4.0 < -1.0 < high


def test_mae_history(tmp_path):
    files = write_figure(tmp_path, mae_history([0, 1], {"train": [0.001, 0.002], "unseen": [0.1, NAN]}))
    assert numbers(files.csv, "train_meV_atom") == pytest.approx([1.0, 2.0])
    assert numbers(files.csv, "unseen_meV_atom") == pytest.approx([100.0, NAN], nan_ok=True)
    assert files.alt == "Last MAE in meV/atom: train 2, unseen 100"
    relative = mae_history([0], {"unseen": [0.002]}, quantity="relative energy")
    assert drawn(relative).get_ylabel() == "relative energy MAE (meV/atom)"
    assert "after subtracting the mean difference of each set" in relative.caption
    with pytest.raises(ValueError, match="quantity = 'stress', expected energy or relative energy or force"):
        mae_history([0], {}, quantity="stress")


def test_classes_history(tmp_path):
    counts = [{"accurate": 1, "candidate": 2, "failed": 1}, {"accurate": 0, "candidate": 0}]
    files = write_figure(tmp_path, classes_history([0, 1], counts))
    assert numbers(files.csv, "candidate") == [2, 0]
    assert numbers(files.csv, "candidate_per_cent") == pytest.approx([50.0, NAN], nan_ok=True)
    assert numbers(files.csv, "failed_per_cent") == pytest.approx([25.0, NAN], nan_ok=True)
    assert files.alt == "Iteration 0: accurate 25.0 %, candidate 50.0 %, failed 25.0 %"
    with pytest.raises(ValueError, match=r"iteration 0: class \['good'\], expected accurate, candidate, failed"):
        classes_history([0], [{"good": 1}])


def test_uq_against_error(tmp_path):
    uq, error = [0.001, 0.002, 0.003, NAN, 0.0], [-0.01, 0.02, -0.03, 1.0, 0.0]
    files = write_figure(tmp_path, uq_against_error(uq, error, ["a", "a", "b", "b", "b"], quantity="force"))
    assert numbers(files.csv, "error_meV_angstrom") == pytest.approx([10, 20, 30, 1000, 0])
    assert numbers(files.csv, "uq_meV_angstrom") == pytest.approx([1, 2, 3, NAN, 0], nan_ok=True)
    assert files.alt == "Rank correlation 1.00 over 4 values"
    assert "1 without finite values" in files.caption
    assert (
        "over the largest deviation of an atom's force over the members, before they were used for training"
        in files.caption
    )
    assert uq_against_error([0.1], [0.1]).alt == "Rank correlation not known over 1 values"


def test_reliability_and_tenths_of_error_bars(tmp_path):
    sigma = np.repeat([0.1, 0.4], 50)
    part = sigma[:, None] / math.sqrt(3) * np.array([1.0, -1.0, 0.0])  # at one sigma of a component, and at 0
    parts = {"iteration 0": (2 * part, sigma), "iteration 1": (part, sigma)}
    files = write_figure(tmp_path, reliability_curves(parts))
    found = numbers(files.csv, "observed_per_cent")
    nominal = numbers(files.csv, "nominal_per_cent")
    assert columns(files.csv)["group"] == ["iteration 0"] * 19 + ["iteration 1"] * 19
    # one sigma is nominally 68.3 %, two are 95.4 %
    assert found == pytest.approx([100 / 3] * 19 + [100.0 if level > 68.3 else 100 / 3 for level in nominal[19:]])
    assert files.alt == "iteration 1: farthest off at nominal 65 %, where 33 % are observed"
    files = write_figure(tmp_path, error_by_tenth(parts))
    assert numbers(files.csv, "expected_meV_angstrom") == pytest.approx(2 * ([100.0] * 5 + [400.0] * 5))
    rms = math.sqrt(2 / 3)
    expected = [*([200 * rms] * 5), *([800 * rms] * 5), *([100 * rms] * 5), *([400 * rms] * 5)]
    assert numbers(files.csv, "true_meV_angstrom") == pytest.approx(expected)
    assert files.alt == "iteration 1: true over expected error 0.82 to 0.82 over the tenths"


def test_coverage_history(tmp_path):
    files = write_figure(tmp_path, coverage_history([0, 1, 2], {0.9: [0.8, NAN, 0.91], 0.68: [0.5, NAN, 0.7]}))
    assert numbers(files.csv, "coverage_of_68_per_cent") == pytest.approx([50.0, NAN, 70.0], nan_ok=True)
    assert numbers(files.csv, "coverage_of_90_per_cent") == pytest.approx([80.0, NAN, 91.0], nan_ok=True)
    assert files.alt == "Iteration 2: 70 % within nominal 68 %, 91 % within nominal 90 %"
    with pytest.raises(ValueError, match="coverage_history: lengths differ"):
        coverage_history([0], {0.9: [0.8, 0.9]})


def test_rank_correlation():
    assert rank_correlation([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3, 4], [8, 4, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)  # 1 - 6 (1 + 1) / (4 * 15)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))
    assert math.isnan(rank_correlation([1, 2], [1, 2]))


def test_parity(tmp_path):
    files = write_figure(tmp_path, parity([-3.0, -2.0, NAN], [-2.9, -2.2, 0.0], relative=True))
    assert files.name == "parity_energy"
    assert numbers(files.csv, "oracle_eV_atom") == pytest.approx([0.0, 1.0, NAN], nan_ok=True)
    assert numbers(files.csv, "model_eV_atom") == pytest.approx([0.1, 0.8, 3.0])
    assert files.alt == "MAE 150, RMSE 158 meV/atom, N = 2"  # of 100 and 200


def test_parity_of_many_shows_some_and_measures_all(tmp_path):
    reference = np.zeros(50_000)
    predicted = np.where(np.arange(50_000) % 2, 0.001, 0.003)
    figure = parity(reference, predicted, quantity="force")
    assert len(figure.columns["model_eV_Å"]) == 20_000
    assert figure.alt == "MAE 2, RMSE 2.24 meV/Å, N = 50,000"
    assert "50,000 values. 20,000 are drawn; the errors are those of all." in figure.caption


def test_labels_history(tmp_path):
    files = write_figure(tmp_path, labels_history([0, 1], {"initial": [10, 10], "chosen": [0, 1500]}))
    assert numbers(files.csv, "chosen") == [0, 1500]
    assert numbers(files.csv, "total") == [10, 1510]
    assert files.alt == "1,510 labels in the end"


def test_enthalpy_order(tmp_path):
    files = write_figure(
        tmp_path, enthalpy_order([-400.0, -300.0, NAN], [100.0, 2.0, 3.0], np.array([True, False, True]))
    )
    assert numbers(files.csv, "H_eV") == pytest.approx([-400.0, -300.0, NAN], nan_ok=True)
    assert numbers(files.csv, "O") == [100.0, 2.0, 3.0]
    assert numbers(files.csv, "selected") == [1, 0, 1]
    with pytest.raises(ValueError, match="expected bool for every configuration, not indices"):
        enthalpy_order([1.0, 2.0], [1.0, 2.0], [0, 1])


def test_distillation_history(tmp_path):
    files = write_figure(tmp_path, distillation_history([0, 1, 2], [2000, 2000, 2000], [2000, 60, 0]))
    assert numbers(files.csv, "kept_so_far") == [2000, 2060, 2060]
    assert "2,060 configurations selected of 6,000 available (34.3 %)" in files.caption


def test_structures(tmp_path):
    bare = Atoms("H")
    lost = molecule("H2")
    lost.positions[1] = NAN
    shown = [molecule("CH3CH2OH"), bulk("Al", cubic=True), bare, lost, Atoms(), molecule("H2"), molecule("H2O")]
    snapshots = [Snapshot(atoms, f"number {k}\nsecond line", [0] if k == 1 else []) for k, atoms in enumerate(shown)]
    before = [atoms.positions.copy() for atoms in shown]
    files = write_figure(tmp_path, structures(snapshots))
    assert all(np.array_equal(atoms.positions, old, equal_nan=True) for atoms, old in zip(shown, before, strict=True))
    found = columns(files.csv)
    assert len(found["x"]) == sum(map(len, shown))
    assert found["label"][0] == "number 0 second line"
    assert numbers(files.csv, "y")[:9] == pytest.approx(before[0][:, 1].tolist(), abs=1e-9)
    assert sum(map(int, found["marked"])) == 1


def test_of_many_structures_some_are_drawn():
    figure = structures([Snapshot(molecule("H2"), str(k)) for k in range(40)], most=5)
    assert list(dict.fromkeys(figure.columns["label"])) == ["0", "10", "20", "29", "39"]
    assert figure.grid == (2, 3)
    assert "5 of 40 are drawn" in figure.caption


EMPTY = {
    "uq_trace": lambda: uq_trace([]),
    "uq_no_frames": lambda: uq_trace([UQRun("run", [], [])]),
    "work_function": lambda: work_function([]),
    "activation_energy": lambda: activation_energy([], []),
    "activation_energy_error": lambda: activation_energy_error([], [], 1.0),
    "loading_rates": lambda: loading_rates([], [], []),
    "mae_history": lambda: mae_history([], {"train": []}),
    "mae_no_series": lambda: mae_history([], {}),
    "classes_history": lambda: classes_history([], []),
    "uq_against_error": lambda: uq_against_error([], []),
    "reliability": lambda: reliability_curves({}),
    "error_by_tenth": lambda: error_by_tenth({}),
    "coverage_history": lambda: coverage_history([], {0.68: [], 0.9: []}),
    "parity": lambda: parity([], []),
    "labels_history": lambda: labels_history([], {}),
    "enthalpy_order": lambda: enthalpy_order([], [], []),
    "distillation_history": lambda: distillation_history([], [], []),
    "structures": lambda: structures([]),
}
ONE = {
    "uq_trace": lambda: uq_trace([UQRun("run", [0], [0.1], 0.1, 0.0, failed_step=0)]),
    "uq_no_threshold": lambda: uq_trace([UQRun("run", [0, 1], [0.1, 0.2])]),
    "work_function": lambda: work_function([WorkCurve("run", [1.0], [0.0], failed=True)]),
    "work_of_nothing": lambda: work_function(
        [WorkCurve("run", [], [], failed=True)], WorkCurve("oracle", [1, 2], [0, 1])
    ),
    "activation_energy": lambda: activation_energy([3], [4.0]),
    "activation_energy_error": lambda: activation_energy_error([3], [4.0], 4.0),
    "loading_rates": lambda: loading_rates([1.0], [4.0], [NAN]),
    "mae_history": lambda: mae_history([0], {"train": [0.0]}),
    "classes_history": lambda: classes_history([0], [{"failed": 3}]),
    "uq_against_error": lambda: uq_against_error([0.0], [0.0]),
    "reliability": lambda: reliability_curves({"a": (np.zeros((1, 3)), np.ones(1))}),
    "error_by_tenth": lambda: error_by_tenth({"a": (np.zeros((1, 3)), np.ones(1))}),
    "coverage_history": lambda: coverage_history([0], {0.68: [0.7]}),
    "parity": lambda: parity([1.0], [1.0]),
    "labels_history": lambda: labels_history([0], {"initial": [0]}),
    "enthalpy_order": lambda: enthalpy_order([1.0], [1.0], [True]),
    "distillation_history": lambda: distillation_history([0], [0], [0]),
    "structures": lambda: structures([Snapshot(Atoms(), "nothing")]),
}
NOT_NUMBERS = {
    "uq_trace": lambda: uq_trace([UQRun("run", [0, 1], [NAN, math.inf], NAN, NAN, first_steps=1, failed_step=5)]),
    "work_function": lambda: work_function([WorkCurve("run", [1.0, NAN], [math.inf, NAN])]),
    "activation_energy": lambda: activation_energy([0, 1], [NAN, math.inf], NAN),
    "activation_energy_error": lambda: activation_energy_error([0, 1], [NAN, NAN], NAN),
    "loading_rates": lambda: loading_rates([1.0, 2.0], [NAN, NAN], [NAN, NAN]),
    "mae_history": lambda: mae_history([0, 1], {"train": [NAN, NAN]}),
    "uq_against_error": lambda: uq_against_error([NAN, math.inf], [1.0, NAN]),
    "coverage_history": lambda: coverage_history([0, 1], {0.68: [NAN, NAN]}),
    "parity": lambda: parity([NAN, 1.0], [1.0, math.inf]),
    "enthalpy_order": lambda: enthalpy_order([NAN, math.inf], [1.0, 1.0], [True, False]),
}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=f"{kind}-{name}")
        for kind, cases in (("empty", EMPTY), ("one", ONE), ("nan", NOT_NUMBERS))
        for name, make in cases.items()
    ],
)
def test_odd_histories_are_drawn(make):
    figure = make()
    assert figure.alt
    assert figure.caption
    canvas = Canvas(figsize=figure.size, layout="constrained")
    figure.draw(*canvas.subplots(*figure.grid, squeeze=False).ravel())
    drawn = io.BytesIO()
    canvas.savefig(drawn, format="png", dpi=30)
    with Image.open(drawn) as image:
        assert len(image.convert("L").getcolors()) > 1  # something is on it


def test_bands_are_the_scatter_over_pulls(tmp_path):
    curve = WorkCurve("iteration 1", [1.0, 2.0], [0.1, 0.4], band=[0.0, 0.05], pulls=4)
    figure = work_function([WorkCurve("iteration 0", [1.0, 2.0], [0.1, 0.3]), curve], who="the ensemble")
    assert "Means over pulls (4 of the last curve); bands: their standard deviation" in figure.caption
    files = write_figure(tmp_path, figure)
    assert numbers(files.csv, "sd_over_pulls_kcal_mol")[2:] == pytest.approx([0.0, 0.05 / KCAL])
    assert "sd_over_pulls_kcal_mol" not in work_function([WorkCurve("one", [1.0], [0.1])]).columns
    with pytest.raises(ValueError, match="iteration 1: lengths differ"):
        work_function([WorkCurve("iteration 1", [1.0, 2.0], [0.1, 0.4], band=[0.1])])


def test_rotations_of_ends_are_told_by_who_pulled(tmp_path):
    still = RotationCurve("oracle", "run-0", [4.0, 5.0], np.zeros((2, 2)), np.array([[0.0, 1.0], [2.0, 4.0]]))
    turning = [
        RotationCurve("SchNet ensemble", f"run-{k}", [4.0, 5.0], [[0.0, 0.0], [-60.0 - k, 5.0]], np.zeros((2, 2)))
        for k in (0, 10)
    ]
    table = rotation_table([still, *turning])
    assert [[row[0], row[1], *(cell.text for cell in row[2:])] for row in table.rows] == [
        ["oracle", 1, "0.0", "0.0", "4.0", "4.0"],
        ["SchNet ensemble", 2, "70.0", "65.0", "0.0", "0.0"],
    ]
    files = write_figure(tmp_path, end_rotation([still, *turning]))
    assert numbers(files.csv, "twist_end1_degrees") == [0.0, 0.0, 0.0, -60.0, 0.0, -70.0]
    assert "SchNet ensemble: largest twist 70, tilt 0 degrees" in files.alt


def test_free_energies_lie_below_the_mean_work(tmp_path):
    curve = FreeEnergyCurve("ensemble", [4.0, 5.0], [0.0, 1.0], [0.0, 0.1], [0.0, 1.5], 6)
    files = write_figure(tmp_path, free_energy([curve]))
    assert numbers(files.csv, "free_energy_kcal_mol")[1] == pytest.approx(1.0 / KCAL)
    assert numbers(files.csv, "mean_work_kcal_mol")[1] == pytest.approx(1.5 / KCAL)
    assert "6 of the ensemble" in files.caption
