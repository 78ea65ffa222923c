"""Pulls that differ in their force field alone: equal noise from equal seeds, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from explore_runs import ALPHA, KCAL_PER_EV, LENGTH, run_folder, smd_settings
from nnpal.active_learning.sampling import SMDRun, SMDSection, plan_noiseless, read_smd, smd
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.sampling.noiseless import SIZE, push_pattern, write_push
from nnpal.config import validated
from nnpal.lammps.data_file import write_data
from nnpal.oracle.settings import LammpsSection


def oracle(depth: float, cutoff: float, units: str = "metal") -> dict[str, Any]:
    depth *= KCAL_PER_EV if units == "real" else 1.0
    commands = [f"pair_style morse {cutoff}", f"pair_coeff * * {depth!r} {ALPHA} {LENGTH}"]
    return {"kind": "lammps", "elements": ["Al"], "commands": commands, "units": units, "stress": True}


def pull(folder: Path, name: str, atoms: Atoms, force_field: dict[str, Any], **arguments: Any) -> SMDRun:
    ase.io.write(folder / "atoms.xyz", atoms)
    run = run_folder(folder, name)
    settings = smd_settings(atoms=[1, 4], temperature=20.0, damping=0.1, equilibration=50, length=0.1)
    smd(run, settings=settings, force_field=force_field, structure="../atoms.xyz", rate=0.5, **arguments)
    return read_smd(run)


def test_equal_seeds_are_equal_noise_whatever_the_cutoff(tmp_path: Path) -> None:
    atoms = Atoms("Al6", positions=np.random.default_rng(5).uniform(0.0, 14.0, (6, 3)))
    short, far = (pull(tmp_path, f"cutoff-{cutoff}", atoms, oracle(1e-12, cutoff), seed=3) for cutoff in (3.0, 30.0))
    moved = np.abs(short.frames[-1].positions - atoms.positions).max()
    assert moved > 0.01
    np.testing.assert_allclose(short.frames[-1].positions, far.frames[-1].positions, atol=1e-9)


TETRAHEDRON = [[0.0, 0.0, 0.0], [2.7, 0.0, 0.0], [1.3, 2.4, 0.0], [1.4, 0.8, 2.2]]
CLUSTER = Atoms("Al7", positions=[*TETRAHEDRON, [5.0, 1.0, 2.0], [4.0, 4.0, 1.0], [1.0, 5.0, 4.0]])


def test_without_noise_the_pattern_of_constant_forces_alone_tells_pulls_apart(tmp_path: Path) -> None:
    def quiet(name: str, seed: int, units: str = "metal") -> SMDRun:
        return pull(tmp_path, name, CLUSTER, oracle(0.5, 30.0, units), seed=seed, noiseless=True)

    first, real, second = quiet("first", 1), quiet("real", 1, "real"), quiet("second", 2)
    np.testing.assert_allclose(real.work, first.work, atol=2e-6)
    np.testing.assert_allclose(real.distance, first.distance, atol=2e-5)
    assert np.abs(second.distance - first.distance).max() > 1e-4
    script = (tmp_path / "first" / "in.smd").read_text()
    assert "velocity" not in script
    assert "at 0.5 Å/ps and 0 K" in script


def test_the_pattern_moves_and_turns_nothing_as_a_whole() -> None:
    atoms = CLUSTER.copy()
    axis = atoms.positions[3] / np.linalg.norm(atoms.positions[3])
    pattern = push_pattern(atoms, axis, 1)
    assert np.sqrt(np.mean(pattern**2)) == pytest.approx(SIZE)
    forces = pattern[:, None] * axis
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.cross(atoms.positions, forces).sum(axis=0), 0.0, atol=1e-12)
    assert np.abs(push_pattern(atoms, axis, 2) - pattern).max() > 0.1 * SIZE
    assert not push_pattern(atoms[:2], axis, 1).any()  # across two atoms nothing is left
    bond = atoms.positions[1] - atoms.positions[0]
    np.testing.assert_allclose(np.abs(push_pattern(atoms[:2], bond / np.linalg.norm(bond), 1)), SIZE)
    atoms.cell, atoms.pbc = [9.0, 9.0, 9.0], True  # nothing periodic turns
    assert np.abs(np.cross(atoms.positions, push_pattern(atoms, axis, 1)[:, None] * axis).sum(axis=0)).max() > 1e-3


def test_the_forces_are_turned_with_a_box_that_lammps_turns(tmp_path: Path) -> None:
    atoms = CLUSTER.copy()
    atoms.set_cell([[0.0, 12.0, 0.0], [12.0, 0.0, 3.0], [1.0, 0.0, -14.0]])
    atoms.pbc = True
    direction = write_push(tmp_path, atoms, (1, 4), seed=1)
    write_data(tmp_path / "start.data", atoms, ("Al",))
    written = ase.io.read(tmp_path / "start.data", format="lammps-data")
    vector = written.get_distance(0, 3, mic=True, vector=True)
    np.testing.assert_allclose(direction, vector / np.linalg.norm(vector), atol=1e-9)
    assert np.abs(direction - CLUSTER.positions[3] / np.linalg.norm(CLUSTER.positions[3])).max() > 0.1


def test_oracle_and_ensemble_get_the_same_pulls_at_the_largest_rate(tmp_path: Path) -> None:
    table = {**smd_settings(rates=[0.5, -4.0, 1.0]), "noiseless": 2}
    section = validated(table, SMDSection, source="test")
    forces = OracleForces(validated(oracle(0.5, 30.0), LammpsSection, source="test"), tmp_path)
    plan = plan_noiseless(section, forces, tmp_path / "explore", tmp_path, seed=7)
    assert list(plan) == ["rate--4-push-0", "rate--4-push-1"]
    assert [(one["rate"], one["noiseless"]) for one in plan.values()] == [(-4.0, True)] * 2
    again = plan_noiseless(section, forces, tmp_path / "initial", tmp_path, seed=7)
    assert [one["seed"] for one in plan.values()] == [one["seed"] for one in again.values()]
    assert len({one["seed"] for one in plan.values()}) == 2
