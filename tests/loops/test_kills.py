"""A loop that is killed between and within its stages goes on by the same command, and ends as if unbroken."""

from __future__ import annotations

import json
import shutil
import signal

import pytest

from loop_runs import (
    RARE_EVENTS,
    TESTS,
    broken_off_after,
    changed,
    facts_by_stage,
    finish,
    kill_when,
    label_calls,
    manifest_bytes,
    n_in_store,
    write_config,
)
from random_kills import files_of, labels_of

pytestmark = pytest.mark.slow  # whole loops; the engine's tests have their parts

PULL = "rate-20-run-0"


def there(folder, name):
    """Return a condition: a file of the run is there, with something in it."""
    path = folder / "run" / name
    return lambda: path.is_file() and path.stat().st_size > 0


def done(folder, stage):
    """Return a condition: a stage is in the manifest."""
    return lambda: stage in facts_by_stage(folder)


def entries(folder):
    return json.loads(manifest_bytes(folder))["entries"]


def kill_in_turn(folder, conditions):
    """Kill the run at each condition; what was finished by then stays, file by file."""
    for condition in conditions:
        before = facts_by_stage(folder)
        assert kill_when(folder, condition) == -signal.SIGKILL
        after = facts_by_stage(folder)
        assert list(after)[: len(before)] == list(before)


@pytest.mark.slow  # test_loop_resume.py kills the engine at every boundary in a second
def test_killed_in_training_exploration_and_labels(rare_events, tmp_path):
    folder = broken_off_after(rare_events, "iter-0000/initial", tmp_path / "copy")
    kill_in_turn(
        folder,
        [
            there(folder, "iter-0000/train/member-1/task.json"),
            done(folder, "iter-0000/train"),
            there(folder, f"iter-0000/explore/ensemble/{PULL}/rows.txt"),
            there(folder, "iter-0000/label/batches/batch-0000/task.json"),
        ],
    )
    finish(folder, "--only", "label")
    assert entries(folder) == entries(rare_events)[:5]
    assert n_in_store(folder) == facts_by_stage(folder)["iter-0000/label"]["n_labelled"]
    # a calculation that was at work as its driver was killed is the only one that may be repeated
    assert n_in_store(folder) <= label_calls(folder) <= n_in_store(folder) + 1


def test_killed_ten_times_all_over_a_run(rare_events, tmp_path):
    write_config(tmp_path, RARE_EVENTS)
    kill_in_turn(
        tmp_path,
        [
            there(tmp_path, "iter-0000/initial/dynamics/temperature-300-run-0/rows.txt"),
            there(tmp_path, "iter-0000/initial/batches/batch-0001/task.json"),
            there(tmp_path, "iter-0000/initial/unseen/batch-0000/labels.sqlite"),
            done(tmp_path, "iter-0000/initial"),
            there(tmp_path, "iter-0000/train/ensemble/member-0/checkpoint.pt"),
            there(tmp_path, f"iter-0000/explore/best/{PULL}/rows.txt"),
            done(tmp_path, "iter-0000/select"),
            there(tmp_path, "iter-0000/report/figures/work_function.csv"),
            there(tmp_path, "iter-0001/train/model.nnp.pt"),
            there(tmp_path, "iter-0001/label/batches/batch-0000/labels.sqlite"),
        ],
    )
    finish(tmp_path)
    assert manifest_bytes(tmp_path) == manifest_bytes(rare_events)
    assert n_in_store(tmp_path) == n_in_store(rare_events)
    assert label_calls(tmp_path) <= n_in_store(tmp_path) + 3  # kills amid labels
    assert not (tmp_path / "run" / "stale").exists()


def test_killed_in_selection_export_and_report(rare_events, tmp_path):
    write_config(tmp_path, RARE_EVENTS)

    def exporting():
        return bool(list((tmp_path / "run/iter-0000/train").glob(".[0-9]*.*/*.nnp.pt")))

    kill_in_turn(
        tmp_path,
        [
            exporting,
            there(tmp_path, f"iter-0000/explore/ensemble/{PULL}/frames.lammpstrj"),
            there(tmp_path, "iter-0000/select/stage.json"),
            there(tmp_path, "iter-0000/report/stage.json"),
            there(tmp_path, "iter-0000/report/report.html"),
            there(tmp_path, "iter-0001/select/stage.json"),
        ],
    )
    finish(tmp_path)
    assert manifest_bytes(tmp_path) == manifest_bytes(rare_events)
    assert labels_of(tmp_path) == labels_of(rare_events)
    assert files_of(tmp_path) == files_of(rare_events)


def test_sigterm_stops_cleanly_and_the_run_goes_on(rare_events, tmp_path):
    folder = broken_off_after(rare_events, "iter-0000/train", tmp_path / "copy")
    condition = there(folder, "iter-0000/explore/ensemble/rate-20-run-0/task.json")
    assert kill_when(folder, condition, number=signal.SIGTERM) == 143
    assert (folder / "run" / "run.log").read_text().splitlines()[-1].endswith("stopped by SIGTERM")
    finish(folder, "--only", "explore")
    assert entries(folder) == entries(rare_events)[:3]


def test_worker_processes_of_parsl_give_the_same_manifest(rare_events, tmp_path):
    tables = changed(RARE_EVENTS, run={"iterations": 1, "executor": "local_processes.py", "workers": None})
    write_config(tmp_path, tables)
    shutil.copy(TESTS.parent / "docs" / "examples" / "local_processes.py", tmp_path)
    finish(tmp_path)
    assert entries(tmp_path)[:5] == entries(rare_events)[:5]
    # the page shows the configuration, [run] too
    assert entries(tmp_path)[5]["facts"] == entries(rare_events)[5]["facts"]
