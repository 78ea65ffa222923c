"""The demo from sampling to figure at a reduced size, and its parts."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from ase.io import iread, read
from rich.console import Console

from nnpal.demo.dynamics import NVERun
from nnpal.demo.eam import eam_potential, label
from nnpal.demo.run import run_demo
from nnpal.demo.sampling_plan import has_its_phase, plan
from nnpal.demo.settings import DemoSettings
from nnpal.demo.trajectories import Schedule
from nnpal.lammps.process import LmpError, run_lmp
from nnpal.model.calculator import NNPCalculator
from nnpal.model.description import NetworkDescription
from nnpal.runtime.files import aside
from nnpal.training import TrainingSettings

SHORT = Schedule(n_frames=12, every=20, n_equilibrate=300)
SMALL = DemoSettings(
    solid_temperatures=(600.0,),
    liquid_temperatures=(1500.0,),
    pressures=(0.0,),
    solid_schedule=SHORT,
    liquid_schedule=SHORT,
    held_out_solid_temperatures=(450.0,),
    held_out_liquid_temperatures=(1250.0,),
    held_out_pressures=(0.0,),
    held_out_schedule=Schedule(n_frames=2, every=20, n_equilibrate=300),
    network=NetworkDescription(("Al",), hidden=(32, 24)),
    training=TrainingSettings(batch_size=4, max_epochs=12, learning_rate=3e-3),
    n_members=2,
    md_equilibrate=200,
    md_steps=20,
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Output folder, printed text and summary of one reduced demo."""
    folder = tmp_path_factory.mktemp("demo")
    with open(folder / "printed", "w") as stream:
        summary = run_demo(folder, SMALL, Console(file=stream, width=80))
    return folder, (folder / "printed").read_text(), summary


def test_demo_leaves_everything_behind(demo):
    folder, printed, summary = demo
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert len(read(folder / "train.extxyz", ":")) == summary["data"]["n_train"] == 24
    for phase in ("solid", "liquid", "cluster"):
        assert "Total wall time" in (folder / f"{phase}.log").read_text()
        assert phase in printed
    assert summary["settings"]["training"]["max_epochs"] == 12
    assert summary["versions"]["torch"] == torch.__version__
    assert len(summary["data"]["trajectories"]) == len(plan(SMALL))


def test_thermo_output_shows_the_uncertainty_and_no_plugin_is_loaded_by_hand(demo):
    folder, _, summary = demo
    script = (folder / "in.nve").read_text()
    assert "plugin" not in script
    assert "c_c[1]" in (folder / "solid.log").read_text()
    for row in summary["dynamics"].values():
        assert 0.0 < row["uq_energy_mean"] < row["uq_energy_max"]
        assert 0.0 < row["uq_force_mean"] < row["uq_force_max"]
        assert 0.0 < row["expected_error_mean"] < row["expected_error_max"]


def test_reported_accuracy_comes_from_the_files(demo):
    folder, _, summary = demo
    calculator = NNPCalculator(folder / "al.nnp.pt")
    for phase, row in summary["accuracy"].items():
        errors = []
        for frame in read(folder / "held_out.extxyz", ":"):
            if frame.info["phase"] == phase:
                atoms = frame.copy()
                atoms.calc = calculator
                errors.append(atoms.get_forces() - frame.get_forces())
        # extxyz keeps eight decimals: 1e-5 meV/Å
        assert row["force_mae"] == pytest.approx(1e3 * np.abs(errors).mean(), rel=1e-4)
        assert row["n_frames"] == len(errors)
    assert calculator.model.metadata.dataset_hash == summary["data"]["hash"]


