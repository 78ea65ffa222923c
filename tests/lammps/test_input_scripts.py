"""Every script in lammps_inputs/ runs as it stands and does what its first lines promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from lmp_runner import Lmp, LmpRun, read_dump
from lmp_systems import System, fcc
from torchani_reference import ExportedModel, evaluate

INPUTS = Path(__file__).parents[2] / "lammps_inputs"

# The model computes in float32: 1e-5 of an atom's energy (some eV) or force (some eV/Å), as in
# test_agreement.py. The scripts print 8 digits, so 5e-8 of what they print.
SINGLE = 1e-5
PRINTED = 1e-7

N_CELLS = 2  # fcc cells along each edge: 32 atoms in a box shorter than cutoff and skin together
CRYSTAL = fcc("Al", 4.05, N_CELLS, jiggle=0.0)
TOTAL_ENERGY = {"atol": len(CRYSTAL.types) * SINGLE, "rtol": PRINTED}


@dataclass(frozen=True)
class Promise:
    """What a script leaves behind.

    Attributes:
        files: names of files, for a run of 20 steps.
        n_ranks: how many ranks its first lines tell the user to take, 2 standing for several.
        after: the script that must have run before.
        variables: settings that suit a model of random weights.
    """

    files: tuple[str, ...]
    n_ranks: int = 1
    after: str = ""
    variables: tuple[tuple[str, float], ...] = ()


PROMISES = {
    "in.npt": Promise(("npt.data",)),
    "in.mpi_production": Promise(("production.20.restart", "production.0.lammpstrj"), n_ranks=2),
    "in.mpi_continue": Promise(("production.20.restart",), n_ranks=2, after="in.mpi_production"),
    "in.uq_stop": Promise(("uq_stop.restart", "uq_stop.data"), variables=(("threshold", 1e6),)),
    "in.uq_dump": Promise(("relabel.lammpstrj", "uncertain_atoms.lammpstrj"), variables=(("threshold", 0.0),)),
    "in.few_members": Promise(("few_members.data",)),
}


def run_script(lmp: Lmp, name: str, model: ExportedModel, *, n_ranks: int = 1, **variables: object) -> LmpRun:
    """Run a script of lammps_inputs/ unchanged, on a small cell, with output every 5 steps."""
    values = {"model": model.path, "cells": N_CELLS, "every": 5, **variables}
    args = [word for key, value in values.items() for word in ("-var", key, str(value))]
    return lmp((INPUTS / name).read_text(), n_ranks=n_ranks, args=tuple(args))


def thermo(run: LmpRun) -> dict[str, np.ndarray]:
    """Read the last thermo table that the script prints: column name -> values [n_rows]."""
    tables = re.findall(r"^ +Step .*?(?=^Loop time)", run.text, re.M | re.S)
    assert tables, f"no thermo output in:\n{run.text}"
    names, *lines = tables[-1].splitlines()
    rows = [[float(word) for word in line.split()] for line in lines if line.startswith(" ")]
    return dict(zip(names.split(), np.array(rows).T, strict=True))


def relabel_frames(run: LmpRun) -> dict[int, Atoms]:
    """Read what in.uq_dump keeps for relabeling, by the reader that a labeling code would use."""
    frames = read(run.folder / "relabel.lammpstrj", index=":", format="lammps-dump-text")
    return {frame.info["timestep"]: frame for frame in frames}


def test_every_script_is_run_by_a_test() -> None:
    """Here, or in a file of its subject beside this one."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_input_scripts*.py"))
    scripts = {path.name for path in INPUTS.glob("in.*")}
    assert scripts >= set(PROMISES)
    assert {name for name in scripts if f'"{name}"' not in tests} == set()


@pytest.mark.mpi
@pytest.mark.parametrize("name", PROMISES)
def test_runs_as_its_first_lines_say(lmp: Lmp, al_model: ExportedModel, name: str) -> None:
    promise = PROMISES[name]
    text = (INPUTS / name).read_text()
    assert re.search(rf"^#\s+(mpirun -np \d+ )?lmp -in {re.escape(name)}\b", text, re.M)
    if promise.after:
        steps = {"steps": 10, "restart_every": 10}
        run_script(lmp, promise.after, al_model, n_ranks=promise.n_ranks, **steps)
    variables = dict(promise.variables)
    run = run_script(lmp, name, al_model, n_ranks=promise.n_ranks, steps=20, **variables)
    assert thermo(run)["Step"][-1] == 20
    assert "WARNING" not in run.text
    for file in promise.files:
        assert (lmp.folder / file).stat().st_size > 0


