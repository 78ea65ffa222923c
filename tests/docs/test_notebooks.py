"""The notebooks run, print what is stored in them, and leave the folder that two docstrings' examples begin from."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
import torch

import nnpal
from doc_blocks import ROOT
from notebooks import n_pictures, printed, run_notebook

NOTEBOOK = ROOT / "docs" / "notebooks" / "data_to_figure.ipynb"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; what a notebook sets in this process is set back."""
    n_threads, backend = torch.get_num_threads(), matplotlib.get_backend()
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.set_num_threads(n_threads)
    matplotlib.use(backend)


def test_notebook_runs_and_gives_what_is_stored(folder: Path) -> None:
    stored = json.loads(NOTEBOOK.read_text())
    found = run_notebook(NOTEBOOK)
    assert printed(found) == printed(stored), "run: python docs/run_notebooks.py"
    assert n_pictures(found) == n_pictures(stored) == 1
    assert (folder / "forces.png").stat().st_size > 10_000
    # examples of docstrings that go on from here: everything is known, and nothing is computed again
    for name in ("label_frames", "train_ensemble"):
        test = doctest.DocTestParser().get_doctest(getattr(nnpal, name).__doc__, {}, f"nnpal.{name}", None, None)
        said: list[str] = []
        doctest.DocTestRunner().run(test, out=said.append)
        assert test.examples
        assert said == []