def test_dumped_forces_and_uncertainty_are_those_of_the_model_in_python(demo):
    folder, _, summary = demo
    calculator = NNPCalculator(folder / "al.nnp.pt")
    frame = list(iread(folder / "liquid.lammpstrj", format="lammps-dump-text"))[-1]
    atoms = frame.copy()
    # the plugin and Python sum float32 in different orders: some 1e-7 of eV/Å over 80 neighbors
    assert frame.get_forces() == pytest.approx(calculator.get_property("forces", atoms), abs=5e-5)
    uq_force = calculator.get_property("uq_force", atoms)
    assert frame.arrays["f_uq[2]"].ravel() == pytest.approx(uq_force, abs=5e-5)
    error_force = calculator.get_property("error_force", atoms)
    # 5e-5 of a spread of 5e-3 eV/Å and more, by the recipe's slope of at most about 1
    assert frame.arrays["f_uq[3]"].ravel() == pytest.approx(error_force, rel=1e-2)
    (reference,) = label([frame], eam_potential())
    error = np.linalg.norm(frame.get_forces() - reference.get_forces(), axis=1)
    assert 1e3 * error.max() <= summary["dynamics"]["liquid"]["force_error_max"] + 1e-9


def test_a_run_repeats_by_hand(demo):
    folder, _, _ = demo
    before = (folder / "cluster.lammpstrj").read_text()
    run_lmp(["-in", "in.nve", "-var", "phase", "cluster", "-log", "again.log"], folder)
    assert (folder / "cluster.lammpstrj").read_text() == before


def test_what_no_demo_made_stays(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "thesis.txt").write_text("three years")
    with pytest.raises(
        ValueError, match="training exists and does not contain a training of nnpal; it is left unchanged"
    ):
        run_demo(tmp_path, SMALL, Console(quiet=True))
    assert [path.name for path in tmp_path.rglob("*")] == ["training", "thesis.txt"]
    with pytest.raises(ValueError, match=r"thesis\.txt: expected a folder for the demo's files, found a file"):
        run_demo(tmp_path / "training" / "thesis.txt", SMALL, Console(quiet=True))


def test_training_and_held_out_configurations_share_nothing(demo):
    folder, _, _ = demo
    seeds = [trajectory.seed for trajectory in plan(DemoSettings())]
    assert len(set(seeds)) == len(seeds)
    train, held_out = (read(folder / name, ":") for name in ("train.extxyz", "held_out.extxyz"))
    assert not {frame.info["seed"] for frame in train} & {frame.info["seed"] for frame in held_out}
    for a, b in combinations(train + held_out, 2):
        if len(a) == len(b):
            shift = a.get_scaled_positions() - b.get_scaled_positions()
            # atoms of independent trajectories, or 40 fs apart, differ by more than a thousandth
            assert np.abs(shift - np.round(shift)).max() > 1e-3


def test_phases_are_told_apart_by_their_order(demo):
    train = read(demo[0] / "train.extxyz", ":")
    solid, liquid = ([frame for frame in train if frame.info["phase"] == p] for p in ("solid", "liquid"))
    assert has_its_phase("solid", solid)
    assert has_its_phase("liquid", liquid)
    assert not has_its_phase("solid", liquid)
    assert not has_its_phase("liquid", solid)
    assert "did not remain so" not in demo[1]


def test_lmp_errors_show_command_and_output(tmp_path):
    (tmp_path / "in.bad").write_text("units metal\nno_such_command 1\n")
    with pytest.raises(LmpError, match=r"(?s)-in in\.bad.*Unknown command: no_such_command") as caught:
        run_lmp(["-in", "in.bad", "-log", "none"], tmp_path)
    assert len(str(caught.value).splitlines()) < 20


def test_drift_is_the_slope():
    time = np.linspace(0.0, 2.0, 21)
    zeros = np.zeros((2, 3))
    run = NVERun("solid", 3, time, 300.0 + time, -3.4 + 0.002 * time, zeros, zeros, zeros, zeros)
    assert run.drift() == pytest.approx(2.0)
    assert replace(run, total_energy=np.full(21, -3.4)).drift() == pytest.approx(0.0, abs=1e-9)


def test_files_are_whole_or_as_they_were(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail():
        with aside(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"
    with aside(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_settings_refuse_another_element():
    with pytest.raises(ValueError, match="expected only the element Al"):
        DemoSettings(network=NetworkDescription(("Ni",)))
