"""docs/performance.md is what the committed results make, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance_page", ROOT / "benchmarks" / "performance_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_drawn_from_the_results(script):
    cure = "run: python benchmarks/performance_page.py"
    assert (ROOT / "docs" / "performance.md").read_text() == script.page(RESULTS), cure


def test_table_of_the_readme(script):
    text = (ROOT / "README.md").read_text()
    assert text == script.readme(text, RESULTS), "run: python benchmarks/performance_page.py"


def test_readme_without_its_marks_is_refused(script):
    with pytest.raises(ValueError, match="end of speed"):
        script.readme("# nnpal\n", RESULTS)


def test_every_result_has_its_section(script):
    assert {path.stem for path in RESULTS.glob("*.json")} == set(script.SECTIONS)


def changed(folder: Path, name: str, change) -> Path:
    shutil.copytree(RESULTS, folder / "results")
    path = folder / "results" / f"{name}.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return folder / "results"


def test_a_changed_figure_changes_the_page(script, tmp_path):
    def slower(record):
        record["results"][0]["aims"][0]["reached"] = 12.3

    text = script.page(changed(tmp_path, "pair_step", slower))
    assert "| step with uq_energy, 108 atoms | 3.0 | 12.3 |" in text


def test_page_says_that_no_gpu_was_there_until_one_was(script, tmp_path):
    def on_gpu(record):
        record["results"].append({**record["results"][-1], "device": "cuda"})

    assert "Nothing on this page was run on a GPU" in script.page(RESULTS)
    text = script.page(changed(tmp_path, "uq_cost", on_gpu))
    assert "Nothing on this page was run on a GPU" not in text
    assert "\n| cuda, " in text
