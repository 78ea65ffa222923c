"""in.smd_butane and in.smd_nnp run in short form and do what their first lines promise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp, read_dump
from nnpal.smd import read_pull
from torchani_reference import ExportedModel

INPUTS = Path(__file__).parents[2] / "lammps_inputs"


def run_script(lmp: Lmp, name: str, **variables: object) -> str:
    """Run a script of lammps_inputs/ unchanged."""
    text = (INPUTS / name).read_text()
    assert re.search(rf"^#\s+lmp -in {re.escape(name)}\b", text, re.M)
    args = [word for key, value in variables.items() for word in ("-var", key, str(value))]
    run = lmp(text, args=tuple(args))
    assert "WARNING" not in run.text
    return run.text


def test_butane_is_pulled_by_the_oracle(lmp: Lmp) -> None:
    pytest.importorskip("tblite")
    run_script(lmp, "in.smd_butane", hold=20, length=0.02, every=2, rate=2.0)
    pull = read_pull(lmp.folder / "pull.txt")
    # 0.02 Å at 2 Å/ps in steps of 0.25 fs
    assert pull.step.tolist() == list(range(20, 61, 2))
    np.testing.assert_allclose(pull.target, 3.9 + 0.001 * np.arange(21), rtol=1e-12)
    np.testing.assert_allclose(pull.force, 20.0 * (pull.target - pull.d), rtol=1e-12)
    assert pull.facts["pulled"] == "atoms 1 4"
    frame = read_dump(lmp.folder / "smd_butane.lammpstrj")[-1]
    bonds = np.linalg.norm(np.diff(frame.positions[:4], axis=0), axis=1)
    assert np.all(np.abs(bonds - 1.53) < 0.2)  # the carbons of atoms 1 to 4 are bonded in a row


def test_aluminum_is_pulled_under_the_nnp(lmp: Lmp, al_model: ExportedModel) -> None:
    # a model of random weights makes nothing fly apart within these few steps
    text = run_script(lmp, "in.smd_nnp", model=al_model.path, melt=5, length=0.02, rate=1.0, every=5, hot=300)
    pull = read_pull(lmp.folder / "pull.txt")
    assert pull.step.tolist() == [10, 15, 20]
    np.testing.assert_allclose(pull.target, 2.8 + 0.01 * np.arange(3), rtol=1e-12)
    assert 2.7 < pull.d[0] < 3.1  # neighbors of the crystal, 4.25/sqrt(2) = 3.005, drawn to 2.8
    last = re.findall(r"^ +20 .*$", text, re.M)[-1].split()
    assert float(last[-1]) > 0.0  # the uncertainty
