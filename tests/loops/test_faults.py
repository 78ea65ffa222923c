"""Faults of physics, oracle and training in a loop are contained, counted and told; budgets end it cleanly."""

from __future__ import annotations

import re
import signal

import pytest
import torch

from loop_runs import (
    RARE_EVENTS,
    broken_off_after,
    changed,
    drive,
    facts_by_stage,
    finish,
    kill_when,
    manifest_bytes,
    write_config,
)
from nnpal.active_learning.shared.bare_frames import read_bare

pytestmark = pytest.mark.slow  # whole loops; the engine's tests have their parts


@pytest.fixture
def begun(rare_events, tmp_path):
    """Return a function: a run with the first data of the unbroken one, and tables changed as they are given."""

    def begin(stage="iter-0000/initial", **changes):
        folder = broken_off_after(rare_events, stage, tmp_path / "copy")
        write_config(folder, changed(RARE_EVENTS, **changes))
        return folder

    return begin


def fails(folder, *flags):
    """Run it, which must fail, and return what it says."""
    code, out, err = drive(folder, *flags)
    assert code == 1, out + err
    assert err.startswith("nnpal run: ")
    assert "Traceback" not in err
    return err


def test_a_training_that_diverges_is_told_with_folder_and_command(begun):
    folder = begun(training={"learning_rate": 1e6}, run={"max_task_failures": 1})
    said = fails(folder)
    assert "iter-0000/train" in said
    assert re.search(r"0 of 2 members finished\nmember 0: .*failed once; .*losses are .*member 1: ", said, re.DOTALL)
    assert f"its folder: {folder / 'run/iter-0000/train'}" in said
    assert "resume with: nnpal run loop.toml" in said
    assert "0 of 2 members finished" in fails(folder)  # the same again, not what it left
    write_config(folder, RARE_EVENTS)
    said = fails(folder)  # what the failed stage was begun with has changed
    assert "-training.learning_rate = 1000000.0" in said
    assert "+training.learning_rate = 0.01" in said


def test_a_run_with_a_diverged_member_is_stopped_and_goes_on_to_its_end(begun):
    """Members are trained one after another; weights that are no numbers, in its checkpoint, have one diverge."""
    changes = {"run": {"iterations": 1, "workers": 1}, "training": {"max_epochs": 100}, "ensemble": {"members": 3}}
    folder = begun(**changes)
    train = folder / "run/iter-0000/train"
    checkpoint = train / "ensemble/member-1/checkpoint.pt"
    assert kill_when(folder, checkpoint.exists) == -signal.SIGKILL
    state = torch.load(checkpoint, weights_only=True)
    assert len(state["history"]) < 100
    for values in state["network"].values():
        values.fill_(torch.nan)
    torch.save(state, checkpoint)
    assert kill_when(folder, (train / "member-1/failure.json").exists, number=signal.SIGTERM) == 143
    assert "iter-0000/train" not in facts_by_stage(folder)
    finish(folder)
    facts = facts_by_stage(folder)["iter-0000/train"]
    assert (facts["members"], list(facts["epochs"]), list(facts["failed_members"])) == (2, ["0", "2"], ["1"])
    said = facts["failed_members"]["1"]
    assert said.startswith("error: failed with an error that a retry would repeat: member-1: member 1: losses are ")
    assert str(folder) not in manifest_bytes(folder).decode()
    log = (folder / "run/run.log").read_text()
    assert log.count(f"{train}/member-1: failed once; ") == 1
    assert f"-m nnpal.active_learning.engine.task {train}/member-1" in log
    assert "member 1 of iteration 0" in (folder / "run/report.html").read_text()


def test_labels_of_an_iteration_keep_to_the_budget(begun):
    folder = begun("iter-0001/explore", run={"labels_per_iteration": 3})
    finish(folder, "--only", "label")
    assert facts_by_stage(folder)["iter-0001/label"]["n_labelled"] == 3
    assert len(facts_by_stage(folder)["iter-0001/select"]["chosen"]) == 3


def test_a_spent_wall_time_is_no_failure(begun):
    folder = begun(run={"wall_time_hours": 1e-6})
    code, out, err = drive(folder)
    assert (code, err) == (0, "")
    assert "stopped: the wall time of 1e-06 h (run.wall_time_hours) is used up" in out
    assert "to resume: nnpal run loop.toml" in out
    assert list(facts_by_stage(folder)) == ["iter-0000/initial"]


