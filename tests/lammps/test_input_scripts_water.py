"""The molecular script of lammps_inputs/: water in real units, with bonds or without."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp, LmpRun, read_dump
from lmp_systems import System
from torchani_reference import ExportedModel, evaluate

INPUTS = Path(__file__).parents[2] / "lammps_inputs"
KCAL_PER_EV = 23.060549
N_CELLS = 2
SINGLE = 1e-5  # of an atom's energy of some eV, in single precision; see test_input_scripts.py


def run_script(lmp: Lmp, model: ExportedModel, style: str, **variables: object) -> LmpRun:
    """Run in.water_nnp unchanged, on eight molecules."""
    shutil.copy(INPUTS / f"water.{style}.molecule", lmp.folder)
    values = {"model": model.path, "cells": N_CELLS, "style": style, "steps": 4, "every": 2, "relax": 2, **variables}
    args = [word for key, value in values.items() for word in ("-var", key, str(value))]
    return lmp((INPUTS / "in.water_nnp").read_text(), args=tuple(args))


def thermo(run: LmpRun) -> dict[str, np.ndarray]:
    """Read the last table: column name -> values [n_rows]."""
    names, *lines = re.findall(r"^ +Step .*?(?=^Loop time)", run.text, re.M | re.S)[-1].splitlines()
    rows = [[float(word) for word in line.split()] for line in lines if line.startswith(" ")]
    return dict(zip(names.split(), np.array(rows).T, strict=True))


@pytest.fixture
def runs(lmp: Lmp, hcno_model: ExportedModel) -> dict[str, LmpRun]:
    """By style; the files that are left are of the last one."""
    return {style: run_script(lmp, hcno_model, style) for style in ("atomic", "full")}


def test_both_styles_give_the_models_water(runs: dict[str, LmpRun], hcno_model: ExportedModel) -> None:
    text = (INPUTS / "in.water_nnp").read_text()
    assert re.search(r"^#\s+lmp -in in\.water_nnp\b", text, re.M)
    tables = {style: thermo(run) for style, run in runs.items()}
    for run in runs.values():
        assert "WARNING" not in run.text
    assert tables["full"]["Step"].tolist() == [0, 2, 4]
    for name, values in tables["full"].items():  # bonds change nothing
        np.testing.assert_allclose(tables["atomic"][name], values, rtol=1e-6, err_msg=name)
    (lmp_folder,) = {run.folder for run in runs.values()}
    assert re.search(rf"^{2 * N_CELLS**3} bonds$", (lmp_folder / "water.data").read_text(), re.M)
    frame = read_dump(lmp_folder / "water.lammpstrj")[-1]
    side = 3.107 * N_CELLS
    system = System(("O", "H"), frame["type"].astype(int), frame.positions, side * np.eye(3))
    assert np.bincount(system.types).tolist() == [0, N_CELLS**3, 2 * N_CELLS**3]
    expected = evaluate(hcno_model.model, system)
    # the dump has 6 digits of positions
    potential = tables["full"]["PotEng"][-1] / KCAL_PER_EV
    np.testing.assert_allclose(potential, expected.energy, rtol=0, atol=24 * 5 * SINGLE)
    np.testing.assert_allclose(frame["f_uq[1]"] / KCAL_PER_EV, expected.uq_energy, rtol=1e-4)
    np.testing.assert_allclose(frame["f_uq[2]"] / KCAL_PER_EV, expected.uq_force, rtol=1e-3)
    np.testing.assert_allclose(tables["full"]["c_uq[4]"][-1], frame["f_uq[2]"].max(), rtol=1e-5)
