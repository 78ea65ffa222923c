"""The example of custom_modules.md: trained, exported, run in LAMMPS on one and two ranks, calibrated, evaluated."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from custom_modules import Embedded, Pairs
from doc_blocks import blocks, commands_of
from doc_pages import shaken
from lmp_runner import run_lmp
from nnpal import export_module, load_model
from nnpal.data import write_dataset
from nnpal.evaluation.gate import check_export
from nnpal.model.member_networks import NotMembersError, read_networks
from nnpal_commands import run_line

PAGE = "custom_modules.md"
N_MEMBERS = 5


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's Python ran, with one epoch in place of its 20."""
    folder = tmp_path_factory.mktemp("example")
    (block,) = blocks("python", PAGE)
    assert "range(20)" in block.text
    (folder / "custom_modules_page.py").write_text(block.text.replace("range(20)", "range(1)"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        importlib.import_module("custom_modules_page")
        patch.delitem(sys.modules, "custom_modules_page")
    return folder


@pytest.mark.mpi
def test_the_lammps_commands_run_on_one_and_two_ranks(example: Path) -> None:
    (block,) = blocks("lammps", PAGE)
    assert "run          100" in block.text
    script = block.text.replace("run          100", "thermo_modify line yaml format float %.12g\nrun 2")
    runs = [run_lmp(script.replace("thermo       10", "thermo 1"), example, n_ranks=ranks) for ranks in (1, 2)]
    for run in runs:
        assert run.returncode == 0, run.text[-3000:]
    one, two = (run.thermo[-1] for run in runs)
    assert one["c_worst"][0] > 0
    for column in ("Temp", "PotEng", "Press", "c_uq[1]", "c_worst"):
        np.testing.assert_allclose(one[column], two[column], rtol=1e-4, err_msg=column)  # single precision


def test_the_commands_run(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration, evaluation and information of such a file."""
    monkeypatch.chdir(example)
    write_dataset(example / "held_out.h5", shaken("Al", 6), provenance={})
    (block,) = blocks("sh", PAGE)
    printed = [run_line(command) for command in commands_of(block)]
    assert "Wrote alni.nnp.pt" in printed[0]
    metadata = load_model(example / "alni.nnp.pt").metadata
    assert (metadata.n_members, metadata.hops, metadata.kind) == (N_MEMBERS, 2, "module")
    assert metadata.calibration is not None
    assert "error" in printed[1]
    assert "halo" in printed[2]


def test_no_training_starts_from_such_a_file(example: Path) -> None:
    with pytest.raises(NotMembersError, match=r"custom modules.*nnpal does not know how to train"):
        read_networks(example / "alni.nnp.pt")


def nickel(size: tuple[int, int, int]) -> Atoms:
    atoms = bulk("Ni", cubic=True) * size
    atoms.symbols[1] = "Nb"
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.mpi
def test_the_gate_compares_ranks(tmp_path: Path) -> None:
    """Members of different classes, in a cell that two ranks share and of two atoms alone."""
    path = export_module(
        [Pairs(2, 4.0, rounds=2), Embedded(4.0)], tmp_path / "m.pt", elements=["Ni", "Nb"], cutoff=4.0, hops=2
    )
    frames = [nickel((3, 3, 3)), Atoms("NiNb", [[0, 0, 0], [1.0, 1.5, 0.5]])]
    report = check_export(path, frames, launch=("mpirun", "-np", "2"))
    places = {check.name for check in report.checks if check.name.startswith("forces in")}
    assert places == {
        f"forces in LAMMPS{under} and Python, {precision} precision"
        for under in ("", " under mpirun -np 2")
        for precision in ("double", "single")
    }
