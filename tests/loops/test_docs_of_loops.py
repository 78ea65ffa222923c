"""docs/loop.md, docs/cluster.md and docs/tutorial_rare_events.md, run on a short loop in place of one of minutes."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

from doc_blocks import blocks, commands_of
from lmp_runner import run_lmp
from nnpal import run_loop
from nnpal_commands import run_line

pytestmark = pytest.mark.slow  # commands of whole loops

INSTALLS = ("python -m venv", "pip install", "nnpal doctor")
# What the page's loop has and the short one has otherwise
SHORT = {
    "rate-4-run-0": "rate-20-run-0",
    "iter-0003": "iter-0001",
    "--temperature 10": "--temperature 50",
    "* * C H": "* * H O",
    "run          4000": "run          2",
}


def short(text: str) -> str:
    for printed, here in SHORT.items():
        text = text.replace(printed, here)
    return text


@pytest.fixture
def folder(rare_events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a copy of the finished loop, its files named as the pages name them."""
    target = tmp_path / "loop"
    shutil.copytree(rare_events, target, symlinks=True)
    shutil.copy(target / "loop.toml", target / "rare_events.toml")
    shutil.copy(target / "water.xyz", target / "butane.xyz")
    monkeypatch.chdir(target)
    return target


@pytest.mark.parametrize("page", ["loop.md", "cluster.md", "tutorial_rare_events.md"])
def test_commands_of_the_page_run(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    n_run = 0
    for block in blocks("sh", page):
        monkeypatch.chdir(folder)
        for command in map(short, commands_of(block)):
            if not command.startswith(INSTALLS):
                run_line(command)
                n_run += 1
    assert n_run > 0
    if page == "tutorial_rare_events.md":
        pull = Path("run/iter-0001/explore/ensemble/rate-20-run-0/rows.txt")
        assert (folder / "by_hand" / "rows.txt").read_bytes() == (folder / pull).read_bytes()


def test_lammps_and_python_of_the_tutorial_run(folder: Path):
    (script,) = blocks("lammps", "tutorial_rare_events.md")
    (code,) = blocks("python", "tutorial_rare_events.md")
    run = run_lmp(short(script.text), folder)
    assert run.returncode == 0, run.text
    assert "Loop time of" in run.text
    exec(compile(code.text, str(code), "exec"), {})


def test_files_that_the_page_lists_are_there(folder: Path):
    (block,) = [block for block in blocks("text", "loop.md") if block.text.startswith("run/")]
    names = re.findall(r"(?:^|\s)(run/\S+)", block.text)
    assert len(names) > 5
    for name in names:
        if name.startswith("run/stale"):  # what --redo puts aside, and nothing is
            continue
        assert (folder / name.replace("STAGE", "train")).exists(), name


def test_example_of_run_loop(folder: Path):
    """The docstring of nnpal.run_loop, on a finished loop: everything is read and nothing repeated."""
    test = doctest.DocTestParser().get_doctest(run_loop.__doc__, {}, "nnpal.run_loop", None, None)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert test.examples
    assert said == []
