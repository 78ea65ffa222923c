"""The Python of README and docs runs, the blocks of a page one after the other, on small files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from doc_blocks import ROOT, Block, blocks
from doc_pages import SET_UP, shaken
from ensembles import charged_ensemble, dispersive_ensemble, one_element_ensemble, organic_ensemble, repulsive_ensemble
from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.hooks import HookError

# What other tests run. (page, how the block begins): which
ELSEWHERE = {
    ("custom_modules.md", "import torch"): "tests/lammps/test_custom_modules.py",
    ("mace.md", "from nnpal.model.adapters"): "tests/model/test_mace.py",
    ("momt.md", "import numpy as np\nfrom nnpal.momt import"): "tests/momt/test_momt_report.py",
    ("momt.md", "from nnpal.momt.reweighting import members_averages"): "tests/momt/test_momt_report.py",
    ("compiled_models.md", "from nnpal.model import compile_model"): "tests/model/test_compiled_files.py",
    ("training.md", "from pathlib import Path"): "tests/training/test_training_page.py",
    ("hooks.md", '"""A custom hook'): "tests/lammps/test_input_scripts_hooks.py",
    ("tutorial_fine_tuning.md", '"""Sample three'): "tests/training/test_tutorial_fine_tuning.py",
    ("tutorial_fine_tuning.md", "import torchani"): "tests/training/test_tutorial_fine_tuning.py",
    ("tutorial_rare_events.md", "from ase.io import read"): "tests/loops/test_docs_of_loops.py",
}
# (page, how the block begins): the error that the page says it raises
RAISES = {("hooks.md", "from nnpal.hooks import HookError"): HookError}


def entry(table: dict[tuple[str, str], Any], block: Block) -> Any:
    return next((x for (page, start), x in table.items() if page == block.page and block.text.startswith(start)), None)


def model_page() -> dict[str, Any]:
    return {"model": one_element_ensemble("Al", 2)}


def export_page() -> dict[str, Any]:
    atoms = shaken("Al", 1)[0]
    graph = neighbor_graph(atoms.positions, atoms.cell.array, atoms.pbc, np.zeros(len(atoms)), 6.9)
    single = {"edge_vec": graph.edge_vec.to(torch.float32)}
    return {**model_page(), **vars(graph), **single}


def label_page() -> dict[str, Any]:
    return {"frames": shaken("Al", 2)}


NAMES: dict[str, Callable[[], dict[str, Any]]] = {
    "README.md": model_page,
    "export.md": export_page,
    "label.md": label_page,
}
"""What a page takes for granted."""

PUBLISHED = {
    "ANI1x": lambda: organic_ensemble(("H", "O"), 2),
    "ANI1ccx": lambda: organic_ensemble(("H", "O"), 1),
    "ANI2x": lambda: organic_ensemble(("H", "C", "N", "O"), 2),
    "ANI1xnr": lambda: organic_ensemble(("H", "O"), 1),
    "ANI2xr": lambda: repulsive_ensemble(("H", "O"), 2),
    "ANIr2s": lambda: repulsive_ensemble(("H", "O"), 1, cutoff=math.inf),
    "SnnANI2xr": lambda: repulsive_ensemble(("H", "O"), 1),
    "ANImbis": lambda: charged_ensemble(("H", "O"), 1),
    "ANI2dr": lambda: dispersive_ensemble(("H", "O"), 1),
}
"""What stands for a model of torchani.models."""

PAGES = sorted({block.page for block in blocks("python") if entry(ELSEWHERE, block) is None})


def test_blocks_that_other_tests_run_are_there():
    for (page, start), path in ELSEWHERE.items():
        assert any(block.text.startswith(start) for block in blocks("python", page)), f"{page}: {start}: gone"
        assert page in (ROOT / path).read_text(), f"{path} does not read {page}"


@pytest.fixture
def threads() -> Iterator[None]:
    """Give torch its number of threads back, which a page may set."""
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("page", PAGES)
def test_python_of_the_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    SET_UP.get(page, lambda folder: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    # Published weights are not fetched, and 8 members take long; test_published_models.py exports those forms
    for name, build in PUBLISHED.items():
        monkeypatch.setattr(f"torchani.models.{name}", build)
    names = {"__name__": page, **NAMES.get(page, dict)()}
    for block in blocks("python", page):
        if entry(ELSEWHERE, block):
            continue
        code = compile(block.text, str(block), "exec")
        if error := entry(RAISES, block):
            with pytest.raises(error):
                exec(code, names)
        else:
            exec(code, names)
