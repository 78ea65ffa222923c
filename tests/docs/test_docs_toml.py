"""Every TOML block is a configuration, read as its command reads it; nnpal label runs those of its page."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doc_blocks import Block, blocks
from doc_pages import BUTANE, SET_UP
from nnpal.active_learning.config import RunConfig, read_run_config
from nnpal.active_learning.engine.settings import RunSection
from nnpal.cli.app import app
from nnpal.cli.document import Config, read_config
from nnpal.config import read_toml
from nnpal.data import read_frames

LOOPS = ("rare_events", "distillation", "translation")
# No tables of their own: what they stand in. (page, how the block begins): head
LOOP = """
rare_events = {}
oracle = {kind = "ase", calculator = "tblite.ase:TBLite"}
initial = {structure = "butane.xyz"}
explore = {kind = "smd", structure = "butane.xyz", atoms = [2, 3], rates = [10.0]}
"""
FRAGMENTS = {
    ("label.md", "ladder = "): '[oracle]\nkind = "ase"\n',
    ("loop.md", '[network]\nkind = "schnet"'): LOOP,
    ("loop.md", '[explore]\nkind = "npt"'): """
distillation = {}
oracle = {kind = "lammps", elements = ["Al"], commands = ["pair_style eam/fs"]}
""",
}


def whole(block: Block) -> str:
    head = [text for (page, start), text in FRAGMENTS.items() if page == block.page and block.text.startswith(start)]
    return "".join(head) + block.text


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_block_is_a_configuration(block: Block, tmp_path: Path):
    path = tmp_path / "config.toml"
    text = whole(block)
    path.write_text(text)
    shutil.copy(BUTANE, tmp_path)
    if any(f"[{kind}]" in text or f"{kind} = " in text for kind in LOOPS):
        assert isinstance(read_run_config(path), RunConfig)
    elif block.page == "cluster.md":  # [run] alone
        lines = path.read_text().partition("[run]\n")[2]
        path.write_text(lines)
        assert isinstance(read_toml(path, RunSection), RunSection)
    else:
        assert isinstance(read_config(path), Config)


# docs/label.md: why an example is not run, or how many labels it gives
LABELS = {
    "tblite.ase:TBLite": 1,
    'kind = "lammps"': 9,  # of two crystals and a snapshot, and two copies of each
    "ase.calculators.dftb:Dftb": "needs the program DFTB+ and Slater-Koster files, as the page says",
    "my_oracle:MyOracle": "test_docs_python.py runs its class",
    "ladder = [{ max_iterations": "a fragment",
}


def test_every_example_of_labels_is_known():
    keys = [[key for key in LABELS if key in block.text] for block in blocks("toml", "label.md")]
    assert all(len(found) == 1 for found in keys)
    assert {found[0] for found in keys} == set(LABELS)


@pytest.mark.parametrize("key", [key for key, value in LABELS.items() if isinstance(value, int)])
def test_labels_of_the_page(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (block,) = [block for block in blocks("toml", "label.md") if key in block.text]
    SET_UP["label.md"](tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "workers = 4" in block.text
    Path("config.toml").write_text(block.text.replace("workers = 4", "workers = 1"))
    done = CliRunner().invoke(app, ["label", "config.toml"])
    assert done.exit_code == 0, done.output
    output = read_config("config.toml").label.output
    frames = read_frames(output)
    with closing(sqlite3.connect("labels.sqlite")) as store:
        [[n_stored]] = store.execute("SELECT count(*) FROM labels").fetchall()
    assert len(frames) == n_stored == LABELS[key]


def test_the_fix_that_the_message_names_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that does not state its units: the table in the message goes into the configuration as it stands."""
    (block,) = [block for block in blocks("toml", "label.md") if "tblite.ase:TBLite" in block.text]
    SET_UP["label.md"](tmp_path)
    monkeypatch.chdir(tmp_path)
    text = block.text.replace("workers = 4", "workers = 1")
    table = re.search(r"\{ path = .* \}", text)
    Path("config.toml").write_text(text.replace(table[0], '"butane.xyz"'))
    done = CliRunner().invoke(app, ["label", "config.toml"])
    assert done.exit_code == 1
    fix = re.search(r"\{ path = .*? \}", done.stderr)
    assert fix, done.stderr
    Path("config.toml").write_text(text.replace(table[0], fix[0]))
    done = CliRunner().invoke(app, ["label", "config.toml"])
    assert done.exit_code == 0, done.output