@pytest.mark.slow  # test_loop_changes.py has each case on a small loop
def test_a_changed_configuration_is_shown_and_refused_unless_told(begun):
    folder = begun("iter-0000/select", rare_events={"k": 2.0})
    said = fails(folder)
    assert "-rare_events.k = 1.0" in said
    assert "+rare_events.k = 2.0" in said
    assert "iter-0000/select: rare_events.k changed" in said
    assert "nothing was changed" in said
    assert "nnpal run loop.toml --redo" in said
    assert "nnpal run loop.toml --keep" in said
    known = facts_by_stage(folder)
    assert "recomputed" in finish(folder, "--redo", "--only", "select")
    again = facts_by_stage(folder)
    assert again["iter-0000/select"]["thresholds"]["rate-20-run-0"]["k"] == 2.0
    assert (folder / "run/stale/0/iter-0000/select/chosen.traj").is_file()
    write_config(folder, changed(RARE_EVENTS, rare_events={"k": 3.0}))
    assert "kept unchanged" in finish(folder, "--keep", "--only", "label")
    kept = facts_by_stage(folder)
    assert {name: kept[name] for name in known} == again


EXPLODING = changed(
    RARE_EVENTS,
    run={"iterations": 1},
    rare_events={"closest": 0.4},
    explore={"max_temperature": 1000.0, "every": 5, "equilibration": 0},
    training={"max_epochs": 1, "learning_rate": 0.5},  # learns nothing but large forces
    augmentation={"sigma": 0.03, "min_distance": 0.5},
)


@pytest.fixture(scope="module")
def exploded(rare_events, tmp_path_factory):
    folder = broken_off_after(rare_events, "iter-0000/initial", tmp_path_factory.mktemp("exploded") / "copy")
    write_config(folder, EXPLODING)
    finish(folder, "--keep")  # the oracle's own pulls were made with another [explore]
    return folder


def test_a_pull_that_explodes_is_cut_and_its_good_part_used(exploded):
    facts = facts_by_stage(exploded)
    explore, select, label = (facts[f"iter-0000/{stage}"] for stage in ("explore", "select", "label"))
    assert explore["ensemble"]["ended"] == {"rate-20-run-0": "too hot"}
    assert explore["ensemble"]["activation_energy"] == {"20": None}
    assert explore["failed_tasks"] == {}
    n_frames = explore["ensemble"]["n_frames"]
    assert 0 < n_frames < 81
    assert sum(select["counts"].values()) == n_frames
    assert 0 < len(select["chosen"]) <= 4
    assert label["n_labelled"] == 2 * len(select["chosen"])  # noisy copies too
    page = (exploded / "run/report.html").read_text()
    assert "ended: too hot; the samples before that are used" in page
    assert "1 of 1 pulls ended early" in page


def test_a_pull_that_explodes_before_its_first_frame_is_no_end_of_the_run(exploded, tmp_path):
    folder = broken_off_after(exploded, "iter-0000/train", tmp_path / "copy")
    write_config(folder, changed(EXPLODING, explore={"equilibration": 50}))
    assert "+explore.equilibration = 50" in finish(folder, "--keep")
    facts = facts_by_stage(folder)
    assert facts["iter-0000/explore"]["ensemble"]["n_frames"] == 0
    assert facts["iter-0000/select"]["chosen"] == []
    assert facts["iter-0000/label"]["n_labelled"] == 0
    assert facts["iter-0000/report"]["reason"] is None  # nothing new, but of a pull that broke off
    assert "ended: too hot" in (folder / "run/report.html").read_text()


def test_an_oracle_that_fails_altogether_is_told_and_asked_again_and_single_failures_are_counted(begun):
    folder = begun("iter-0001/select")
    (folder / "ill").write_text("0.1")
    said = fails(folder)
    select = folder / "run/iter-0001/select"
    chosen = read_bare(select / "chosen.traj") + read_bare(select / "peaks.traj")
    assert f"iter-0001/label: {len(chosen)} of {len(chosen)} configurations have no label; the first: " in said
    assert "CalculationFailed: atoms are farther apart than 0.1 Å" in said
    assert f"its folder: {folder / 'run/iter-0001/label'}" in said
    largest = sorted(frame.get_all_distances().max() for frame in chosen)
    between = f"{(largest[-2] + largest[-1]) / 2:.6f}"
    (folder / "ill").write_text(between)  # one of them still fails
    finish(folder)
    label = facts_by_stage(folder)["iter-0001/label"]
    assert (label["n_labelled"], label["n_failed"]) == (len(chosen) - 1, 1)
    assert label["reasons"] == {f"CalculationFailed: atoms are farther apart than {float(between):g} Å": 1}
    assert len(label["uq"]["energy_uq"]) == label["n_labelled"]
    assert "1 configurations of iteration 1 without a label" in (folder / "run/report.html").read_text()


def test_an_oracle_that_cannot_move_atoms_ends_the_run_at_once(tmp_path):
    write_config(tmp_path, changed(RARE_EVENTS, run={"max_task_failures": 1}))
    (tmp_path / "ill").write_text("0.1")
    said = fails(tmp_path)
    assert "iter-0000/initial: " in said
    assert "atoms are farther apart than 0.1 Å" in said
    assert (
        f"python -m nnpal.active_learning.engine.task "
        f"{tmp_path / 'run/iter-0000/initial/dynamics/temperature-300-run-0'}" in said
    )
    assert not facts_by_stage(tmp_path)
