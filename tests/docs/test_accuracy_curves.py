"""What benchmarks/accuracy_curves.py reads off curves of a held-out error, and the page's section of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
MACHINE = {"cpu": "some CPU", "cores": 2, "instructions": "AVX2", "system": "Linux"}
MEASURED = {"date": "2026-01-01T00:00:00+00:00", "machine": MACHINE, "versions": {"nnpal": "0.1.0"}}


@pytest.fixture
def curves(benchmark) -> ModuleType:
    return benchmark("accuracy_curves")


def run(contender: str, seed: int, seconds_per_epoch: float, energy: list[float], force: list[float]) -> dict:
    epochs = list(range(1, 1 + len(energy)))
    cost = {"epoch": epochs, "updates": [80 * e for e in epochs], "cpu_s": [seconds_per_epoch * e for e in epochs]}
    settings = {"learning_rate": 1e-3 if contender == "before" else 8e-3, "batch_size": 16}
    return {
        "contender": contender,
        "seed": seed,
        "settings": settings,
        "curve": {**cost, "energy": energy, "force": force},
    }


RUNS = [
    run("before", 1, 1.0, [9.0, 2.0, 3.0, 1.5], [90.0, 80.0, 40.0, 30.0]),
    run("before", 2, 1.0, [9.0, 8.0, 2.0, 1.0], [90.0, 80.0, 35.0, 30.0]),
    run("after", 1, 0.5, [2.0, 0.5], [35.0, 20.0]),
    run("after", 2, 0.5, [2.5, 0.5], [35.0, 20.0]),
    run("after", 2, 0.25, [2.4, 2.0], [38.0, 30.0]),  # a shorter schedule
]
TARGETS = ((2.0, 40.0), (0.6, 25.0))


def test_a_target_is_reached_where_energy_and_force_both_are(curves):
    assert curves.reached(RUNS[0], (2.0, 80.0))["epoch"] == 2
    assert curves.reached(RUNS[0], (2.0, 40.0))["epoch"] == 4  # at 2 the force is too large, at 3 the energy
    assert curves.reached(RUNS[0], (1.0, 40.0)) is None


def test_costs_are_means_over_seeds_of_what_is_there_first(curves):
    assert curves.cost(RUNS, "before", TARGETS[0]) == {"cpu_s": 3.5, "updates": 280, "epoch": 3.5}
    assert curves.cost(RUNS, "after", TARGETS[0]) == {"cpu_s": 0.5, "updates": 120, "epoch": 1.5}
    assert curves.cost(RUNS, "before", (1.2, 40.0)) is None  # by one of two seeds


def test_comparison_with_the_first_contender(curves):
    found = curves.comparison(RUNS, TARGETS)
    assert [row["times_sooner"] for row in found["to_targets"]] == [{"after": pytest.approx(7.0)}, {"after": None}]
    first, second = found["at_equal_time"]["after"][:2]
    assert first == {
        "cpu_s": 1.0,
        "seed": 1,
        "errors": {"before": (9.0, 90.0), "after": (0.5, 20.0)},
        "times_better": [18.0, 4.5],
    }
    assert second["seed"] == 2
    assert len(found["at_equal_time"]["after"]) == 2  # before the first epoch of the other there is no error


def test_thinned_curves_keep_their_ends(curves):
    curve = {name: [float(k) for k in range(1, 301)] for name in curves.COLUMNS}
    thin = curves.thinned(curve)
    assert (thin["epoch"][0], thin["epoch"][-1]) == (1.0, 300.0)
    assert len(thin["epoch"]) <= curves.POINTS
    assert thin["force"] == thin["epoch"] == sorted(set(thin["epoch"]))


def test_contenders_are_given_on_the_command_line(benchmark):
    script = benchmark("time_to_accuracy")
    contender = script.default_contenders(None)["before"]
    for pair in ("updates=100,200", "loss.force_weight=0.2", "network.hidden=[64, 32]", "ema=0.9"):
        contender.set(pair)
    short, long = contender.variants()
    assert (short["training"]["updates"], long["training"]["updates"]) == (100, 200)
    assert "max_epochs" not in short["training"]
    assert (short["training"]["ema"], short["training"]["batch_size"]) == (0.9, 16)
    assert (short["loss"], short["network"]) == ({"force_weight": 0.2}, {"hidden": [64, 32]})
    with pytest.raises(SystemExit, match=r"expected a key of \[training\]"):
        contender.set("data.train=x")


def test_page_has_a_section_where_there_are_results(benchmark, tmp_path):
    page, curves = benchmark("performance_page"), benchmark("accuracy_curves")
    shutil.copytree(ROOT / "benchmarks" / "results", tmp_path, dirs_exist_ok=True)
    sets = {"ni32": {**curves.comparison(RUNS, TARGETS), "runs": RUNS}}
    (tmp_path / "time_to_accuracy.json").write_text(json.dumps({**MEASURED, "sets": sets}))
    text = page.page(tmp_path)
    assert "| ni32, 2 meV/atom and 40 meV/Å | 3.50 (280) | 0.50 (120) | 7.00 |" in text
    assert "| ni32, 0.6 meV/atom and 25 meV/Å | not reached | 1.00 (160) |  |" in text
    assert "- *after*: `learning_rate` 0.008\n" in text
    page.draw(json.loads((tmp_path / "time_to_accuracy.json").read_text()), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
