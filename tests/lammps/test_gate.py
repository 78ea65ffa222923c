"""The gate passes sound model files and stops broken ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule

import nnpal.evaluation.gate.checks as gate_check
from broken_models import write_detached
from ensembles import organic_ensemble
from nnpal.evaluation import predict
from nnpal.evaluation.gate import Check, GateError, GateReport, check_export
from nnpal.lammps.single_point import boxed, lammps_values
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel


def rattled() -> Atoms:
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.15, seed=2)
    return atoms


def crystals() -> list[Atoms]:
    """Skewed and turned, left-handed, a slab, and a cluster: every kind of box."""
    skewed = bulk("Al") * (2, 1, 2)
    skewed.rattle(0.15, seed=1)
    skewed.rotate(40, (1, 2, 3), rotate_cell=True)
    skewed.positions += 30.0
    slab = fcc111("Al", (1, 2, 3))
    slab.rattle(0.15, seed=3)
    slab.pbc = (True, True, False)
    cluster = Atoms("Al4", rattled().positions)
    left_handed = skewed.copy()
    left_handed.set_cell(skewed.cell[[1, 0, 2]])
    return [rattled(), skewed, left_handed, slab, cluster]


def test_a_sound_model_passes(al_model: ExportedModel, tmp_path: Path) -> None:
    report = check_export(al_model.path, crystals(), folder=tmp_path)
    assert report.passed
    kinds = {}
    for check in report.checks:
        kinds.setdefault(check.name, []).append(check)
    assert {name: len(checks) for name, checks in kinds.items()} == {
        "forces and slopes of the energy": 5,
        "virial and slopes of the energy": 4,  # not of the cluster
        **{f"{what} in LAMMPS and Python, {p} precision": n
           for p in ("single", "double") for what, n in (("energy", 5), ("forces", 5), ("virial", 4))},
    }  # fmt: skip
    # float32 rounds, so that comparison is not one of a thing with itself
    assert max(check.difference for check in kinds["forces in LAMMPS and Python, single precision"]) > 1e-9
    assert (tmp_path / "in.gate").exists()
    assert report.to_json()["passed"]
    assert len(report.to_json()["checks"]) == 8


def test_a_sound_model_with_celu_passes(tmp_path: Path) -> None:
    """With steps of 1e-3 Å the jump of CELU's second derivative makes slopes of this very model differ too much."""
    path = export_ensemble(organic_ensemble(activation="celu", seed=0), tmp_path / "celu.nnp.pt", dtype=torch.float64)
    grid = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1, 2, 3], indexing="ij"), -1).reshape(-1, 3)
    positions = 1.6 * grid + np.random.default_rng(5).normal(0, 0.1, grid.shape)
    cell = [[5.5, 0, 0], [0.8, 5.2, 0], [-0.6, 0.9, 7.1]]
    crystal = Atoms("HCNO" * 4, positions, cell=cell, pbc=True)
    report = check_export(path, [crystal, Atoms("HCNO" * 4, positions)])
    assert report.passed
    # not by chance: far from the tolerance
    slopes = [check for check in report.checks if check.name == "forces and slopes of the energy"]
    assert all(check.difference < 0.05 * check.tolerance for check in slopes)


def test_several_elements(hcno_model: ExportedModel) -> None:
    acetamide = molecule("CH3CONH2")
    report = check_export(hcno_model.path, [acetamide, molecule("CO2")])
    assert report.passed
    assert not [check for check in report.checks if "virial" in check.name]


def test_forces_that_are_not_the_gradient_of_the_energy(tmp_path: Path) -> None:
    """One per cent too small: LAMMPS and Python agree on it, and the file's own reference configuration too."""
    sound = write_detached(tmp_path / "sound.pt", dtype=torch.float64)
    assert check_export(sound, [rattled()]).passed
    broken = write_detached(tmp_path / "broken.pt", share=0.01, dtype=torch.float64)
    with pytest.raises(GateError, match=r"(?s)must not be used.*forces and slopes of the energy, configuration 0") as e:
        check_export(broken, [rattled()])
    assert e.value.report is not None
    assert {check.name for check in e.value.report.checks if not check.passed} == {
        "forces and slopes of the energy",
        "virial and slopes of the energy",
    }


