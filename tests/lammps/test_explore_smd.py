"""Pulls through the real lmp: known work, uncertainties as the calculator has them, faults that are contained."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from explore_runs import DEPTH, morse, morse_oracle, run_folder, smd_settings, write_crystal, write_dimer
from nnpal.active_learning.sampling import SMDSection, plan_smd, read_smd, smd
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.config import validated
from nnpal.lammps.process import LmpError, LmpKilled, run_lmp
from nnpal.model.calculator import NNPCalculator
from nnpal.oracle.settings import AseSection
from nnpal.smd import read_pull
from nnpal.smd.analysis import make_report
from processes import Process, wait_until
from torchani_reference import ExportedModel


def pull_dimer(folder: Path, name: str = "run", units: str = "metal", **changes: Any) -> tuple[Path, dict[str, Any]]:
    structure = write_dimer(folder)
    run = run_folder(folder, name)
    arguments = {"force_field": morse_oracle(units), "structure": structure, "rate": 0.5, "seed": 1}
    return run, smd(run, settings=smd_settings(**changes), **arguments)


def test_files_of_others_are_not_removed(tmp_path: Path) -> None:
    structure, run = write_dimer(tmp_path), run_folder(tmp_path)
    (run / "mine.restart").write_text("not nnpal's")
    (run / "frames_of_mine.lammpstrj").write_text("not nnpal's")
    arguments: dict[str, Any] = {"force_field": morse_oracle(), "structure": structure, "rate": 0.5, "seed": 1}
    with pytest.raises(
        ValueError, match=r"holds frames_of_mine\.lammpstrj, mine\.restart, which a run here would remove"
    ):
        smd(run, settings=smd_settings(), **arguments)
    assert (run / "mine.restart").read_text() == "not nnpal's"


def test_work_of_a_cold_pull_is_the_potential_climbed(tmp_path: Path) -> None:
    folder, result = pull_dimer(tmp_path)
    run = read_smd(folder)
    assert result["ended"] == run.ended == "complete"
    assert run.step.tolist() == list(range(0, 1001, 5))
    assert run.frame_step.tolist() == list(range(0, 1001, 20))
    np.testing.assert_allclose(run.target, 2.7 + 0.0005 * run.step, rtol=1e-12)
    np.testing.assert_allclose(run.energy, morse(run.distance), atol=1e-10)
    np.testing.assert_allclose(run.force, 20.0 * (run.target - run.distance), atol=1e-10)
    spring = 10.0 * (run.target - run.distance) ** 2
    climbed = (morse(run.distance) + spring)[-1] - (morse(run.distance) + spring)[0]
    # Langevin's friction takes m v² t / (2 damping) of a pair drawn apart at v, and vibrations at 0.01 K some µeV
    friction = 26.98 * 1.0364e-4 * 0.5**2 * 1.0 / 2
    assert climbed > 0.3
    assert run.work[-1] == pytest.approx(climbed + friction, abs=3e-4)
    assert result["activation_energy"] == run.work.max()
    # frames are of the rows of their steps
    distances = [frame.get_distance(0, 1) for frame in run.frames]
    np.testing.assert_allclose(distances, run.distance[::4], atol=1e-12)
    assert [run.uq, run.uq_trace, run.uq_energy, run.uq_force] == [None] * 4
    last = run.frames[-1]
    assert (last.info["step"], last.info["source"], last.info["tag"]) == (1000, "run step 1000", "smd")
    assert last.get_chemical_symbols() == ["Al", "Al"]
    assert not last.pbc.any()
    assert last.cell.rank == 0
    # the same rows for `nnpal smd report`
    pull = read_pull(folder / "rows.txt")
    np.testing.assert_array_equal(pull.work, run.work)
    assert make_report([pull], 300.0, 0.1).pulls[0].activation_energy == run.work.max()
    assert (pull.facts["units"], float(pull.facts["k"]), float(pull.facts["rate"])) == ("metal", 20.0, 0.5)


def test_units_of_the_oracle_do_not_matter(tmp_path: Path) -> None:
    metal, _ = pull_dimer(tmp_path, "metal")
    real, _ = pull_dimer(tmp_path, "real", units="real")
    one, other = read_smd(metal), read_smd(real)
    # the two styles have their own constants, equal to some 1e-5; d vibrates by some 1e-3 Å
    np.testing.assert_allclose(other.distance, one.distance, atol=1e-4)
    np.testing.assert_allclose(other.energy, one.energy, atol=1e-3 * DEPTH)
    np.testing.assert_allclose(other.work, one.work, atol=2e-4)
    np.testing.assert_allclose(other.target, one.target, rtol=1e-12)


def test_uncertainties_are_those_of_the_calculator(tmp_path: Path, al_model: ExportedModel) -> None:
    structure = write_crystal(tmp_path)
    folder = run_folder(tmp_path)
    settings = smd_settings(
        structure="al.extxyz", atoms=[1, 2], temperature=300.0, length=0.02, rates=[2.0], equilibration=5, every=4,
        uq_every=2, max_temperature=1e6,
    )  # fmt: skip
    force_field = {"kind": "nnp", "model": os.path.relpath(al_model.path, folder), "precision": "double"}
    smd(folder, settings=settings, force_field=force_field, structure=structure, rate=2.0, seed=1)
    runs = {"energy_deviation": read_smd(folder)}
    facts = json.loads((folder / "run.json").read_text())
    for measure in ("uq_energy", "uq_force"):
        (folder / "run.json").write_text(json.dumps({**facts, "uq": measure}))
        runs[measure] = read_smd(folder)
    run = runs["energy_deviation"]
    assert (len(run.frames), len(run.uq_trace)) == (3, 6)
    calculators = [NNPCalculator(al_model.path, dtype=torch.float64, members=m) for m in (1, 2, 3)]
    for i, frame in enumerate(run.frames):
        means = [calculator.get_property("energy", frame) for calculator in calculators]
        members = [means[0], 2 * means[1] - means[0], 3 * means[2] - 2 * means[1]]
        uq_energy, uq_force = (calculators[2].get_property(name, frame) for name in ("uq_energy", "uq_force"))
        assert run.energy[2 * i] == pytest.approx(means[2], rel=1e-12)
        assert run.uq[i] == pytest.approx(np.std(members) / np.sqrt(32), rel=1e-6)  # of differences of 1e-9 of energies
        np.testing.assert_allclose(run.uq_energy[i], uq_energy, rtol=1e-8)
        np.testing.assert_allclose(run.uq_force[i], uq_force, rtol=1e-8)
        assert runs["uq_energy"].uq[i] == pytest.approx(uq_energy.max(), rel=1e-8)
        assert runs["uq_force"].uq[i] == pytest.approx(uq_force.max(), rel=1e-8)
    np.testing.assert_array_equal(run.uq, run.uq_trace[::2])


def test_a_run_ends_above_the_largest_uncertainty(tmp_path: Path, al_model: ExportedModel) -> None:
    structure = write_crystal(tmp_path)
    settings = smd_settings(
        structure="al.extxyz", atoms=[1, 2], temperature=300.0, length=0.02, rates=[2.0], equilibration=0, every=4,
        uq_every=2, max_temperature=1e6,
    )  # fmt: skip
    arguments = {"force_field": {"kind": "nnp", "model": str(al_model.path)}, "structure": structure}
    free = run_folder(tmp_path, "free")
    smd(free, settings=settings, **arguments, rate=2.0, seed=1)
    trace = read_smd(free).uq_trace
    limit = 0.999 * trace[1]  # fix halt looks at the ends of steps, not at the first row
    bounded = run_folder(tmp_path, "bounded")
    result = smd(bounded, settings={**settings, "max_uq": limit}, **arguments, rate=2.0, seed=1)
    run = read_smd(bounded)
    assert result["ended"] == "too uncertain"
    assert not run.complete
    assert "fix-id uncertain met on step 2" in result["last_lines"][-1]
    np.testing.assert_allclose(run.uq_trace, trace[:2], rtol=1e-6)
    assert run.frame_step.tolist() == [0]


def test_a_run_ends_at_the_first_row_above_the_largest_error(tmp_path: Path, calibrated_al: ExportedModel) -> None:
    structure = write_crystal(tmp_path)
    settings = smd_settings(
        structure="al.extxyz", atoms=[1, 2], temperature=300.0, length=0.02, rates=[2.0], equilibration=0, every=4,
        uq_every=2, max_temperature=1e6,
    )  # fmt: skip
    arguments = {"force_field": {"kind": "nnp", "model": str(calibrated_al.path)}, "structure": structure}
    free = run_folder(tmp_path, "free")
    smd(free, settings=settings, **arguments, rate=2.0, seed=1)
    run = read_smd(free)
    assert run.error_trace is not None
    assert run.error is not None
    calculator = NNPCalculator(calibrated_al.path)
    errors = [calculator.get_property("error_force", frame).max() for frame in run.frames]
    np.testing.assert_allclose(run.error, errors, rtol=1e-4)  # of single precision
    np.testing.assert_array_equal(run.error, run.error_trace[::2])
    # fix halt looks at the ends of steps, not at the first row
    end = int(np.argmax(run.error_trace[1:-1])) + 1
    limit = 0.5 * (run.error_trace[1:end].max(initial=0.99 * run.error_trace[end]) + run.error_trace[end])
    above = 1 + int(np.argmax(run.error_trace[1:] > limit))
    bounded = run_folder(tmp_path, "bounded")
    result = smd(bounded, settings={**settings, "max_error": limit, "max_uq": 1e6}, **arguments, rate=2.0, seed=1)
    cut = read_smd(bounded)
    assert result["ended"] == "error too large"
    assert not cut.complete
    assert f"fix-id wrong met on step {run.step[above]}" in result["last_lines"][-1]
    np.testing.assert_allclose(cut.error_trace, run.error_trace[: above + 1], rtol=1e-5)


def test_rows_of_a_model_without_calibration_have_infinite_errors(tmp_path: Path, al_model: ExportedModel) -> None:
    structure = write_crystal(tmp_path)
    settings = smd_settings(
        structure="al.extxyz", atoms=[1, 2], temperature=300.0, length=0.004, rates=[2.0], equilibration=0, every=2,
        uq_every=2, max_temperature=1e6,
    )  # fmt: skip
    folder = run_folder(tmp_path)
    force_field = {"kind": "nnp", "model": str(al_model.path)}
    smd(folder, settings=settings, force_field=force_field, structure=structure, rate=2.0, seed=1)
    run = read_smd(folder)
    assert np.isinf(run.error_trace).all()
    (folder / "rows.txt").write_text((folder / "rows.txt").read_text().replace(" error_force", " other"))
    assert read_smd(folder).error is None  # as rows of earlier versions


def test_an_explosion_is_cut_and_its_good_part_read(tmp_path: Path, hcno_model: ExportedModel) -> None:
    """A network of random weights tears a molecule apart within some steps."""
    ase.io.write(tmp_path / "ethane.xyz", molecule("C2H6"))
    folder = run_folder(tmp_path)
    settings = smd_settings(
        structure="ethane.xyz", temperature=300.0, timestep=0.0005, equilibration=0, every=1, uq_every=1,
        max_temperature=20_000.0, length=1.0, rates=[1.0],
    )  # fmt: skip
    force_field = {"kind": "nnp", "model": os.path.relpath(hcno_model.path, folder)}
    result = smd(folder, settings=settings, force_field=force_field, structure="../ethane.xyz", rate=1.0, seed=1)
    run = read_smd(folder)
    assert result["ended"] == run.ended == "too hot"
    assert "fix-id hot met" in result["last_lines"][-1]
    assert 1 < result["n_frames"] == len(run.frames) < 2000
    assert run.frame_step.tolist() == list(range(len(run.frames)))
    # looked at every 10 steps
    assert run.temperature[-1] > 20_000.0
    assert (run.temperature[:-1:10] < 20_000.0).all()
    assert all(np.isfinite(frame.positions).all() for frame in run.frames)


def test_lost_atoms_are_contained(tmp_path: Path) -> None:
    """At 1e8 K an atom of aluminum makes some 2000 Å/ps, and it is 50 Å to the wall."""
    settings = {"temperature": 1e8, "max_temperature": 1e300, "k": 1e-6, "damping": 100.0, "length": 2.0}
    folder, result = pull_dimer(tmp_path, equilibration=0, every=5, **settings)
    run = read_smd(folder)
    assert result["ended"] == run.ended == "lost atoms"
    assert 1 < result["n_frames"] == len(run.frames) < 20
    assert "ERROR" in result["last_lines"][-1]


FADING = """
import numpy as np
from ase.calculators.calculator import Calculator

