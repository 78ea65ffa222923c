"""What LAMMPS says to cite where a script uses the style: the log, and the file of `-cite`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lmp_runner import run_lmp
from torchani_reference import ExportedModel

ROOT = Path(__file__).parents[2]
DOIS = ("10.1021/acs.jcim.0c00451", "10.1039/D3DD00216K", "10.48550/arXiv.2311.05407")
SCRIPT = """
units metal
lattice fcc 4.05
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 26.982
pair_style nnp {model}
pair_coeff * * Al
run 0
"""


def test_the_style_is_cited_in_full_in_the_file_and_in_a_line_of_the_log(al_model: ExportedModel, tmp_path: Path):
    run = run_lmp(SCRIPT.format(model=al_model.path), tmp_path, args=("-cite", "log.cite"))
    assert run.returncode == 0, run.text
    text = (tmp_path / "log.cite").read_text()
    assert re.findall(r"@(\w+)\{(\w+),", text) == [
        ("Misc", "nnpal"),
        ("Article", "TorchANI2020"),
        ("Article", "JungRareEvents2024"),
        ("Misc", "JungDistillation2023"),
    ]
    (line,) = [line for line in run.text.splitlines() if line.startswith("- pair_style nnp")]
    for doi in DOIS:
        assert f"{{{doi}}}" in text
        assert doi in line


def test_nothing_is_cited_where_the_user_wants_none(al_model: ExportedModel, tmp_path: Path):
    run = run_lmp(SCRIPT.format(model=al_model.path), tmp_path, args=("-nocite",))
    assert run.returncode == 0, run.text
    assert "pair_style nnp (nnpal" not in run.text


@pytest.mark.parametrize("doi", DOIS)
def test_the_citation_file_names_the_same_works(doi: str):
    assert doi in (ROOT / "CITATION.cff").read_text()
