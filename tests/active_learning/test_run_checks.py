"""What cannot work is told before a loop runs anything: each check, all faults at once, and the plan."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from ase import Atoms
from typer.testing import CliRunner

from ensembles import organic_ensemble
from loop_runs import DISTILLATION, RARE_EVENTS, changed, write_config
from nnpal.active_learning.checks import CHECKS, CheckError, faults, read_given
from nnpal.active_learning.config import read_run_config
from nnpal.active_learning.engine.manifest import Entry, Manifest, write_manifest
from nnpal.active_learning.run import check, run
from nnpal.cli.app import app
from nnpal.data import write_dataset
from nnpal.label import LabelStore
from nnpal.model import export_ensemble
from nnpal.oracle.calculation import Result
from training_frames import aluminum

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TRANSLATION = changed(
    DISTILLATION,
    distillation=None,
    translation={"source": "al.h5", "symbols": {"Al": "Cu"}, "factor": 0.893},
    explore=None,
    oracle={"elements": ["Cu"], "commands": ["pair_style eam/alloy", "pair_coeff * * Cu_mishin1.eam.alloy Cu"]},
    crystals={"structures": [{"phase": "fcc", "element": "Cu", "bond": 2.55}]},
)
STARTS_A_PROCESS = {"oracle"}
PERIODIC = 'Lattice="9 0 0 0 9 0 0 0 9" pbc="T T F"'
RANK = "def score(path): return 0.0\ndef alone(): return 0.0\n"
EXECUTOR = """from parsl import Config, ThreadPoolExecutor
config = Config(executors=[ThreadPoolExecutor(label="a"), ThreadPoolExecutor(label="b")])
"""


def given(folder, tables):
    path = write_config(folder, tables)
    (folder / "slab.xyz").write_text(f"4\n{PERIODIC} Properties=species:S:1:pos:R:3\n" + _four("Al"))
    (folder / "flat.xyz").write_text(
        '4\nLattice="9 0 0 9 0 0 0 0 9" pbc="T T T" Properties=species:S:1:pos:R:3\n' + _four("Al")
    )
    (folder / "methane.xyz").write_text("2\n\nC 0 0 0\nH 1.1 0 0\n")
    (folder / "rank.py").write_text(RANK)
    (folder / "one.py").write_text(EXECUTOR)
    (folder / "plain").write_text("no program\n")
    write_dataset(folder / "al.h5", aluminum(3), provenance={})
    for name, symbols in {"hydrogen.nnp.pt": ("H",), "water.nnp.pt": ("H", "O")}.items():
        if tables["training"].get("start") == name:
            export_ensemble(organic_ensemble(symbols, 1), folder / name)
    return read_given(read_run_config(path), folder)


def _four(symbol: str) -> str:
    return "".join(f"{symbol} {2.0 * x} {2.0 * y} 0\n" for x in (0, 1) for y in (0, 1))


@pytest.mark.parametrize("tables", [RARE_EVENTS, DISTILLATION, TRANSLATION], ids=["rare", "distill", "translate"])
def test_sound_configurations_have_no_fault(tmp_path, tables):
    assert faults(given(tmp_path, tables)) == []


@pytest.mark.parametrize("name", ["rare_events.toml", "distill.toml"])
def test_examples_of_the_docs_have_no_fault(name):
    found = read_given(read_run_config(EXAMPLES / name), EXAMPLES)
    assert [fault for key, one in CHECKS.items() if key not in STARTS_A_PROCESS for fault in one(found)] == []


@pytest.mark.parametrize(
    ("name", "tables", "message"),
    [
        (
            "structure files",
            changed(RARE_EVENTS, initial={"structure": "warter.xyz"}),
            r"initial\.structure = 'warter\.xyz': no such file in .*, the folder of the configuration file; give",
        ),
        (
            "structure files",
            changed(RARE_EVENTS, explore={"structure": "loop.toml"}),
            r"explore\.structure = 'loop\.toml': .*ASE cannot read it",
        ),
        (
            "structure files",
            changed(TRANSLATION, translation={"source": "run"}),
            r"translation\.source = 'run': no dataset, and no run's folder with learnt\.h5 in it; give",
        ),
        (
            "atom numbers",
            changed(RARE_EVENTS, explore={"atoms": [1, 9]}),
            r"explore\.atoms = \[1, 9\]: water\.xyz has 3 atoms, expected numbers from 1 to 3",
        ),
        (
            "limits of errors",
            changed(RARE_EVENTS, explore={"max_error": 1.0}),
            r"explore\.max_error = 1\.0: the first data are 11 configurations of 3 atoms at most, of which 4, 12 atoms "
            r"in all, can be in the validation set of a member \(ensemble\.members = 2, validation_fraction = "
            r"0\.2\); a "
            r"calibration needs 5 of 50 atoms; train on more configurations",
        ),
        (
            "limits of errors",
            changed(DISTILLATION, distillation={"k": None, "error_above": 0.3, "sets": 8}),
            r"distillation\.error_above = 0\.3: .* are 4 configurations of 32 atoms at most, of which 2, 64 atoms",
        ),
        ("boxes", changed(RARE_EVENTS, initial={"pressure": 1.0}), r"initial\.pressure = 1\.0: .*\[False, .*remove it"),
        (
            "boxes",
            changed(DISTILLATION, explore={"structure": "slab.xyz", "element": None}),
            r"explore\.structure = 'slab\.xyz': periodic along \[True, True, False\]",
        ),
        (
            "boxes",
            changed(DISTILLATION, explore={"structure": "flat.xyz", "element": None}),
            r"explore\.structure = 'flat\.xyz': .*cell",
        ),
        (
            "structure files",
            changed(DISTILLATION, explore={"cells": [50000, 50000, 50000]}),
            r"explore\.cells = \[50000, 50000, 50000\]: so many atoms do not fit into memory",
        ),
        (
            "limits of labels",
            changed(RARE_EVENTS, label={"limits": {"min_distance": 3.0}}),
            r"label\.limits\.min_distance = 3\.0: initial\.structure has .* Å.*: labels of such .* excluded; lower",
        ),
        (
            "limits of labels",
            changed(DISTILLATION, explore={"lattice_constant": 0.5}),
            r"label\.limits\.min_distance = 0\.5: explore\.element has 0\.35",
        ),
        ("grids", changed(DISTILLATION, explore={"H": [-60.0, -130.0, 30]}), r"explore\.H = .*expected low < high"),
        (
            "elements",
            changed(RARE_EVENTS, network={"elements": ["H"]}),
            r"network\.elements = \['H'\]: has no O, which initial\.structure holds",
        ),
        (
            "elements",
            changed(RARE_EVENTS, network={"elements": ["H", "C", "O"]}),
            r"network\.elements = \['H', 'C', 'O'\]: the first training data contain no C; expected only elements in "
            r"these data",
        ),
        (
            "elements",
            changed(RARE_EVENTS, initial={"structure": "methane.xyz"}),
            r"explore\.structure = 'water\.xyz': holds O, which is not in initial\.structure, the first training data",
        ),
        (
            "elements",
            changed(RARE_EVENTS, network={"hidden": {"H": [8]}}),
            r"network\.hidden = \{'H': \[8\]\}: no layers for O",
        ),
        (
            "elements",
            changed(DISTILLATION, oracle={"elements": ["Ni"]}),
            r"oracle\.elements = \['Ni'\]: has no Al, which explore\.element holds",
        ),
        (
            "elements",
            changed(DISTILLATION, crystals={"structures": [{"phase": "fcc", "element": "Ni", "bond": 2.5}]}),
            r"crystals\.structures = 'Ni': no such atoms in the data, which contain Al",
        ),
        (
            "translation",
            changed(TRANSLATION, translation={"symbols": {"Ni": "Copper"}}),
            r"(?s)translation\.symbols.*Copper is not a chemical element.*the source holds Al too",
        ),
        (
            "starts",
            changed(RARE_EVENTS, training={"start": "none.nnp.pt"}),
            r"training\.start = '.*none\.nnp\.pt': not there; expected a model file or the folder of a training",
        ),
        (
            "starts",
            changed(RARE_EVENTS, training={"start": "water.xyz"}),
            r"training\.start = '.*water\.xyz': not a TorchScript archive",
        ),
        (
            "starts",
            changed(RARE_EVENTS, training={"start": "hydrogen.nnp.pt"}, network={"aev": None, "hidden": None}),
            r"training\.start = 'hydrogen\.nnp\.pt': it has networks for H, none for O of the data",
        ),
        (
            "starts",
            changed(RARE_EVENTS, training={"start": "water.nnp.pt"}, network={"aev": None}),
            r"network\.hidden = \{'H': \[8\], 'O': \[8\]\}: "
            r"training\.start, water\.nnp\.pt, has .*\[24, 16\].*; remove",
        ),
        (
            "starts",
            changed(RARE_EVENTS, training={"frozen_layers": 1}),
            r"training\.frozen_layers = 1: without training\.start these layers would keep random weights; give",
        ),
        (
            "starts",
            changed(DISTILLATION, training={"start": "previous", "frozen_layers": 2}),
            r"training\.frozen_layers = 2: Al's network has 2 layers, of which one at least learns; give 1 at most",
        ),
        (
            "first steps",
            changed(RARE_EVENTS, rare_events={"first_steps": 1000}),
            r"rare_events\.first_steps = 1000: the pull at 20 Å/ps has 400 steps .* expected fewer; decrease it",
        ),
        (
            "sets",
            changed(DISTILLATION, distillation={"sets": 30}),
            r"distillation\.sets = 30: 31 configurations are sampled, 25 without the test set",
        ),
        (
            "devices",
            changed(RARE_EVENTS, ensemble={"devices": ["cpu", "cuda:1"]}),
            r"ensemble\.devices = 'cuda:1': torch sees 1 GPUs",
        ),
        ("devices", changed(RARE_EVENTS, ensemble={"devices": ["gpu"]}), r"'gpu': expected auto, cpu, cuda or cuda:N"),
        ("devices", changed(RARE_EVENTS, explore={"device": "cuda:2"}), r"explore\.device = 'cuda:2': torch sees 1"),
        (
            "programs",
            changed(RARE_EVENTS, explore={"launch": ["no-such-mpirun", "-np", "2"]}),
            r"explore\.launch = .*: no-such-mpirun does not exist, expected one on PATH",
        ),
        (
            "programs",
            changed(RARE_EVENTS, initial={"launch": ["./plain"]}),
            r"initial\.launch = \['\./plain'\]: .*expected a name on PATH or an absolute path",
        ),
        (
            "programs",
            changed(DISTILLATION, explore={"launch": ["mpirun", "-np", "3"], "walkers": 2}),
            r"explore\.launch = .*: 3 ranks for 2 walkers, expected a multiple",
        ),
        (
            "executor",
            changed(RARE_EVENTS, run={"executor": "none.py"}),
            r"run\.executor = 'none\.py': no such file",
        ),
        (
            "executor",
            changed(RARE_EVENTS, run={"executor": "one.py"}),
            r"run\.executor = 'one\.py': executors are labeled a, b, none of them explore",
        ),
        (
            "oracle",
            changed(RARE_EVENTS, oracle={"options": {"logg": "x"}}),
            r"oracle\.calculator = .*has no option logg; did you mean log\?",
        ),
        ("oracle", changed(RARE_EVENTS, oracle={"calculator": "warter:Water"}), r"module warter cannot be imported"),
        (
            "oracle",
            changed(DISTILLATION, oracle={"commands": ["pair_style eam/fs", "pair_coeff * * Missing.eam.fs Al"]}),
            r"oracle\.commands = .*Missing\.eam\.fs",
        ),
        (
            "oracle",
            {**RARE_EVENTS, "oracle": {"kind": "python", "import_path": "label_oracles:Spring"}},
            r"oracle\.import_path = 'label_oracles:Spring': .*cannot move atoms in LAMMPS",
        ),
        (
            "oracle",
            {**TRANSLATION, "oracle": {"kind": "python", "import_path": "label_oracles:Unready"}},
            r"its process ended with exit code 4",
        ),
        (
            "ranking of members",
            changed(RARE_EVENTS, ensemble={"best_member": "rank:scor"}),
            r"ensemble\.best_member = 'rank:scor': there is no scor in rank; did you mean score",
        ),
        (
            "ranking of members",
            changed(RARE_EVENTS, ensemble={"best_member": "rank:alone"}),
            r"takes \(\), expected one argument, a model file's path",
        ),
    ],
)
def test_each_fault_is_told_with_key_value_and_fix(tmp_path, monkeypatch, name, tables, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    if tables.get("oracle", {}).get("kind") == "python":
        tables = {key: table for key, table in tables.items() if key != "crystals"}
    found = given(tmp_path, tables)
    assert re.search(message, "\n".join(map(str, CHECKS[name](found)))), list(map(str, CHECKS[name](found)))


def test_devices_and_programs_of_an_executor_are_not_sought_here(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    tables = changed(
        RARE_EVENTS,
        run={"executor": "one.py"}, ensemble={"devices": ["cuda"]}, explore={"launch": ["srun"], "device": "cuda"},
        oracle={"options": {"logg": "x"}},
    )  # fmt: skip
    found = given(tmp_path, tables)
    (tmp_path / "one.py").write_text(EXECUTOR.replace(', ThreadPoolExecutor(label="b")', ""))
    assert faults(found) == []


def test_the_command_tells_all_faults_at_once_and_writes_nothing(tmp_path):
    tables = changed(RARE_EVENTS, rare_events={"first_steps": 1000}, explore={"atoms": [1, 9]})
    path = write_config(tmp_path, tables)
    before = sorted(os.listdir(tmp_path))
    for more in ((), ("--check",)):
        done = CliRunner().invoke(app, ["run", str(path), *more])
        assert done.exit_code == 1
        assert "2 faults; nothing was run\n  explore.atoms = [1, 9]: " in done.output
        assert "\n  rare_events.first_steps = 1000: " in done.output
    with pytest.raises(CheckError) as error:
        run(path)
    assert [fault.key for fault in error.value.faults] == ["explore.atoms", "rare_events.first_steps"]
    assert sorted(os.listdir(tmp_path)) == before


def test_limits_of_errors_look_at_the_last_model_of_a_run(tmp_path, al_model, calibrated_al):
    tables = changed(DISTILLATION, distillation={"k": None, "error_above": 0.3, "sets": 8})
    found = given(tmp_path, tables)
    train = tmp_path / "run/iter-0000/train"
    train.mkdir(parents=True)
    write_manifest(tmp_path / "run", Manifest((Entry(0, "train", "", 1, {}, {}, {}, {}),)))
    check_limits = CHECKS["limits of errors"]
    for model, faulty in ((al_model, True), (calibrated_al, False)):
        shutil.copy(model.path, train / "model.nnp.pt")
        told = [str(fault) for fault in check_limits(found)]
        assert bool(told) == faulty
        assert all(re.search(r"error_above = 0\.3: .*model\.nnp\.pt has no calibration", line) for line in told)
    assert not list(check_limits(given(tmp_path, DISTILLATION)))


def test_learning_curves_for_tensorboard_need_the_package(tmp_path, monkeypatch):
    path = write_config(tmp_path, changed(RARE_EVENTS, training={"tensorboard": True}))
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    done = CliRunner().invoke(app, ["run", str(path), "--check"])
    assert done.exit_code == 1
    assert "training.tensorboard = True: torch's writer cannot be imported" in done.output
    assert "pip install tensorboard, or remove the key" in done.output


def test_check_prints_the_plan_and_writes_nothing(tmp_path):
    tables = changed(RARE_EVENTS, augmentation={"copies": 2}, run={"labels_per_iteration": 7})
    path = write_config(tmp_path, tables)
    before = sorted(os.listdir(tmp_path))
    done = CliRunner().invoke(app, ["run", str(path), "--check"])
    assert done.exit_code == 0, done.output
    assert sorted(os.listdir(tmp_path)) == before
    # 11 frames with 2 copies each; 21 frames of the pull, 6 of them; two iterations of a frame
    # of the peak with a displaced copy, and of the five labels left one configuration with its noisy copies
    assert "labels: 49 at most (33 first data, 6 unseen, 10 chosen in 2 iterations)" in done.output
    assert "450 steps for the first data (1 run), 900 steps for the reference (2 pulls)" in done.output
    assert "trainings: 2 at most, each of 2 members over 3 epochs at most" in done.output
    assert "cost: not known before the run's first labels" in done.output
    assert "All checks passed; nothing was run." in done.output


@pytest.mark.parametrize("call", [check, run])
def test_a_file_where_the_runs_folder_is_to_be(call, tmp_path):
    path = write_config(tmp_path, RARE_EVENTS)
    (tmp_path / "run").write_text("of others")
    with pytest.raises(CheckError, match=r"run\.folder = 'run': .*run is a file, expected a folder; give another name"):
        call(path)
    assert (tmp_path / "run").read_text() == "of others"


@pytest.mark.parametrize(("share", "labels", "said"), [(0.5, 4, False), (0.5, 3, True), (0.0, 3, False)])
def test_the_plan_tells_that_a_share_of_the_labels_is_too_small_for_a_frame(tmp_path, share, labels, said):
    tables = changed(RARE_EVENTS, run={"labels_per_iteration": labels}, rare_events={"peak_share": share})
    text = str(check(write_config(tmp_path, tables)))
    assert ("peak_share = 0.5: this share of an iteration's labels is less than one frame" in text) is said


def test_plans_of_distillation_and_translation(tmp_path):
    path = write_config(tmp_path, changed(DISTILLATION, run={"iterations": 9}))
    plan = check(path)
    assert plan.iterations == 2  # as many as sets
    assert [count.n for count in plan.labels] == [6, 16, 5]
    assert [count.n for count in plan.steps] == [4000]
    given(tmp_path, TRANSLATION)
    plan = check(tmp_path / "loop.toml")
    assert (plan.n_labels, plan.iterations, plan.steps) == (6, 1, ())


def test_the_cost_is_that_of_labels_in_the_store(tmp_path):
    path = write_config(tmp_path, RARE_EVENTS)
    (tmp_path / "run").mkdir()
    with LabelStore(tmp_path / "run" / "labels.sqlite") as store:
        for k, seconds in enumerate((100.0, 300.0)):
            atoms = Atoms("H", positions=[[k, 0, 0]])
            store.put_label(f"{k}", {"kind": "any"}, Result(0.0, 0 * atoms.positions, None), rung=0, seconds=seconds)
        store.put_failure("failed", {"kind": "any"}, 1, "it failed", rung=0, seconds=1e6)
    text = check(path).as_text()
    assert (
        "cost: 200 s per label, the mean of 2 in the store of this run; at most 76.7 min for the remaining labels"
        in text
    )