def test_forces_that_vanish(tmp_path: Path) -> None:
    broken = write_detached(tmp_path / "broken.pt", share=1.0)
    with pytest.raises(GateError, match="forces and slopes"):
        check_export(broken, [rattled()])


def test_altered_weights(al_model: ExportedModel, tmp_path: Path) -> None:
    """Weights that changed after the export, checksums in order: the file's reference configuration tells."""
    path = tmp_path / "altered.pt"
    with zipfile.ZipFile(al_model.path) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        records = [item for item in old.namelist() if "/data/" in item]
        largest = max(records, key=lambda item: old.getinfo(item).file_size)
        for item in old.namelist():
            content = old.read(item)
            if item == largest:
                weights = np.frombuffer(content, dtype=np.float32).copy()
                weights[::7] *= 1.05
                content = weights.tobytes()
            new.writestr(item, content)
    with pytest.raises(GateError, match=r"(?s)must not be used:.*self-check fails"):
        check_export(path, [rattled()])


def test_another_model_than_the_trained_one(al_model: ExportedModel, al_other_model: ExportedModel) -> None:
    frames = [rattled(), crystals()[1]]
    trained = predict(al_model.path, frames, dtype=torch.float64).member_energies
    assert check_export(al_model.path, frames, member_energies=trained).passed
    with pytest.raises(GateError, match="members' energies in the file and as trained"):
        check_export(al_other_model.path, frames, member_energies=trained)
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(3, 2\)"):
        check_export(al_model.path, frames, member_energies=trained[:2])


@pytest.mark.parametrize("what", ["energy", "forces", "virial"])
def test_lammps_that_gives_something_else(what: str, al_model: ExportedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value of a run off by 1e-4 eV, eV/Å."""

    def off(*args: object, **options: object) -> object:
        values = lammps_values(*args, **options)
        value = values["double"][0]
        if what == "energy":
            object.__setattr__(value, "energy", value.energy + 1e-4)
        else:
            getattr(value, what)[0] += 1e-4
        return values

    monkeypatch.setattr(gate_check, "lammps_values", off)
    with pytest.raises(GateError, match=f"{what} in LAMMPS and Python, double precision"):
        check_export(al_model.path, [rattled()])


def test_lammps_that_fails(al_model: ExportedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnpal.lammps.single_point.BLOCK", "no_such_command {name}\n")
    with pytest.raises(GateError, match=r"(?s)must not be used:.*Unknown command: no_such_command"):
        check_export(al_model.path, [rattled()])


def test_configurations_that_tell_nothing(al_model: ExportedModel) -> None:
    with pytest.raises(ValueError, match="displace atoms"):
        check_export(al_model.path, [bulk("Al", cubic=True)])
    with pytest.raises(ValueError, match="no configurations"):
        check_export(al_model.path, [])


def test_a_turned_box_is_the_same_configuration() -> None:
    for atoms in crystals():
        placed = boxed(atoms)
        assert np.allclose(np.triu(placed.cell[:], 1), 0.0, atol=1e-12)
        assert (np.diag(placed.cell[:]) > 0).all()
        np.testing.assert_allclose(
            placed.get_all_distances(mic=placed.pbc.all()), atoms.get_all_distances(mic=atoms.pbc.all()), atol=1e-9
        )


def test_a_value_that_is_no_number_does_not_pass() -> None:
    good, bad = Check("a", 0, 1.0, 2.0, "eV"), Check("a", 1, float("nan"), 2.0, "eV")
    report = GateReport("model", (good, bad))
    assert not report.passed
    assert report.worst() == [bad]
    assert GateReport("model", (bad, good)).worst() == [bad]
    assert not GateReport("model", ()).passed