def test_npt_starts_from_the_models_energy_and_moves_the_box(lmp: Lmp, al_model: ExportedModel) -> None:
    table = thermo(run_script(lmp, "in.npt", al_model, steps=20))
    expected = evaluate(al_model.model, CRYSTAL)
    np.testing.assert_allclose(table["PotEng"][0], expected.energy, **TOTAL_ENERGY)
    np.testing.assert_allclose(table["c_uq[1]"][0], expected.uq_energy.max(), atol=SINGLE)
    assert np.all(np.isfinite(table["c_uq[4]"]))
    assert np.all(table["c_uq[4]"][1:] > 0.0)
    assert abs(table["Volume"][-1] - table["Volume"][0]) > 1e-3  # Å^3; printed to 1e-5
    data = (lmp.folder / "npt.data").read_text()
    assert f"{len(CRYSTAL.types)} atoms" in data
    assert "Velocities" in data


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_continuing_repeats_the_uninterrupted_run(lmp: Lmp, al_model: ExportedModel, n_ranks: int) -> None:
    whole_run = run_script(lmp, "in.mpi_production", al_model, n_ranks=2, steps=40, restart_every=20)
    (lmp.folder / "production.40.restart").unlink()
    part_run = run_script(lmp, "in.mpi_continue", al_model, n_ranks=n_ranks, steps=40, restart_every=20)
    whole, part = thermo(whole_run), thermo(part_run)
    second_half = whole["Step"] >= 20
    np.testing.assert_array_equal(part["Step"], whole["Step"][second_half])
    for name in ("PotEng", "TotEng"):
        np.testing.assert_allclose(part[name], whole[name][second_half], **TOTAL_ENERGY)
    for name in ("Temp", "Volume", "c_uq[1]"):
        np.testing.assert_allclose(part[name], whole[name][second_half], rtol=10 * SINGLE)
    # without velocities, thermostat and barostat from the file the numbers would not move alike
    assert np.ptp(whole["Temp"][second_half]) > 100 * SINGLE * whole["Temp"].max()
    assert "global fix info was re-assigned" in part_run.text
    assert (lmp.folder / "production.40.restart").is_file()
    frames = [read_dump(lmp.folder / f"production.{step}.lammpstrj")[-1] for step in (0, 20)]
    assert [frame.step for frame in frames] == [40, 40]
    # dumps print 6 digits of coordinates below 10 Å
    np.testing.assert_allclose(frames[1].positions, frames[0].positions, atol=1e-4)


@pytest.mark.mpi
def test_production_stops_at_its_walltime_and_can_be_continued(lmp: Lmp, al_model: ExportedModel) -> None:
    # Large enough that a second is less than a hundred steps, in which the untrained model cannot collapse
    run = run_script(lmp, "in.mpi_production", al_model, n_ranks=2, cells=8, steps=10**8, walltime="00:00:01", every=10)
    last = int(thermo(run)["Step"][-1])
    assert last > 0
    assert last % 10 == 0
    assert (lmp.folder / f"production.{last}.restart").is_file()
    more = run_script(lmp, "in.mpi_continue", al_model, n_ranks=2, steps=last + 10, every=10)
    np.testing.assert_array_equal(thermo(more)["Step"], [last, last + 10])


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_uq_stop_ends_at_the_first_step_above_the_threshold(lmp: Lmp, al_model: ExportedModel, n_ranks: int) -> None:
    free = thermo(run_script(lmp, "in.uq_stop", al_model, steps=60, threshold=1e6))
    values = free["v_uq_force"]
    assert free["Step"][-1] == 60
    # a threshold that the run passes after its beginning, clear of rounding on either side
    gaps = values[1:] - np.maximum.accumulate(values)[:-1]
    first = int(np.argmax(gaps)) + 1
    assert gaps[first - 1] > 1000 * SINGLE
    threshold = values[first] - gaps[first - 1] / 2

    run = run_script(lmp, "in.uq_stop", al_model, n_ranks=n_ranks, steps=60, threshold=threshold)
    stopped = thermo(run)
    assert stopped["Step"][-1] == free["Step"][first] < 60
    assert np.all(stopped["v_uq_force"][:-1] <= threshold)
    assert stopped["v_uq_force"][-1] > threshold
    assert f"ended at step {int(free['Step'][first])} with" in run.text

    # the restart file holds the very configuration that exceeded it
    again = lmp("read_restart uq_stop.restart\ncompute uq all pair nnp\nthermo_style custom step c_uq[4]\nrun 0\n")
    assert thermo(again)["Step"][0] == stopped["Step"][-1]
    np.testing.assert_allclose(thermo(again)["c_uq[4]"][0], stopped["v_uq_force"][-1], rtol=10 * SINGLE)


