"""The script "in.error_stop" does what its first lines promise: it prints, dumps and halts on error_force."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp, LmpRun
from torchani_reference import ExportedModel

TEXT = (Path(__file__).parents[2] / "lammps_inputs/in.error_stop").read_text()


def run_script(lmp: Lmp, model: ExportedModel, *, n_ranks: int = 1, **variables: object) -> LmpRun:
    """Run it unchanged, on a small cell, with output every 5 steps."""
    values = {"model": model.path, "cells": 2, "every": 5, "steps": 60, **variables}
    args = [word for name, value in values.items() for word in ("-var", name, str(value))]
    return lmp(TEXT, n_ranks=n_ranks, args=tuple(args))


def thermo(run: LmpRun) -> dict[str, np.ndarray]:
    """Read the last thermo table that the script prints."""
    names, *lines = re.findall(r"^ +Step .*?(?=^Loop time)", run.text, re.M | re.S)[-1].splitlines()
    rows = [[float(word) for word in line.split()] for line in lines if line.startswith(" ")]
    return dict(zip(names.split(), np.array(rows).T, strict=True))


@pytest.mark.mpi
def test_error_stop_ends_at_the_first_step_above_the_threshold(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    free = thermo(run_script(lmp, calibrated_al, threshold=1e6))
    values = free["v_error_force"]
    assert free["Step"][-1] == 60
    assert np.isfinite(free["c_c[6]"]).all()
    gaps = values[1:] - np.maximum.accumulate(values)[:-1]
    first = int(np.argmax(gaps)) + 1
    assert gaps[first - 1] > 1e-3  # float32 gives 1e-5
    threshold = values[first] - gaps[first - 1] / 2

    run = run_script(lmp, calibrated_al, n_ranks=2, threshold=threshold)
    stopped = thermo(run)
    assert stopped["Step"][-1] == free["Step"][first] < 60
    assert stopped["v_error_force"][-1] > threshold
    assert f"ended at step {int(free['Step'][first])} with" in run.text
    for frame, largest in zip(
        run.dump("error_stop.lammpstrj")[-len(stopped["Step"]) :], stopped["v_error_force"], strict=True
    ):
        np.testing.assert_allclose(frame["f_err"].max(), largest, rtol=1e-5)  # dumps keep 6 digits
    assert (lmp.folder / "error_stop.restart").is_file()


def test_error_stop_looks_at_the_first_configuration(lmp: Lmp, calibrated_al: ExportedModel) -> None:
    run = run_script(lmp, calibrated_al, threshold=1e-12)
    np.testing.assert_array_equal(thermo(run)["Step"], [0])
    assert (lmp.folder / "error_stop.data").is_file()


def test_error_stop_wants_a_calibrated_model(lmp: Lmp, al_model: ExportedModel) -> None:
    text = TEXT.replace("index al.nnp.pt", f"index {al_model.path}")
    lmp.expect_error(text, "holds no calibration; train it", ranks=(1,))
