"""`nnpal calibrate`: error bars for a model file that has none, from labeled configurations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner, Result

from nnpal.calibration import calibrate, judge
from nnpal.cli.app import app
from nnpal.data import write_extxyz
from nnpal.demo.eam import eam_potential, label
from nnpal.evaluation import calibrations, predict, read_labels
from nnpal.evaluation.pairs import labeled_pairs, pairs_of
from nnpal.model import load_model, read_metadata
from torchani_reference import ExportedModel


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Crystals of small and of large displacements, so that spreads differ."""
    atoms = [bulk("Al", cubic=True) * (2, 2, 1) for _ in range(24)]
    for seed, each in enumerate(atoms):
        each.rattle(0.02 + 0.01 * seed, seed=seed)
    return label(atoms, eam_potential())


@pytest.fixture(scope="module")
def data(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibrate") / "al.extxyz"
    write_extxyz(path, frames)
    return path


def test_a_model_without_error_bars_gets_them(
    al_model: ExportedModel, data: Path, frames: list[Atoms], tmp_path: Path
) -> None:
    target = tmp_path / "calibrated.nnp.pt"
    done = run("calibrate", al_model.path, data, "--output", target)
    assert done.exit_code == 0, done.output
    assert "Errors calibrated on 24 configurations (384 Al atoms)" in done.output
    assert f"Wrote {target}" in done.output
    pairs = labeled_pairs(al_model.path, frames)
    found, expected = read_metadata(target).calibration, calibrate(pairs, ["Al"])
    assert found is not None
    assert found.force == expected.force
    assert found.energy == expected.energy
    assert judge(found.force, pairs).ratio == pytest.approx(1.0, abs=0.1)  # of random weights
    assert read_metadata(al_model.path).calibration is None
    before, after = load_model(al_model.path).module.state_dict(), load_model(target).module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_file_itself_is_replaced_by_default(al_model: ExportedModel, data: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.nnp.pt"
    model.write_bytes(al_model.path.read_bytes())
    assert run("calibrate", model, data).exit_code == 0
    shown = run("info", model)
    assert "Al: error" in shown.output
    assert "Errors calibrated on 24 configurations" in " ".join(shown.output.split())
    assert json.loads(run("info", model, "--json").output)["calibration"]["force"]["knee"][0] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.nnp.pt"]


def test_what_cannot_be_calibrated_is_told(al_model: ExportedModel, frames: list[Atoms], tmp_path: Path) -> None:
    few, bare = tmp_path / "few.extxyz", tmp_path / "bare.extxyz"
    write_extxyz(few, frames[:3])
    write_extxyz(bare, [Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True) for frame in frames])
    for path, message in (
        (few, "3 configurations of 48 atoms in all can be calibrated on, expected at least 5"),
        (bare, "no frame has 'energy'"),
        (tmp_path / "absent.extxyz", "absent.extxyz"),
    ):
        done = run("calibrate", al_model.path, path, "--output", tmp_path / "new.nnp.pt")
        assert done.exit_code == 1
        assert message in done.output
        assert not (tmp_path / "new.nnp.pt").exists()


def test_places_where_no_model_file_belongs_are_refused(al_model: ExportedModel, data: Path, tmp_path: Path) -> None:
    """The data themselves were replaced by the model file."""
    labeled = data.read_bytes()
    link = tmp_path / "link.extxyz"
    link.symlink_to(data)
    for target, message in (
        (data, "is one of the data files"),
        (link, "is one of the data files"),
        (tmp_path, "is a folder; give the name of a file"),
        (tmp_path / "absent" / "new.nnp.pt", "there is no folder"),
    ):
        done = run("calibrate", al_model.path, data, "--output", target)
        assert done.exit_code == 1
        assert message in done.output
        assert "Errors calibrated" not in done.output
    assert data.read_bytes() == labeled


def test_evaluate_holds_error_bars_against_errors(
    al_model: ExportedModel, data: Path, frames: list[Atoms], tmp_path: Path
) -> None:
    target = tmp_path / "calibrated.nnp.pt"
    assert run("calibrate", al_model.path, data, "--output", target).exit_code == 0
    predictions, labels = predict(target, frames), read_labels(frames)
    by_name = {found.uncertainty: found for found in calibrations(predictions, labels)}
    assert set(by_name) == {"uq_force", "error_force", "uq_energy", "energy_std", "error_energy"}
    assert by_name["error_force"].ratio == pytest.approx(1.0, abs=0.25)
    assert by_name["error_force"].coverage[1] == pytest.approx(0.9, abs=0.1)
    assert by_name["uq_energy"].coverage is None
    assert predictions.error_energy is not None
    outside = predictions.error_energy.copy()
    outside[:5] = np.inf
    cut = calibrations(replace(predictions, error_energy=outside), labels)
    n_inside = int(np.isfinite(outside).sum())
    assert next(found for found in cut if found.uncertainty == "error_energy").n_values == n_inside
    none = calibrations(replace(predictions, error_energy=np.full(len(frames), np.inf)), labels)
    assert "error_energy" not in {found.uncertainty for found in none}


def test_pairs_need_spreads(al_model: ExportedModel, frames: list[Atoms]) -> None:
    with pytest.raises(ValueError, match="without uq_force"):
        pairs_of(predict(al_model.path, frames[:2], members=False, uq_force=False), frames[:2], ["Al"])
