"""The public names of Python: which they are, that each is described, and that the examples of docstrings run."""

from __future__ import annotations

import doctest
import inspect
import pydoc
import re
import shutil
from pathlib import Path

import pytest

import nnpal
from doc_pages import shaken, smd_page
from ensembles import organic_ensemble
from momt_runs import write_two_phases
from nnpal.data import write_dataset
from public_api import PACKAGES, Item, items, undescribed
from torchani_reference import ExportedModel

EVERY = items()
OFFERED = [item for item in EVERY if re.fullmatch(r"nnpal\.\w+", item.name)]
# What is run elsewhere: loops, labels and trainings take long
ELSEWHERE = {
    "nnpal.run_loop": "tests/loops/test_docs_of_loops.py",
    "nnpal.label_frames": "tests/docs/test_notebooks.py",
    "nnpal.train_ensemble": "tests/docs/test_notebooks.py",
}
SPRINGS = '''
import torch


class Springs(torch.nn.Module):
    """E = sum over edges of (r - 2 Å)^2 (3 Å - r)^3 / 2."""

    def forward(
        self, species: torch.Tensor, n_local: int, edge_index: torch.Tensor, edge_vec: torch.Tensor
    ) -> torch.Tensor:
        r = torch.linalg.vector_norm(edge_vec, dim=1)
        terms = 0.5 * (r - 2.0) ** 2 * (3.0 - r) ** 3
        return torch.zeros(n_local, dtype=r.dtype).index_add(0, edge_index[0], terms)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, al_model: ExportedModel) -> Path:
    """The files that the examples take for granted."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(al_model.path, folder / "al.nnp.pt")
    write_dataset(folder / "labeled.h5", shaken("Al"), provenance={})
    (folder / "springs.py").write_text(SPRINGS)
    smd_page(folder)
    write_two_phases(folder)
    return folder


def test_everything_public_is_described() -> None:
    lacking = {item.name: found for item in EVERY if (found := undescribed(item))}
    assert lacking == {}
    assert len(EVERY) > 300


@pytest.mark.parametrize(
    ("doc", "lacks"),
    [
        ("", ["a docstring"]),
        ("Return it.", ["first", "second"]),
        ("Return it.\n\n    Arguments:\n        first: eV.\n", ["second"]),
        ("Return it.\n\n    Arguments:\n        first, second: eV.\n", []),
    ],
)
def test_what_a_docstring_lacks_is_found(doc: str, lacks: list[str]) -> None:
    def function(first: float, second: float) -> None: ...

    function.__doc__ = doc
    assert undescribed(Item("nnpal.function", function, "function")) == lacks


def test_arrays_say_the_type_of_their_elements() -> None:
    bare = [
        f"{item.name}: {name}"
        for item in EVERY
        for name, annotation in getattr(item.found, "__annotations__", {}).items()
        if re.search(r"np\.ndarray|ndarray\b(?!\[)", str(annotation))
    ]
    assert bare == [], "write NDArray[np.float64]"


def test_docstrings_are_of_one_style() -> None:
    """Google's, as the most of them are; numpydoc's and Sphinx's own would be read as text."""
    other = r"^\s*(Args|Parameters|Examples|Note|Notes|Return|Raise):$|^\s*:(param|return|raises)\b|^\s*-{4,}$"
    root = Path(nnpal.__file__).parent
    found = [
        f"{path.relative_to(root)}: {match[0].strip()}"
        for path in root.rglob("*.py")
        for match in re.finditer(other, path.read_text(), re.M)
    ]
    assert found == []


def test_help_shows_what_is_public() -> None:
    text = pydoc.plain(pydoc.render_doc(nnpal))
    for name in set(nnpal.__all__) - {"__version__"}:
        original = getattr(nnpal, name).__name__
        assert re.search(rf"^    (class )?({name}|{original}|{name} = {original})\(", text, re.M), name
        assert f":func:`{name}`" in nnpal.__doc__ or f":class:`{name}`" in nnpal.__doc__
    for package in PACKAGES[1:]:
        assert f":mod:`{package}`" in nnpal.__doc__, package


@pytest.mark.parametrize("item", OFFERED, ids=lambda item: item.name)
def test_offered_names_say_all(item: Item) -> None:
    """Types, what is returned, what is raised, and an example."""
    signature = inspect.signature(item.found)
    if item.kind == "function":
        assert signature.return_annotation is not inspect.Signature.empty
        assert item.doc.startswith("Return ") or "Returns" in item.sections
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
    assert "Raises" in item.sections or item.name in NOTHING_RAISED
    assert ">>> " in item.sections["Example"]


NOTHING_RAISED = {"nnpal.activation_energy", "nnpal.mean_activation_energy"}
"""Of what reads have checked."""


@pytest.mark.parametrize("item", [i for i in OFFERED if i.name not in ELSEWHERE], ids=lambda item: item.name)
def test_example_runs(item: Item, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    # published weights are not fetched
    monkeypatch.setattr("torchani.models.ANI2x", lambda: organic_ensemble(("H", "O"), 2))
    test = doctest.DocTestParser().get_doctest(item.doc, {}, item.name, None, None)
    assert test.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert said == []


def test_examples_run_elsewhere_are_read_there() -> None:
    for name, path in ELSEWHERE.items():
        assert name.partition(".")[2] in (Path(__file__).parents[2] / path).read_text()
