"""A run that is killed anywhere goes on by the same command, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter

import pytest

from processes import wait_until
from toy_runs import (
    STAGES,
    calls,
    config_file,
    done_tasks,
    drive,
    entries,
    finish,
    is_free,
    manifest,
    start,
)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    config_file(folder)
    finish(folder)
    return folder


def kill_at(folder, place):
    """Have the driver killed at a place, and return what was finished by then."""
    code, out, err = drive(folder, inject=f"{place}=kill")
    assert code == -signal.SIGKILL, (place, out, err)
    for lock in (folder / "run").glob("iter-*/*/*/.lock"):
        wait_until(lambda lock=lock: is_free(lock))  # no task outlives its driver
    return entries(folder), done_tasks(folder)


def goes_on(folder, unbroken, stages, tasks, *, at_work=0):
    """Check that the same command ends the run, repeats nothing, and leaves what an unbroken run leaves.

    Of labels that were being computed when a run was killed, ``at_work`` at most, some are computed again.
    """
    before = len(calls(folder))
    finish(folder)
    later = calls(folder)[before:]
    assert not [call for call in later if call.removeprefix("begin ") in stages]
    assert not [call for call in later if call.removeprefix("task ") in tasks]
    same_end(folder, unbroken, at_work=at_work)


def same_end(folder, unbroken, *, at_work=0):
    assert manifest(folder) == manifest(unbroken)
    computed, expected = (
        Counter(call for call in calls(own) if call.startswith("computed")) for own in (folder, unbroken)
    )
    assert not expected - computed
    assert (computed - expected).total() <= at_work
    assert not (folder / "run" / "stale").exists()


def test_an_unbroken_run_leaves_its_stages_in_the_manifest_and_nothing_beside_its_folder(unbroken):
    found = json.loads(manifest(unbroken))
    assert entries(unbroken) == STAGES
    assert found["finished"] == "all 2 iterations are done"
    assert found["entries"][1]["facts"] == {"failed": [], "files": ["found.json"], "n_found": 3}
    assert found["entries"][5]["facts"]["n_data"] == 2  # history reaches the next iteration
    assert str(unbroken) not in manifest(unbroken).decode()
    assert sorted(os.listdir(unbroken)) == ["run", "toy.toml"]
    assert (unbroken / "run" / "config.toml").read_bytes() == (unbroken / "toy.toml").read_bytes()
    assert set(json.loads((unbroken / "run" / "times.json").read_text())) == set(STAGES)


def test_what_a_killed_process_had_begun_to_write_is_removed_as_its_stage_goes_on(unbroken, tmp_path):
    config_file(tmp_path)
    kill_at(tmp_path, "task:iter-0000/explore/1")
    stage = tmp_path / "run/iter-0000/explore"
    begun = [stage / ".123.found.json", stage / "1" / ".45.result.json", stage / ".678.abcd"]
    begun[2].mkdir()
    for path in (*begun[:2], begun[2] / "model.pt"):
        path.touch()
    goes_on(tmp_path, unbroken, entries(tmp_path), done_tasks(tmp_path))
    assert not [path for path in begun if path.exists()]
    assert (stage / "1" / ".lock").exists()


def test_what_a_killed_process_had_begun_to_write_in_the_runs_own_folder_is_removed(unbroken, tmp_path):
    """The report copies its page, its figures and the model there."""
    config_file(tmp_path)
    kill_at(tmp_path, "task:iter-0000/explore/1")
    (tmp_path / "run/figures").mkdir()
    begun = [tmp_path / "run" / name for name in (".123.manifest.json", "figures/.45.labels_history.png")]
    for path in begun:
        path.touch()
    goes_on(tmp_path, unbroken, entries(tmp_path), done_tasks(tmp_path))
    assert not [path for path in begun if path.exists()]


def test_a_finished_run_does_nothing_more(unbroken, tmp_path):
    folder = shutil.copytree(unbroken, tmp_path / "copy")
    before = calls(folder)
    assert "finished: all 2 iterations are done" in finish(folder)
    assert calls(folder) == before
    assert manifest(folder) == manifest(unbroken)


def test_more_iterations_go_on_from_a_finished_run(unbroken, tmp_path):
    folder = shutil.copytree(unbroken, tmp_path / "copy")
    config_file(folder, run={"iterations": 3})
    before = len(calls(folder))
    finish(folder)
    assert next(call for call in calls(folder)[before:] if call.startswith("begin")) == "begin iter-0002/train"
    assert json.loads(manifest(folder))["entries"][:10] == json.loads(manifest(unbroken))["entries"]


def test_killed_at_every_stage_boundary_in_turn(unbroken, tmp_path):
    config_file(tmp_path)
    for n, stage in enumerate(STAGES):
        # one kill after the other: as it begins, as it ends, and once before and after it is entered in the manifest
        for place in (f"begin:{stage}", f"end:{stage}", *(["before:1"] if n < 5 else [])):
            stages, tasks = kill_at(tmp_path, place)
            assert stages == STAGES[:n], place
        if n < 5:
            stages, tasks = kill_at(tmp_path, "after:1")
            assert stages == STAGES[: n + 1]
    goes_on(tmp_path, unbroken, stages, tasks)
    begun = [call for call in calls(tmp_path) if call.startswith("begin")]
    assert [begun.count(f"begin {stage}") for stage in STAGES] == [4] * 5 + [3] * 5
    tasks = [call for call in calls(tmp_path) if call.startswith("task")]
    assert len(tasks) == len(set(tasks)) == 8


def test_killed_inside_stages_and_tasks_in_turn(unbroken, tmp_path):
    config_file(tmp_path)
    places = [
        "task:iter-0000/train/member-0",
        "task:iter-0000/explore/1",
        "label:iter-0000/0",
        "task:iter-0001/explore/2",
        "label:iter-0001/1",
    ]
    for place in places:
        stages, tasks = kill_at(tmp_path, place)
    goes_on(tmp_path, unbroken, stages, tasks)


def test_killed_as_the_end_is_written_down(unbroken, tmp_path):
    config_file(tmp_path)
    stages, tasks = kill_at(tmp_path, "before:11")
    assert stages == STAGES
    goes_on(tmp_path, unbroken, stages, tasks)


def test_killed_from_outside_at_any_time(unbroken, tmp_path):
    config_file(tmp_path)
    for n_calls in (1, 9):
        process = start(tmp_path)
        wait_until(lambda n=n_calls: len(calls(tmp_path)) >= n)
        process.kill()
        process.communicate()
    goes_on(tmp_path, unbroken, entries(tmp_path), done_tasks(tmp_path), at_work=2)


def test_signals_and_the_wall_time_stop_a_run_cleanly(unbroken, tmp_path):
    config_file(tmp_path, run={"wall_time_hours": 1.5 / 3600})
    code, out, err = drive(tmp_path, inject="task:iter-0000/explore/1=hang")
    assert (code, err) == (0, "")
    assert "stopped: the wall time of" in out
    assert entries(tmp_path) == STAGES[: len(entries(tmp_path))] != STAGES

    config_file(tmp_path)
    process = start(tmp_path, inject="task:iter-0000/explore/1=hang")
    hanging = tmp_path / "run/iter-0000/explore/1/.lock"
    wait_until(lambda: hanging.exists() and not is_free(hanging))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    assert "stopped: stopped by SIGINT; nnpal run toy.toml" in out
    assert is_free(hanging)
    assert entries(tmp_path) == STAGES[:1]

    code, _, err = drive(tmp_path, inject="label:iter-0000/0=term")  # the driver heeds it at its next check
    assert (code, err) == (143, "")
    assert len([call for call in calls(tmp_path) if call.startswith("computed")]) == 1
    goes_on(tmp_path, unbroken, entries(tmp_path), done_tasks(tmp_path))


def test_a_second_process_is_refused_and_the_first_goes_on(tmp_path):
    config_file(tmp_path, run={"iterations": 1})
    first = start(tmp_path, inject="task:iter-0000/explore/1=hang")
    wait_until(lambda: "iter-0000/explore/0" in done_tasks(tmp_path))
    code, _, err = drive(tmp_path)
    assert code == 1
    assert f"nnpal run: run: process {first.pid} on {os.uname().nodename} (`" in err
    assert "is running in it; wait until it ends, or end it" in err
    assert first.poll() is None
    first.kill()
    first.communicate()
    finish(tmp_path)
