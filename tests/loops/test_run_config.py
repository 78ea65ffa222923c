"""What is wrong in a configuration file of a loop is told before anything runs: key, value, what was expected."""

from __future__ import annotations

import re

import pytest

from loop_runs import DISTILLATION, RARE_EVENTS, changed, drive, write_config
from nnpal.active_learning.checks import CHECKS, read_given
from nnpal.active_learning.config import read_run_config, resolved_tables
from nnpal.active_learning.engine.keys import config_hashes, without
from nnpal.active_learning.rare_events import RareEvents
from nnpal.active_learning.settings import RareEventsSection
from nnpal.config import ConfigError

TRANSLATION = changed(
    DISTILLATION,
    distillation=None,
    translation={"source": "run", "symbols": {"Al": "Cu"}, "factor": 0.893},
    explore=None,
)
LOOPS = r"\['rare_events', 'distillation', 'translation'\]: expected exactly one"


def test_the_small_configurations_are_right(tmp_path):
    assert read_run_config(write_config(tmp_path, RARE_EVENTS)).kind == "rare_events"
    assert read_run_config(write_config(tmp_path, DISTILLATION)).kind == "distillation"
    assert read_run_config(write_config(tmp_path, TRANSLATION)).kind == "translation"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (changed(RARE_EVENTS, distillation={}), rf"tables \['rare_events', 'distillation'\] of {LOOPS}"),
        (changed(RARE_EVENTS, rare_events=None), rf"tables none of {LOOPS}"),
        (changed(RARE_EVENTS, initial=None), r"\[rare_events\] requires a table \[initial\]"),
        (
            changed(DISTILLATION, initial={"structure": "water.xyz"}),
            r"\[distillation\] does not use a table \[initial\]",
        ),
        (
            {**RARE_EVENTS, "explore": DISTILLATION["explore"]},
            r"explore\.kind = 'momt': \[rare_events\] expects 'smd'",
        ),
        (
            {**DISTILLATION, "explore": RARE_EVENTS["explore"]},
            r"explore\.kind = 'smd': \[distillation\] expects 'momt'",
        ),
        (changed(DISTILLATION, explore=None), r"explore\.kind = None: \[distillation\] expects 'momt'"),
        (changed(RARE_EVENTS, explore={"kind": "md"}), r"explore.*'md'.*'smd', 'momt'"),
        (
            changed(RARE_EVENTS, ensemble={"members": 1}),
            r"ensemble\.members = 1: uncertainties require at least 2 members",
        ),
        (
            changed(RARE_EVENTS, ensemble={"seeds": [1, 2]}),
            r"ensemble.*seeds = \[1, 2\]: nnpal run derives new seeds from run\.seed",
        ),
        (
            changed(RARE_EVENTS, ensemble={"previous": "old", "split": "inherited"}),
            r"ensemble.*previous = 'old': nnpal run uses the previous iteration",
        ),
        (
            changed(RARE_EVENTS, run={"labels_per_iteration": 2}, augmentation={"copies": 2}),
            r"run\.labels_per_iteration = 2: .*augmentation\.copies = 2.* expected at least 3",
        ),
        (
            changed(TRANSLATION, training={"start": "previous"}),
            r"training\.start = 'previous': \[translation\] trains only once",
        ),
        (changed(DISTILLATION, augmentation={}), r"\[distillation\] does not use a table \[augmentation\]"),
        (
            changed(RARE_EVENTS, crystals={"structures": [{"phase": "fcc", "element": "Al", "bond": 2.86}]}),
            r"\[crystals\] with \[rare_events\] and oracle\.kind = 'ase'.*remove the table",
        ),
        (
            changed(DISTILLATION, oracle={"units": "real"}),
            r"\[crystals\] with oracle\.units = 'real': .* metal units.*remove the table",
        ),
        (
            changed(DISTILLATION, oracle={"charges": {"Al": 3.0}}),
            r"\[crystals\] with oracle\.charges: .* without charges",
        ),
        (
            changed(RARE_EVENTS, explore={"uq_every": 20}),
            r"first_steps = 250, explore\.uq_every = 20: .* 13 values .* expected at least 30 for rare_events\.k = 1;",
        ),
        (
            changed(RARE_EVENTS, rare_events={"k": 7.0}),
            r"the 250 first steps of the pull at 20 Å/ps give 50 values .* expected at least 51",
        ),
        (
            changed(RARE_EVENTS, explore={"rates": [20.0, 100.0]}),
            r"the 81 first steps of the pull at 100 Å/ps give 17 values",
        ),
        (
            changed(TRANSLATION, run={"labels_per_iteration": 10}),
            r"run\.labels_per_iteration = 10: \[translation\] labels its whole source; remove the key",
        ),
        (
            changed(RARE_EVENTS, rare_events={"error_above": 0.3}),
            r"rare_events.*error_above = 0\.3: it replaces .* so that k, first_steps would have no effect; remove one",
        ),
        (
            changed(DISTILLATION, distillation={"error_above": 0.3, "k": None, "estimator": "robust"}),
            r"distillation.*error_above = 0\.3: .* so that estimator would have no effect",
        ),
        (
            changed(DISTILLATION, distillation={"order": "random", "k": 2.0, "min_distance": 0.2}),
            r"distillation.*order = 'random': k, min_distance would have no effect",
        ),
        (
            changed(RARE_EVENTS, rare_events={"order": "random", "k": None, "min_distance": None}),
            r"rare_events.*order = 'random': 0\.5 of the labels would still be selected .*; set peak_share = 0 for",
        ),
        (
            changed(
                RARE_EVENTS,
                rare_events={"error_above": 0.3, "k": None, "first_steps": None},
                explore={"max_error": 0.3},
            ),
            r"rare_events\.error_above = 0\.3, explore\.max_error = 0\.3: candidates lie between the two",
        ),
        (changed(RARE_EVENTS, explore={"max_error": 0.0}), r"explore.*max_error"),
        (changed(RARE_EVENTS, rare_events={"kk": 3.0}), r"rare_events\.kk.*did you mean k\b"),
        (changed(DISTILLATION, distillation={"reduction": "cells"}), r"distillation\.reduction.*'cells'.*'cell'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, tables, message):
    path = write_config(tmp_path, tables)
    with pytest.raises(ConfigError, match=rf"(?s)loop\.toml.*{message}"):
        read_run_config(path)


XTB = {"kind": "ase", "calculator": "tblite.ase:TBLite", "options": {"charge": 0}}
WET = "3\n{keys}\nO 0.0 0.0 0.0\nH 0.96 0.0 0.0\nH -0.24 0.93 0.0\n"
EAM = {"kind": "lammps", "elements": ["O", "H"], "commands": ["pair_style lj/cut 3.0", "pair_coeff * * 0.01 1.0"]}


@pytest.mark.parametrize(
    ("oracle", "keys", "message"),
    [
        (XTB, 'Lattice="5 0 0 0 5 0 0 0 9" pbc="T T F"', "periodic in no or all three .* along x and y"),
        (XTB, "charge=1 spin=2", r"charge \+1, multiplicity 2 is stated, but the oracle's option charge = 0"),
        (XTB, "spin=2", "multiplicity 2 of 10 electrons"),
        (XTB, "charge=0.4", "expected the total charge"),
        (EAM, "charge=1", r"charges of the pair style's atoms .* sum to 0"),
        (
            {"kind": "ase", "calculator": "water_oracle:Water"},
            "charge=1",
            "does not know how to pass it to water_oracle:Water",
        ),
    ],
)
def test_structures_that_the_oracle_cannot_compute(tmp_path, oracle, keys, message):
    path = write_config(tmp_path, {**RARE_EVENTS, "oracle": oracle})
    (tmp_path / "water.xyz").write_text(WET.format(keys=f"Properties=species:S:1:pos:R:3 {keys}"))
    assert re.search(rf"(?s)(initial|explore)\.structure = 'water\.xyz': .*{message}", of_structures(path))


def of_structures(path):
    """Return what is told of the structures' charge, spin and directions before anything runs."""
    given = read_given(read_run_config(path), path.parent)
    checks = [CHECKS[name] for name in ("structure files", "charge, spin, directions")]
    return "\n".join(str(fault) for check in checks for fault in check(given))


def test_environments_of_charged_cells_are_not_cut_out(tmp_path):
    own = {"kind": "momt", "structure": "al.xyz", "O": None, "element": None, "lattice": None, "cells": None}
    tables = changed(DISTILLATION, explore=own, oracle={"charges": {"Al": 0.25}}, crystals=None)
    tables["distillation"]["reduction"] = "cell"
    path = write_config(tmp_path, tables)
    cell = 'Lattice="4.05 0 0 0 4.05 0 0 0 4.05" Properties=species:S:1:pos:R:3 pbc="T T T" charge=1'
    places = ["0 0 0", "0 2.025 2.025", "2.025 0 2.025", "2.025 2.025 0"]
    (tmp_path / "al.xyz").write_text("\n".join(["4", cell, *(f"Al {place}" for place in places), ""]))
    said = of_structures(path)
    assert re.search(r"explore\.structure = 'al\.xyz': it states charge \+1.*reduction = \"none\"", said)


def test_a_threshold_in_error_units_needs_no_first_steps(tmp_path):
    keys = {"error_above": 0.3, "k": None, "first_steps": None}
    tables = changed(RARE_EVENTS, rare_events=keys, explore={"uq_every": 20, "max_error": 1.0})
    assert read_run_config(write_config(tmp_path, tables)).rare_events.error_above == 0.3


def test_limits_of_pulls_under_the_ensemble_leave_the_oracles_alone(tmp_path):
    stages = {}
    for name, keys in {"none": {}, "some": {"max_error": 1.0, "max_uq": 2.0}}.items():
        config = read_run_config(write_config(tmp_path / name, changed(RARE_EVENTS, explore=keys)))
        tables = config.model_dump(mode="json")
        for stage in RareEvents(config, tmp_path / name).stages(0):
            stages[name, stage.name] = config_hashes(without(tables, stage.free), stage.tables)
    assert stages["none", "initial"] == stages["some", "initial"]
    assert stages["none", "explore"] != stages["some", "explore"]


def test_every_key_of_rare_events_makes_its_stages_stale(tmp_path):
    free = {"goal", "patience", "steady"}
    stages = RareEvents(read_run_config(write_config(tmp_path, RARE_EVENTS)), tmp_path).stages(0)
    read = {name.split(".")[1] for stage in stages for name in stage.tables if name.startswith("rare_events.")}
    assert read | free == set(RareEventsSection.model_fields)
    assert not read & free


def test_contents_of_files_belong_to_the_configuration(tmp_path):
    tables = changed(RARE_EVENTS, oracle={"calculator": "own_oracle:Water"})
    path = write_config(tmp_path, tables)
    (tmp_path / "water_oracle.py").rename(tmp_path / "own_oracle.py")
    config = read_run_config(path)
    before = resolved_tables(config, tmp_path)
    for name, table in (("water.xyz", "files"), ("own_oracle.py", "oracle identity")):
        with (tmp_path / name).open("a") as file:
            file.write("\n")
        now = resolved_tables(config, tmp_path)
        assert {key for key in now if now[key] != before[key]} == {table}
        before = now


def test_the_command_tells_it_and_touches_nothing(tmp_path):
    write_config(tmp_path, changed(RARE_EVENTS, ensemble={"members": 1}))
    code, out, err = drive(tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith("nnpal run: loop.toml")
    assert not (tmp_path / "run").exists()
