"""Sampling by MOMT and by the oracle's MD through the real lmp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.units import bar

from explore_runs import eam_oracle, momt_settings, run_folder, write_crystal
from nnpal.active_learning.sampling import (
    InitialSection,
    MOMTSection,
    momt,
    oracle_md,
    plan_initial,
    plan_momt,
    read_md,
    read_momt,
)
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.config import validated
from nnpal.demo.eam import eam_potential, label
from nnpal.demo.order import fcc_order
from nnpal.lammps.process import LmpError
from nnpal.model.calculator import NNPCalculator
from nnpal.momt import read_bias, read_trace
from nnpal.oracle.settings import LammpsSection
from torchani_reference import ExportedModel


def sample(folder: Path, name: str = "run", bias: str | None = None, **changes: Any) -> tuple[Path, dict[str, Any]]:
    run = run_folder(folder, name)
    return run, momt(run, settings=momt_settings(**changes), force_field=eam_oracle(), seed=1, bias=bias)


def energies(frames: list[Atoms]) -> np.ndarray:
    return np.array([frame.get_potential_energy() for frame in label(frames, eam_potential())])


def test_frames_carry_their_enthalpy_and_order(tmp_path: Path) -> None:
    folder, result = sample(tmp_path, pressure=1000.0)
    run = read_momt(folder)
    assert result["ended"] == run.ended == "complete"
    assert result["files"] == ["momt.h5", "momt.trace"]
    assert run.frame_step.tolist() == list(range(0, 401, 20))
    # the frames' own energies, volumes and order, computed apart from the run
    energy, volume = energies(run.frames), np.array([frame.get_volume() for frame in run.frames])
    np.testing.assert_allclose(run.V, volume, rtol=1e-10)
    np.testing.assert_allclose(run.H, energy + 1000.0 * bar * volume, atol=1e-5)  # LAMMPS's and ASE's constants
    np.testing.assert_allclose(run.O, [fcc_order(frame, 2) for frame in run.frames], atol=1e-8)
    np.testing.assert_allclose(run.energy, energy + run.dH, atol=1e-8)
    assert run.V.std() > 1.0  # the box moves
    assert run.dH[-1] > run.dH[0] == 0.0
    assert run.uq_energy is None
    assert not run.walker.any()
    trace = read_trace(folder / "momt.trace")
    common = np.isin(run.frame_step, trace.step)
    assert common.sum() >= 20
    np.testing.assert_allclose(run.H[common], trace.H, rtol=1e-14)
    last = run.frames[-1]
    assert (last.info["step"], last.info["source"], last.info["tag"]) == (400, "run step 400", "momt")


def test_a_learned_bias_is_carried_on(tmp_path: Path) -> None:
    first, _ = sample(tmp_path, "first")
    second, result = sample(tmp_path, "second", bias="../first/momt.h5", options={"phase": "production"})
    assert result["ended"] == "complete"
    np.testing.assert_array_equal(read_bias(second / "momt.h5").coefficients, read_bias(first / "momt.h5").coefficients)
    with pytest.raises(FileNotFoundError, match=r"bias .*none\.h5: no such file"):
        sample(tmp_path, "third", bias="../none.h5")


def test_walkers_learn_one_bias(tmp_path: Path) -> None:
    folder, result = sample(tmp_path, walkers=2, steps=200)
    run = read_momt(folder)
    assert result["ended"] == "complete"
    assert result["n_frames"] == 22
    assert run.frame_step.tolist() == [step for step in range(0, 201, 20) for _ in range(2)]
    assert run.walker.tolist() == [0, 1] * 11
    assert run.frames[3].info["source"] == "run walker 1 step 20"
    np.testing.assert_allclose(run.O, [fcc_order(frame, 2) for frame in run.frames], atol=1e-8)
    assert np.abs(run.H[::2] - run.H[1::2]).min() > 1e-3  # each goes its own way
    assert read_bias(folder / "momt.h5").walkers == 2


def test_one_walker_that_explodes_ends_them_all(tmp_path: Path) -> None:
    folder, result = sample(tmp_path, walkers=2, max_temperature=1000.0)
    assert result["ended"] == "too hot"  # the crystal starts at 1800 K
    assert result["n_frames"] == len(read_momt(folder).frames) == 0


def test_atomic_uncertainties_are_those_of_the_calculator(tmp_path: Path, al_model: ExportedModel) -> None:
    folder = run_folder(tmp_path)
    # energies of random weights lie around the self-energies, -1034 eV an atom
    settings = momt_settings(H=[-33500.0, -32000.0, 30], temperature=300.0, steps=20, every=10, equilibration=5)
    force_field = {"kind": "nnp", "model": str(al_model.path), "precision": "double"}
    result = momt(folder, settings=settings, force_field=force_field, seed=1)
    run = read_momt(folder)
    assert result["ended"] == "complete"
    calculator = NNPCalculator(al_model.path, dtype=torch.float64)
    assert run.uq_energy is not None
    assert run.uq_energy.shape == (3, 32)
    for frame, uq in zip(run.frames, run.uq_energy, strict=True):
        np.testing.assert_allclose(uq, calculator.get_property("uq_energy", frame), rtol=1e-8)


def test_a_wrong_option_is_no_fault_of_the_physics(tmp_path: Path) -> None:
    with pytest.raises(LmpError, match="unknown option ln_ff; did you mean ln_f"):
        sample(tmp_path, options={"ln_ff": 0.1})


def eam_forces(folder: Path) -> OracleForces:
    return OracleForces(validated(eam_oracle(), LammpsSection, source="test"), folder)


def test_plans_have_a_seed_for_each_run(tmp_path: Path) -> None:
    write_crystal(tmp_path)
    table = momt_settings(runs=2, element=None, structure="al.extxyz", equilibration=20, steps=20)
    section = validated({k: v for k, v in table.items() if v is not None}, MOMTSection, source="test")
    plan = plan_momt(
        section,
        eam_forces(tmp_path),
        tmp_path / "a" / "b",
        tmp_path,
        seed=1,
    )
    assert [arguments["structure"] for arguments in plan.values()] == ["../../../al.extxyz"] * 2
    ends = []
    for name, arguments in plan.items():
        folder = tmp_path / "a" / "b" / name
        folder.mkdir(parents=True)
        assert momt(folder, **json.loads(json.dumps(arguments)))["ended"] == "complete"
        ends.append(read_momt(folder).H[-1])
    assert ends[0] != ends[1]


@pytest.mark.parametrize("pressure", [None, 1.0])
def test_oracle_md_samples_near_equilibrium(tmp_path: Path, pressure: float | None) -> None:
    ase.io.write(tmp_path / "al.extxyz", bulk("Al", "fcc", a=4.05, cubic=True).repeat(2))
    table = {"structure": "al.extxyz", "temperatures": [100.0, 600.0], "timestep": 0.002, "steps": 400, "every": 20}
    table |= {"equilibration": 500, "runs": 2, **({} if pressure is None else {"pressure": pressure})}
    section = validated(table, InitialSection, source="test")
    plan = plan_initial(
        section,
        eam_forces(tmp_path),
        tmp_path / "md",
        tmp_path,
        seed=1,
    )
    assert list(plan) == [f"temperature-{t}-run-{i}" for t in (100, 600) for i in (0, 1)]
    energy: dict[float, list[np.ndarray]] = {100.0: [], 600.0: []}
    for name, arguments in plan.items():
        folder = tmp_path / "md" / name
        folder.mkdir(parents=True)
        result = oracle_md(folder, **arguments)
        assert (result["ended"], result["n_frames"]) == ("complete", 21)
        frames = read_md(folder)
        energy[arguments["temperature"]].append(energies(frames))
        moves = len({frame.get_volume() for frame in frames}) > 1
        assert moves == (pressure is not None)
    # harmonic crystal: 3/2 kT per atom (of 93 modes in 96) above the minimum; 32 atoms for 1 ps scatter by some 15 %
    for temperature, found in energy.items():
        above = np.mean(found) - energies([bulk("Al", "fcc", a=4.05, cubic=True).repeat(2)])[0]
        assert above == pytest.approx(0.5 * 93 * 8.617e-5 * temperature, rel=0.4)
        assert not np.allclose(found[0], found[1])


def test_oracle_md_refuses_pressure_without_a_box(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "atoms.xyz", Atoms("Al2", positions=[[0, 0, 0], [2.7, 0, 0]]))
    with pytest.raises(ValueError, match=r"initial\.pressure: 1, but \.\./atoms\.xyz is not periodic"):
        oracle_md(
            run_folder(tmp_path),
            settings={"structure": "atoms.xyz", "pressure": 1.0},
            force_field=eam_oracle(),
            structure="../atoms.xyz",
            temperature=300.0,
            seed=1,
        )


@pytest.mark.parametrize(
    ("launch", "message"),
    [(["mpirun", "-np", "3"], "3 ranks for 2 walkers, expected a multiple"), (["mpirun"], "expected -np N, -n N or")],
)
def test_a_launcher_has_ranks_for_each_walker(tmp_path: Path, launch: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(tmp_path, walkers=2, launch=launch)
