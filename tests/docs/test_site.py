"""The documentation site: it builds without a warning, holds every page, and its picture is its script's."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import nnpal
from doc_blocks import ROOT
from nnpal_commands import ROOT_COMMAND
from processes import run

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a broken link, or a page in no table of contents, is an error."""
    folder = tmp_path_factory.mktemp("site")
    options = ("-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "doctrees"))
    done = run([sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return folder / "html"


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in (*DOCS.glob("*.md"), *DOCS.glob("api/*.rst"))}
    assert len(pages) > 40
    assert [page for page in pages if not (site / page).is_file()] == []
    assert (site / "search.html").is_file()
    index = (site / "searchindex.js").read_text()
    assert "uq_force" in index


def test_commands_and_keys_are_there(site: Path) -> None:
    commands = (site / "generated" / "commands.html").read_text()
    assert [name for name in ROOT_COMMAND.commands if f">nnpal {name}" not in commands] == []
    keys = (site / "generated" / "toml.html").read_text()
    assert all(f"<code class=\"docutils literal notranslate\"><span class=\"pre\">{key}<" in keys for key in (
        "updates", "commands", "first_steps", "min_distance"
    ))  # fmt: skip


def test_public_names_are_there(site: Path) -> None:
    text = (site / "api" / "index.html").read_text()
    assert [name for name in nnpal.__all__ if name != "__version__" and f'id="nnpal.{name}"' not in text] == []
    assert "&gt;&gt;&gt;" in text  # examples
    assert "NDArray[float64]" in re.sub(r"<[^>]+>", "", (site / "api" / "smd.html").read_text())


def test_equations_and_pictures_are_there(site: Path) -> None:
    assert len(re.findall(r'<div class="math', (site / "theory.html").read_text())) >= 10
    gallery = (site / "gallery.html").read_text()
    drawn = [path.name for path in (DOCS / "figures").glob("*.png")]
    assert [name for name in drawn if f"_images/{name}" not in gallery] == []


def test_the_workflow_is_drawn_by_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    script = importlib.import_module("workflow_figure")
    assert (DOCS / "figures" / "workflow.svg").read_text() == script.figure(), "run: python docs/workflow_figure.py"


@pytest.mark.parametrize("path", sorted(DOCS.glob("tutorial_*.md")), ids=lambda path: path.name)
def test_every_tutorial_has_a_picture(path: Path) -> None:
    pictures = re.findall(r"^!\[[^\]]+\]\((.+?)\)$", path.read_text(), re.M)
    assert pictures
    assert all((DOCS / picture).is_file() for picture in pictures)


def test_figures_of_tutorials_are_of_the_tables_of_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    script = importlib.import_module("tutorial_figures")
    (axes,) = script.draw_rare_events().axes
    bars = axes.containers[0]
    learned, errors, half = script.errors_of_the_demo()
    assert len(learned) == 4
    np.testing.assert_array_equal(bars.lines[0].get_ydata(), errors)
    for error, width, row in zip(errors, half, script.table("start.md", "95 % interval"), strict=False):
        low, high = (script.number(end) for end in row[5].split(" to "))
        assert (low, high) == pytest.approx((error - width, error + width), abs=0.011)  # of rounding to 0.01
    (axes,) = script.draw_fine_tuning().axes
    assert [bar.get_width() for bar in axes.patches] == [
        script.number(row[3]) for row in script.table("tutorial_fine_tuning.md", "GFN2-xTB.*meV/Å")
    ]


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("|F_im - mean F| is a norm*", r"\|F_im - mean F\| is a norm\*"),
        ("the file `momt.h5` and ``x*y``", "the file ``momt.h5`` and ``x*y``"),
        ("see :func:`nnpal.predict`, mean_", r"see :func:`nnpal.predict`, mean\_"),
        ("    *works: eV", "    *works: eV"),
        ("- item*", "- item*"),
    ],
)
def test_signs_of_docstrings_are_no_markup(line: str, escaped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    docstrings = importlib.import_module("docstrings")
    lines = [line, "E_m = a*b::", "", "    a | b*c"]
    docstrings.escape(None, "function", "name", None, None, lines)
    assert lines == [escaped, "E_m = a*b::", "", "    a | b*c"]


def test_attributes_and_signatures_read_as_in_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    docstrings = importlib.import_module("docstrings")
    lines = ["What LAMMPS tallies: the virial.", "", "Units: bar"]
    docstrings.escape(None, "property", "name", None, None, lines)
    assert lines == ["What LAMMPS tallies – the virial.", "", "Units: bar"]
    array = "~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~numpy.float64]]"
    found = docstrings.shorten(None, "class", "name", None, None, f"(x: {array} = <factory>)", None)
    assert found == ("(x: NDArray[float64] = ...)", None)
