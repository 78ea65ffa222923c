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
OTHER_PAGE = {
    "calibration",
    "calibration_peers",
    "compiled_models",
    "driver_scale",
    "torchani_terms",
    "uncertainty_recipes",
}
"""Of docs/uncertainty.md, docs/torchani_models.md, docs/compiled_models.md and docs/cluster.md."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance_page", ROOT / "benchmarks" / "performance_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))  # as where the script is run
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
    stems = {path.stem for path in RESULTS.glob("*.json")} - OTHER_PAGE
    assert set(script.SECTIONS) - script.OPTIONAL <= stems <= set(script.SECTIONS)


def test_every_result_of_another_processor_has_its_row(script):
    shown = {benchmark for benchmark, *_ in script.ROWS} | script.BUILDS
    folders = [path for path in RESULTS.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert {path.stem for path in folder.glob("*.json")} <= shown, folder


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


def test_rounds_that_scatter_are_shown(script, tmp_path):
    def scatter(record):
        for k, one in enumerate(record["results"][0]["rounds"]):
            one["nnp"] = 10.0 + 0.1 * k
            one["SNAP"] = 100.0 + 50 * k

    text = script.page(changed(tmp_path, "pair_step", scatter))
    nnp = next(line for line in text.splitlines() if line.startswith("| nnp | ") and "(" in line)  # of this build
    (snap,) = (line for line in text.splitlines() if line.startswith("| SNAP | "))
    assert "[" not in nnp.split("|")[2]
    n_rounds = len(json.loads((RESULTS / "pair_step.json").read_text())["results"][0]["rounds"])
    low, high = (100 + 50 * (n_rounds - 1) * share for share in (0.25, 0.75))
    assert f"[{low:.0f} to {high:.0f}]" in snap.split("|")[2]


def test_new_fields_of_records_are_shown(script, tmp_path):
    def with_rate(record):
        for result in record["results"]:
            result["ratio_to_best_sgemm_rate"] = {"nnp + uq_energy": 1.87}

    text = script.page(changed(tmp_path, "pair_step_before", with_rate))
    assert "at the best sgemm rate, a step with uq_energy takes 1.87 at 108 atoms" in text


GPU = {
    "date": "2026-01-01T00:00:00+00:00",
    "machine": {"cpu": "some CPU", "cores": 16, "instructions": "AVX2", "system": "Linux"},
    "versions": {"nnpal": "0.1.0"},
    "gpu": "some GPU",
}
DIFFERENCES = {f"of_the_{what}": 1e-6 for what in ("energy", "largest_force", "largest_uq_energy", "largest_uq_force")}


def test_results_of_a_gpu_have_sections(script, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(RESULTS, results)
    speeds = [{"pair": 20.0 + k, "step": 10.0, "energy": 1.0} for k in range(3)]
    step = {
        "n_atoms": 1_000_188,
        "million_atom_steps_per_second": {"pair": {"float32": 21.0}, "step": {"float32": 10.0}},
        "rounds": {"float32": speeds, "TF32": []},
    }
    steps = {"model": {"members": 5}, "results": [step], "difference_from_cpu": {"10976": {"single": DIFFERENCES}}}
    epoch = {
        "n_configurations": 20000,
        "atoms": 108,
        "device": "cuda",
        "members": 5,
        "batch": 64,
        "larger_set_of_the_second_seed": {
            "n_configurations": 20000,
            "atoms": 108,
            "seconds_there": 41.0,
            "aim_seconds": 2.0,
        },
        "seconds_once": {"neighbors": 60.0},
        "seconds": {"nnpal, recomputed": {"median": 1.5, "all": [1.5, 1.5, 1.5]}},
        "times_networks_alone": {"nnpal, recomputed": 1.2},
    }
    (results / "cuda_step.json").write_text(json.dumps({**GPU, **steps}))
    (results / "cuda_epoch.json").write_text(json.dumps({**GPU, **epoch}))
    text = script.page(results)
    assert "| float32 | 21.0 (10.0) |" in text
    assert "| TF32 | out of memory |" in text
    assert "| 10,976 atoms, single | 1e-06 | 1e-06 | 1e-06 | 1e-06 |" in text
    assert "5 members in one batched pass" in text
    assert "The data-distillation paper reports 41.0 s" in text
    assert "Nothing on this page was run on a GPU" not in text


def test_page_says_that_no_gpu_was_there_until_one_was(script, tmp_path):
    def on_gpu(record):
        record["results"].append({**record["results"][-1], "device": "cuda"})

    results = changed(tmp_path, "uq_cost", on_gpu)
    for path in results.glob("cuda_*.json"):
        path.unlink()
    text = script.page(results)
    shutil.copy(RESULTS / "uq_cost.json", results)
    assert "Nothing on this page was run on a GPU" in script.page(results)
    assert "Nothing on this page was run on a GPU" not in text
    assert "\n| cuda, " in text
