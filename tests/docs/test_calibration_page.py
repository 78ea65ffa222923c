"""docs/uncertainty.md has what the committed results of benchmarks/calibration.py say, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "uncertainty.md"


@pytest.fixture
def script(benchmark):
    return benchmark("page_calibration")


@pytest.fixture
def changed(tmp_path):
    """Results of which the test may change the calibration's."""

    def change(how) -> Path:
        for path in RESULTS.glob("calibration*.json"):
            shutil.copy(path, tmp_path)
        record = json.loads((tmp_path / "calibration.json").read_text())
        how(record)
        (tmp_path / "calibration.json").write_text(json.dumps(record))
        return tmp_path

    return change


def test_page_is_drawn_from_the_results(script):
    assert PAGE.read_text() == script.page(PAGE.read_text(), RESULTS), "run: python benchmarks/page_calibration.py"


def test_a_figure_that_breaks_a_promise_stands_in_bold(script, changed):
    def worse(record):
        for run in record["sets"]["al"]:
            run["promises"][0] |= {"found": [50.0, 51.0], "met": False}

    assert "**50 to 51**" in script.page(PAGE.read_text(), changed(worse))


def test_settings_of_a_training_are_named(script, changed):
    def shorter(record):
        record["sets"]["al"][0]["training"]["updates"] = 123

    assert "`updates = 123`, `best_by" in script.page(PAGE.read_text(), changed(shorter))


def test_page_without_its_marks_is_refused(script):
    with pytest.raises(ValueError, match="end of error bars"):
        script.page("# Uncertainty\n", RESULTS)