class Fading(Calculator):
    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=(), changes=()):
        super().calculate(atoms, properties, changes)
        d = atoms.positions[1] - atoms.positions[0]
        r = np.linalg.norm(d)
        f = (r - 2.7) * d / r
        self.results = {"energy": 0.5 * (r - 2.7) ** 2 if r < 2.9 else np.nan, "forces": np.array([f, -f])}
"""


def test_numbers_that_are_not_finite_are_contained(tmp_path: Path) -> None:
    """The calculator lies beside the configuration file, and Python finds it."""
    (tmp_path / "fading_calculator.py").write_text(FADING)
    folder = run_folder(tmp_path)
    oracle = {"kind": "ase", "calculator": "fading_calculator:Fading", "folder": ".."}
    arguments = {"force_field": oracle, "structure": write_dimer(tmp_path), "rate": 0.5, "seed": 1}
    result = smd(folder, settings=smd_settings(), **arguments)
    run = read_smd(folder)
    assert result["ended"] == run.ended == "non-finite"
    assert "#   PYTHONPATH=.. lmp -in in.smd\n" in (folder / "in.smd").read_text()
    assert 2.85 < run.distance[-1] < 2.9
    np.testing.assert_allclose(run.energy, 0.5 * (run.distance - 2.7) ** 2, atol=1e-12)
    assert len(run.frames) == run.frame_step[-1] // 20 + 1 > 15


def test_an_error_in_the_midst_of_dynamics_is_contained(tmp_path: Path) -> None:
    """The distance grows to half of the box, which the pull refuses."""
    dimer = Atoms("Al2", positions=[[1, 1, 1], [3.7, 1, 1]], cell=[7.0, 20, 20], pbc=True)
    ase.io.write(tmp_path / "dimer.extxyz", dimer)
    folder = run_folder(tmp_path)
    settings = smd_settings(structure="dimer.extxyz", length=2.0, rates=[5.0])
    oracle = {**morse_oracle(), "commands": ["pair_style morse 3.4", "pair_coeff * * 2.0 1.5 2.7"]}
    result = smd(folder, settings=settings, force_field=oracle, structure="../dimer.extxyz", rate=5.0, seed=1)
    assert result["ended"].startswith("lammps error: fix pull (python/hook nnpal.smd:SMD): atoms 1 2: at a distance of")
    assert not result["ended"].endswith(")")  # no place in LAMMPS's sources
    run = read_smd(folder)
    assert 3.2 < run.distance[-1] < 3.43
    assert run.frames[-1].pbc.all()


def test_a_wrong_input_is_no_fault_of_the_physics(tmp_path: Path) -> None:
    wrong = {**morse_oracle(), "commands": ["pair_style morsel 30.0"]}
    arguments = {"settings": smd_settings(), "structure": write_dimer(tmp_path), "rate": 0.5, "seed": 1}
    folder = run_folder(tmp_path)
    with pytest.raises(LmpError, match="Unrecognized pair style 'morsel'"):
        smd(folder, force_field=wrong, **arguments)
    assert not (folder / "ended.json").exists()
    with pytest.raises(FileNotFoundError, match=r"none\.nnp\.pt: no such file"):
        smd(folder, force_field={"kind": "nnp", "model": "none.nnp.pt"}, **arguments)
    launched = {**arguments, "settings": smd_settings(launch=["no-such-launcher"])}
    with pytest.raises(LmpError, match="no-such-launcher"):
        smd(folder, force_field=morse_oracle(), **launched)


def test_a_killed_lammps_is_no_end_and_no_error(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    arguments = {"force_field": morse_oracle(), "structure": write_dimer(tmp_path), "rate": 0.5, "seed": 1}
    with pytest.raises(LmpKilled, match="ended with status -9"):
        smd(folder, settings=smd_settings(launch=["sh", "-c", "kill -KILL $$"]), **arguments)
    assert not (folder / "ended.json").exists()


def test_the_script_runs_again_by_hand(tmp_path: Path) -> None:
    folder, _ = pull_dimer(tmp_path, length=0.05)
    first = {name: (folder / name).read_bytes() for name in ("rows.txt", "frames.lammpstrj")}
    assert "#   lmp -in in.smd\n" in (folder / "in.smd").read_text()
    run_lmp(["-in", "in.smd"], folder)
    assert {name: (folder / name).read_bytes() for name in first} == first


def test_what_ended_is_not_run_again_and_what_changed_is(tmp_path: Path) -> None:
    folder, result = pull_dimer(tmp_path, length=0.05)
    arguments = {"force_field": morse_oracle(), "structure": "../dimer.xyz", "rate": 0.5, "seed": 1}
    written = (folder / "frames.lammpstrj").stat().st_mtime_ns
    assert smd(folder, settings=smd_settings(length=0.05), **arguments) == result
    assert (folder / "frames.lammpstrj").stat().st_mtime_ns == written
    longer = smd(folder, settings=smd_settings(length=0.06), **arguments)
    assert (longer["ended"], longer["last_frame"]) == ("complete", 120)


KILLED = """
import json, sys
from pathlib import Path
from nnpal.active_learning.sampling import smd
smd(Path(sys.argv[1]), **json.loads(sys.argv[2]))
"""


def test_a_killed_run_begins_anew(tmp_path: Path) -> None:
    whole, expected = pull_dimer(tmp_path, "whole", length=4.0)
    folder = run_folder(tmp_path, "killed")
    arguments = {"settings": smd_settings(length=4.0), "force_field": morse_oracle(), "structure": "../dimer.xyz"}
    arguments |= {"rate": 0.5, "seed": 1}
    task = Process([sys.executable, "-c", KILLED, str(folder), json.dumps(arguments)])
    wait_until((folder / "frames.lammpstrj").is_file, task)
    os.kill(task.pid, signal.SIGKILL)  # LAMMPS lives on, and is waited for
    task.wait()
    assert not (folder / "ended.json").exists()
    assert read_smd(folder).ended == "interrupted"
    assert smd(folder, **arguments) == expected
    for name in ("rows.txt", "frames.lammpstrj"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_xtb_pulls_butane_as_planned(tmp_path: Path) -> None:
    pytest.importorskip("tblite")
    ase.io.write(tmp_path / "butane.xyz", molecule("trans-butane"))
    table = {"kind": "smd", "structure": "butane.xyz", "atoms": [3, 4], "length": 0.02, "rates": [2.0, -2.0]}
    section = validated({**table, "equilibration": 20, "uq_every": 4}, SMDSection, source="test")
    oracle = OracleForces(AseSection(kind="ase", options={"electronic_temperature": 5000}), tmp_path)
    plan = plan_smd(section, oracle, tmp_path / "explore", tmp_path, seed=5)
    assert list(plan) == ["rate-2-run-0", "rate--2-run-0"]
    for name, arguments in plan.items():
        json.dumps(arguments)
        folder = tmp_path / "explore" / name
        folder.mkdir(parents=True)
        result = smd(folder, **arguments)
        run = read_smd(folder)
        assert result["ended"] == "complete"
        assert run.step.tolist() == list(range(0, 41, 4))
        assert run.target[-1] - run.target[0] == pytest.approx(0.02 * np.sign(run.rate), rel=1e-9)
        assert run.target[0] == pytest.approx(molecule("trans-butane").get_distance(2, 3), abs=1e-6)
        # GFN2-xTB of butane is -371.5 eV; 300 K are some tenths of an eV
        assert run.energy.mean() == pytest.approx(-371.3, abs=0.6)
        assert (np.array([len(frame) for frame in run.frames]) == 14).all()