def test_uq_stop_looks_at_the_first_configuration(lmp: Lmp, al_model: ExportedModel) -> None:
    """fix halt does not, and would let step 0 and those up to its next look pass."""
    run = run_script(lmp, "in.uq_stop", al_model, steps=60, threshold=1e-12)
    np.testing.assert_array_equal(thermo(run)["Step"], [0])
    assert "ended at step 0 with" in run.text
    assert (lmp.folder / "uq_stop.restart").is_file()


@pytest.fixture
def uq_dump(lmp: Lmp, al_model: ExportedModel) -> tuple[float, LmpRun]:
    """A run of in.uq_dump whose threshold (eV/Å) lies amid the values that it meets."""
    free = thermo(run_script(lmp, "in.uq_dump", al_model, steps=40, threshold=1e6))
    values = np.sort(free["c_worst"])
    threshold = float(values[len(values) // 2 - 1 : len(values) // 2 + 1].mean())
    return threshold, run_script(lmp, "in.uq_dump", al_model, steps=40, threshold=threshold)


def test_uq_dump_keeps_the_uncertain_frames_alone(uq_dump: tuple[float, LmpRun]) -> None:
    threshold, run = uq_dump
    table = thermo(run)
    frames = relabel_frames(run)
    uncertain = table["Step"][table["c_worst"] > threshold]
    assert 0 < len(uncertain) < len(table["Step"])
    np.testing.assert_array_equal(list(frames), uncertain)
    for frame in frames.values():
        assert frame.arrays["f_uq[2]"].max() > threshold
        assert frame.get_chemical_formula() == f"Al{len(CRYSTAL.types)}"


def test_uq_dump_keeps_the_uncertain_atoms_alone(uq_dump: tuple[float, LmpRun]) -> None:
    threshold, run = uq_dump
    whole = relabel_frames(run)
    atoms = run.dump("uncertain_atoms.lammpstrj")
    assert len(atoms) == len(thermo(run)["Step"])
    n_kept = 0
    for frame in atoms:
        assert np.all(frame["f_uq[2]"] > threshold)
        n_kept += len(frame["id"])
        if frame.step not in whole:
            assert len(frame["id"]) == 0
            continue
        uq_force = whole[frame.step].arrays["f_uq[2]"].ravel()  # of atoms 1, 2, ...
        np.testing.assert_array_equal(frame["id"], np.flatnonzero(uq_force > threshold) + 1)
    assert 0 < n_kept < len(atoms) * len(CRYSTAL.types)


def test_uq_dump_values_belong_to_their_frame(uq_dump: tuple[float, LmpRun], al_model: ExportedModel) -> None:
    _, run = uq_dump
    frame = list(relabel_frames(run).values())[-1]
    system = System(
        ("Al",),
        np.ones(len(frame), dtype=int),
        frame.get_positions(),
        frame.cell.array,
        origin=frame.get_celldisp().ravel(),
    )
    expected = evaluate(al_model.model, system)
    tolerance = 10 * SINGLE * max(1.0, float(np.abs(expected.forces).max()))
    np.testing.assert_allclose(frame.get_forces(), expected.forces, atol=tolerance)
    np.testing.assert_allclose(frame.arrays["f_uq[1]"].ravel(), expected.uq_energy, atol=tolerance)
    np.testing.assert_allclose(frame.arrays["f_uq[2]"].ravel(), expected.uq_force, atol=tolerance)


def test_few_members_is_the_mean_of_the_first_few(lmp: Lmp, al_model: ExportedModel) -> None:
    table = thermo(run_script(lmp, "in.few_members", al_model, steps=10, members=2))
    few, whole = evaluate(al_model.model, CRYSTAL, members=2), evaluate(al_model.model, CRYSTAL)
    with pytest.raises(AssertionError):  # so the comparison below can tell them apart
        np.testing.assert_allclose(few.energy, whole.energy, **TOTAL_ENERGY)
    np.testing.assert_allclose(table["PotEng"][0], few.energy, **TOTAL_ENERGY)
    np.testing.assert_allclose(table["c_uq[1]"][0], few.uq_energy.max(), atol=SINGLE)
    one = thermo(run_script(lmp, "in.few_members", al_model, steps=10, members=1))
    assert np.all(np.isposinf(one["c_uq[4]"]))
