"""The key of a stage covers all code that it runs on: what it imports, and the compiled libraries."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

import nnpal
from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.distillation.loop import Distillation
from nnpal.active_learning.distillation.translation import Translation
from nnpal.active_learning.engine import imports
from nnpal.active_learning.engine.imports import draws, imported_files
from nnpal.active_learning.engine.keys import code_hashes
from nnpal.active_learning.rare_events.loop import RareEvents

ORACLE = {"kind": "python", "import_path": "some_module:Oracle"}
PULLS = {"kind": "smd", "structure": "x.xyz", "atoms": (1, 2)}
SAMPLING = {"kind": "momt", "element": "Al", "lattice": "fcc", "temperature": 900.0, "O": (0.0, 30.0, 30)}
RARE_EVENTS = {"rare_events": {}, "oracle": ORACLE, "initial": {"structure": "x.xyz"}, "explore": PULLS}
DISTILLATION = {"distillation": {}, "oracle": ORACLE, "explore": SAMPLING}
TRANSLATION = {"translation": {"source": "run", "symbols": {"Al": "Cu"}, "factor": 0.9}, "oracle": ORACLE}
LOOPS = {
    "rare_events": RareEvents(RunConfig(**RARE_EVENTS), Path()),
    "distillation": Distillation(RunConfig(**DISTILLATION), Path()),
    "translation": Translation(RunConfig(**TRANSLATION), Path()),
}
STAGES = {
    f"{name}/{stage.name}": (stage.code, not stage.is_read) for name, loop in LOOPS.items() for stage in loop.stages(0)
}
PAGES = {name for name in STAGES if name.endswith("/report")}
ONLY_DRAW = {"nnpal.evaluation.figures", *(f"nnpal.figures.{name}" for name in ("figure", "parity", "style"))}
"""What stages that compute import for figures; a module that later stages read numbers of does not belong here."""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package whose files a test may change, with a small stand-in for a compiled library."""
    folder = tmp_path / "nnpal"
    shutil.copytree(Path(nnpal.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (folder / "_plugins").mkdir(exist_ok=True)
    (folder / "_plugins/libnnpal_ops.so").write_bytes(b"machine code")
    place = importlib.util.spec_from_file_location(
        "nnpal", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    monkeypatch.setattr(imports, "find_spec", lambda name: place)
    return folder


@pytest.mark.slow
def test_every_module_that_a_stage_imports_moves_its_key(copy):
    """Each file in turn is changed and put back."""
    codes = sorted(set(STAGES.values()))
    files = {code: imported_files(code[0], drawing=code[1]) for code in codes}
    before = {code: code_hashes(code[0], drawing=code[1]) for code in codes}
    for path in sorted({path for found in files.values() for path in found.values()}):
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        for code in one_that_imports_it_and_one_that_does_not(path, files):
            assert (code_hashes(code[0], drawing=code[1]) != before[code]) == (path in files[code].values()), path
        path.write_bytes(content)


def one_that_imports_it_and_one_that_does_not(path, files):
    by_import = {path in found.values(): code for code, found in files.items()}
    assert True in by_import
    return by_import.values()


@pytest.mark.parametrize(
    ("stage", "modules"),
    {
        "rare_events/initial": "smd.hook hooks.loader oracle.hook label.worker data.extxyz lammps.process "
        "active_learning.shared.tasks",
        "rare_events/train": "geometry.neighbor_graph evaluation.gate.checks data.dataset_file "
        "training.worker training.features model.fused_module model.ops",
        "rare_events/explore": "smd.hook hooks.loader active_learning.sampling.lammps_input lammps.dump "
        "lammps.process lammps.plugin_folder",
        "rare_events/select": "active_learning.selection.similarity data.extxyz geometry.neighbor_graph",
        "rare_events/label": "label.workers oracle.lammps_oracle oracle.calculation data.hashes evaluation.prediction",
        "rare_events/report": "active_learning.report.html active_learning.report.activation_energy",
        "distillation/sample": "momt.hook momt.schedule hooks.state active_learning.sampling.results "
        "lammps.process oracle.hook",
        "distillation/select": "active_learning.selection.environment active_learning.selection.grid "
        "active_learning.selection.similarity",
        "distillation/label": "label.store geometry.lammps_box",
        "distillation/train": "geometry.neighbor_graph lammps.single_point evaluation.relax training.member "
        "model.build",
        "translation/train": "training.split evaluation.gate.differences model.archive",
    }.items(),
)
def test_what_a_stage_runs_on_is_found(stage, modules):
    """Imports of imports, names that packages pass on, workers started by name, and what LAMMPS imports."""
    code, drawing = STAGES[stage]
    found = imported_files(code, drawing=drawing)
    assert {f"nnpal.{module}" for module in modules.split()} <= found.keys()
    assert "nnpal/_plugins/libnnpal_ops.so" in found
    for template in ("page.css", "page.html.j2"):
        has_template = f"nnpal/active_learning/report/templates/{template}" in found
        assert has_template == ("nnpal.active_learning.report.html" in found)
    assert "nnpal.doctor.diagnosis" not in found
    assert "nnpal.cli.app" not in found


def test_drawing_counts_for_pages_alone():
    files = {name: set(imported_files(code, drawing=drawing)) for name, (code, drawing) in STAGES.items()}
    assert len(PAGES) == 3
    for name in STAGES:
        package = {module for module in files[name] if module.startswith("nnpal.active_learning.report.")}
        assert bool(package) == (name in PAGES), name
    for name in set(STAGES) - PAGES:
        everything = imported_files(STAGES[name][0])
        left_out = {module for module in everything if module not in files[name] and draws(everything[module])}
        assert left_out <= ONLY_DRAW, name
        assert bool(left_out) == ("nnpal.training.parity" in files[name]), name


def test_first_data_do_not_depend_on_what_learns_from_them():
    for name in ("rare_events/initial", "distillation/sample"):
        code, drawing = STAGES[name]
        found = imported_files(code, drawing=drawing)
        assert "nnpal.active_learning.shared.train_ensemble" not in found, name
        assert not {f"nnpal.active_learning.selection.{m}" for m in ("classes", "similarity", "threshold")} & set(found)


def test_a_change_of_drawing_moves_the_key_of_pages_alone(copy):
    for changed in ("figures/style.py", "active_learning/report/templates/page.css", "figures/parity.py"):
        before = {name: code_hashes(code, drawing=drawing) for name, (code, drawing) in STAGES.items()}
        with (copy / changed).open("a") as file:
            file.write("/* another color */\n" if changed.endswith("css") else "# another color\n")
        after = {name: code_hashes(code, drawing=drawing) for name, (code, drawing) in STAGES.items()}
        moved = {name for name in STAGES if before[name] != after[name]}
        assert moved, changed
        assert moved <= PAGES, changed


def test_what_packages_import_beside_the_name_that_is_taken_does_not_come_along(tmp_path, monkeypatch):
    sources = {
        "__init__.py": "raise RuntimeError('not to be imported')\n",
        "work.py": "from . import tools\nfrom .tools import hammer as mallet\ndef later():\n    import parcel.late\n",
        "tools/__init__.py": "'''parcel.unused'''\nfrom parcel.tools.hammer import hammer\nfrom .saw import saw\n",
        "tools/hammer.py": "command = 'python -m parcel.worker'\n",
        "tools/saw.py": "",
        "late.py": "import json\n",
        "worker.py": "",
        "unused.py": "",
    }
    for name, text in sources.items():
        path = tmp_path / "parcel" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = set(imported_files(["parcel.work"]))
    assert found >= {"parcel.work", "parcel.tools", "parcel.tools.hammer", "parcel.late", "parcel.worker"}
    assert "parcel.unused" not in found
    (tmp_path / "parcel/work.py").write_text("from .tools import hammer\n")
    assert set(imported_files(["parcel.work"])) == {"parcel.work", "parcel.tools.hammer", "parcel.worker"}
