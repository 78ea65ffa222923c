"""docs/tutorial_first_principles.md: its files are those of docs/examples, its options those of the calculator."""

from __future__ import annotations

import re

import pytest

from doc_blocks import ROOT, blocks
from nnpal.active_learning.config import read_run_config

PAGE = "tutorial_first_principles.md"
FILES = ROOT / "docs" / "examples" / "first_principles"


def test_files_of_the_page_are_the_examples() -> None:
    (toml,) = blocks("toml", PAGE)
    assert toml.text.strip() == (FILES / "ethane.toml").read_text().strip()
    assert any(block.text.strip() == (FILES / "ethane.xyz").read_text().strip() for block in blocks("text", PAGE))
    assert read_run_config(FILES / "ethane.toml").oracle.kind == "ase"


def test_every_option_is_described() -> None:
    pytest.importorskip("pyscf")
    from nnpal.oracle.pyscf_calculator import UnrestrictedPySCF

    table = (ROOT / "docs" / PAGE).read_text().partition("| option | meaning |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(UnrestrictedPySCF.default_parameters)
