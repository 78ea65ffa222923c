"""What the engine gives to stages, where it stops, a full disk, and what nnpal status reads."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import threading
import time

import numpy as np
import pytest

from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.error import DiskFull, LoopError, StageError, Stopped
from nnpal.active_learning.engine.keys import code_hashes, config_hashes, stage_key, stage_seed
from nnpal.active_learning.engine.stage import Stage
from nnpal.active_learning.engine.status import status
from nnpal.active_learning.engine.task import Task, prepare
from nnpal.config import ConfigError
from nnpal.runtime.json_files import as_json, write_json
from toy_runs import STAGES, config_file, drive, entries, finish

TABLES = {"run": {"iterations": 2, "min_free_disk": 0.0}}


class Steps:
    """Stages `a`, `b`, `c` without tasks; `work` is what they do, `reason` ends the run."""

    def __init__(self, work=None, reason=None, names="abc"):
        self.work = work or (lambda ctx: {})
        self.reason = reason
        self.names = names
        self.seen = []

    def stages(self, iteration):
        return [Stage(name, self.run) for name in self.names]

    def run(self, ctx):
        self.seen.append(f"{ctx.iteration}{ctx.folder.name}")
        (ctx.folder / "out").write_text(f"{ctx.iteration} {ctx.seed}")
        return {"files": ["out"], **self.work(ctx)}

    def stop(self, history):
        self.seen.append(f"stop after {len(history)}")
        return self.reason if self.reason is None or len(history) == self.reason[0] else None


def carry_out(folder, loop, tables=TABLES, **options):
    (folder / "c.toml").touch()
    return run_loop(loop, folder / "c.toml", tables, folder / "run", log=lambda text: None, **options)


def test_the_stop_rule_is_asked_after_each_iteration(tmp_path):
    loop = Steps()
    outcome = carry_out(tmp_path, loop)
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("finished", "all 2 iterations are done", 0)
    assert loop.seen == ["0a", "0b", "0c", "stop after 1", "1a", "1b", "1c", "stop after 2"]
    assert outcome.command is None


def test_the_stop_rule_ends_a_run_and_ends_it_again(tmp_path):
    loop = Steps()
    loop.stop = lambda history: f"steady since {len(history)}"
    for _ in range(2):
        assert carry_out(tmp_path, loop).reason == "steady since 1"
    assert loop.seen == ["0a", "0b", "0c"]
    assert json.loads((tmp_path / "run/manifest.json").read_text())["finished"] == "steady since 1"


def test_a_stage_sees_its_place_the_past_and_its_own_seed(tmp_path):
    found = []

    def look(ctx):
        history = [sorted(facts) for facts in ctx.history]
        found.append((ctx.iteration, ctx.folder.name, history, ctx.seed))
        assert ctx.folder == ctx.run_folder / f"iter-{ctx.iteration:04d}" / ctx.folder.name
        assert ctx.path(0, "a", "out").read_text().startswith("0 ")
        assert ctx.tables["run"]["iterations"] == 2
        for facts in ctx.history:
            facts.clear()  # its own copy
        return {"pair": (1, 2)}

    carry_out(tmp_path, Steps(look))
    assert [history for *_, history, _ in found] == [
        [[]],
        [["a"]],
        [["a", "b"]],
        [["a", "b", "c"], []],
        [["a", "b", "c"], ["a"]],
        [["a", "b", "c"], ["a", "b"]],
    ]
    assert len({seed for *_, seed in found}) == 6
    assert json.loads((tmp_path / "run/manifest.json").read_text())["entries"][0]["facts"]["pair"] == [1, 2]


def test_only_a_stage(tmp_path):
    loop = Steps()
    outcome = carry_out(tmp_path, loop, only="b")
    assert (outcome.state, outcome.reason) == ("paused", "b of iteration 0 is done")
    outcome = carry_out(tmp_path, loop, only="a")
    assert outcome.reason == "a of iteration 0 was already done; the next stage is c"
    assert outcome.command == f"nnpal run {tmp_path / 'c.toml'}"
    with pytest.raises(LoopError, match="stage bb does not belong to this workflow; did you mean b"):
        carry_out(tmp_path, loop, only="bb")
    assert loop.seen == ["0a", "0b"]
    carry_out(tmp_path, loop, only="c")
    carry_out(tmp_path, loop, only="a")
    assert loop.seen[-3:] == ["0c", "stop after 1", "1a"]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"a": {"b": [1.0, float("nan")]}}, r"its facts: a\.b\[1\] = nan of type float; expected what JSON can hold"),
        ({"n": np.int64(3)}, r"n = .*3.* of type int64"),
        ({"files": ["nowhere"]}, "fact files names 'nowhere', which is not a file in"),
        ({"files": ["../../config.toml"]}, r"names '../../config\.toml', which is not a file in"),
        ({"files": "out"}, "fact files = 'out', expected a list"),
    ],
)
def test_facts_that_cannot_be_kept_fail_the_stage(tmp_path, facts, message):
    with pytest.raises(StageError, match=message):
        carry_out(tmp_path, Steps(lambda ctx: facts))
    assert not (tmp_path / "run/manifest.json").exists()


def test_a_failing_stage_says_where_and_how_to_go_on(tmp_path):
    def fail(ctx):
        raise ZeroDivisionError("no forces")

    with pytest.raises(StageError) as caught:
        carry_out(tmp_path, Steps(fail))
    run = tmp_path / "run"
    assert str(caught.value) == (
        f"iter-0000/a: ZeroDivisionError: no forces\n  its folder: {run}/iter-0000/a; more in {run}/run.log\n"
        f"  finished stages and tasks stay; after fixing the problem, resume with: nnpal run {tmp_path}/c.toml"
    )
    assert 'raise ZeroDivisionError("no forces")' in (run / "run.log").read_text()
    loop = Steps()
    carry_out(tmp_path, loop)
    assert loop.seen[0] == "0a"


@pytest.mark.parametrize("error", [RuntimeError, StageError])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stage_that_fails_of_the_signal_that_stops_the_run_is_not_blamed(tmp_path, number, error):
    """As lmp in the gate, which Ctrl-C at a terminal ends too."""

    def fail(ctx):
        os.kill(os.getpid(), number)
        raise error(f"`lmp -in in.gate` ended with status {-number}")

    outcome = carry_out(tmp_path, Steps(fail))
    assert (outcome.state, outcome.exit_code) == ("stopped", 128 + number)
    assert outcome.reason == f"stopped by {number.name}"
    assert carry_out(tmp_path, Steps()).state == "finished"


def test_a_failure_after_the_wall_time_is_one(tmp_path):
    def fail(ctx):
        time.sleep(0.1)
        raise ZeroDivisionError("no forces")

    with pytest.raises(StageError, match="no forces"):
        carry_out(tmp_path, Steps(fail), {"run": {"wall_time_hours": 0.05 / 3600, "min_free_disk": 0.0}})


def test_code_that_changes_during_a_run_is_entered_as_it_was_at_the_start(tmp_path, monkeypatch):
    """For it was imported by then."""
    monkeypatch.syspath_prepend(str(tmp_path))
    source = tmp_path / "parcel_of_b.py"
    source.write_text("x = 1\n")
    before = code_hashes(["parcel_of_b"])

    class Upgraded(Steps):
        def stages(self, iteration):
            return [Stage("a", self.run), Stage("b", self.run, code=("parcel_of_b",) if iteration else ())]

    def upgrade(ctx):
        source.write_text("x = 2\n")
        return {}

    carry_out(tmp_path, Upgraded(upgrade))
    entry = json.loads((tmp_path / "run/manifest.json").read_text())["entries"][3]
    assert (entry["iteration"], entry["stage"], entry["code"]) == (1, "b", before)


def test_too_many_failed_tasks_fail_the_stage_which_tries_them_again(tmp_path):
    config_file(tmp_path, run={"max_task_failures": 1, "iterations": 1}, toy={"n_walks": 1})
    code, _, err = drive(tmp_path, inject="task:iter-0000/train/member-0=raise")
    assert code == 1  # the toy's train needs its one task
    assert "nnpal run: iter-0000/train: TypeError" in err
    finish(tmp_path)


def test_a_stage_that_bears_failed_tasks_goes_on(tmp_path):
    config_file(tmp_path, run={"iterations": 1})
    code, _, err = drive(tmp_path, inject="task:iter-0000/explore/1=raise")
    assert (code, err) == (0, "")
    facts = json.loads((tmp_path / "run/manifest.json").read_text())["entries"][1]["facts"]
    assert (facts["n_found"], facts["failed"]) == (2, ["error"])
    assert "  by hand: env PYTHONPATH=" in (tmp_path / "run/run.log").read_text()


class Disk:
    """A disk that is full from the nth write on."""

    def __init__(self, monkeypatch, name):
        self.left = None
        real = getattr(os, name)

        def call(*arguments, **options):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_fills_up_at_any_write_loses_nothing(tmp_path, monkeypatch, name):
    tables = {"run": {"iterations": 1, "min_free_disk": 0.0}}
    (tmp_path / "whole").mkdir()
    carry_out(tmp_path / "whole", Steps(), tables)
    disk = Disk(monkeypatch, name)
    loop, n_full = Steps(), 0
    while True:
        disk.left = n_full
        before = entries(tmp_path)
        n_seen = len(loop.seen)
        told = None
        try:
            carry_out(tmp_path, loop, tables)
        except DiskFull as error:
            told = str(error)
        assert entries(tmp_path)[: len(before)] == before
        assert not [stage for stage in before if f"0{stage[-1]}" in loop.seen[n_seen:]]
        if told is None:
            break
        assert "the disk is full" in told
        assert f"nnpal run {tmp_path / 'c.toml'}" in told
        n_full += 1
    assert n_full > 5
    assert (tmp_path / "run/manifest.json").read_bytes() == (tmp_path / "whole/run/manifest.json").read_bytes()
    assert not list((tmp_path / "run").rglob(".*.json"))  # nothing half written is left


def test_a_stage_that_meets_a_full_disk_says_so(tmp_path):
    def fill(ctx):
        with open("/dev/full", "w") as file:
            file.write("x")

    with pytest.raises(DiskFull, match=r"0000/a: the disk is full: .*[Nn]o space left(.|\n)*resume with: nnpal run"):
        carry_out(tmp_path, Steps(fill))
    with pytest.raises(DiskFull, match=r"less than run\.min_free_disk = 1e\+12; free some space"):
        carry_out(tmp_path, Steps(), {"run": {"min_free_disk": 1e12}})


def test_bad_run_tables_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"c\.toml: workers = 0: input should be greater than 0"):
        carry_out(tmp_path, Steps(), {"run": {"workers": 0}})
    with pytest.raises(LoopError, match=r"run\.executor = .*nowhere\.py: no such file"):
        carry_out(tmp_path, Steps(), {"run": {"executor": "nowhere.py", "min_free_disk": 0.0}})


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LoopError, match=r"run: cannot be locked \(.*Function not implemented\)"):
        carry_out(tmp_path, Steps())


def test_status_of_runs(tmp_path):
    with pytest.raises(LoopError, match="not a run folder; expected a folder made by nnpal run"):
        status(tmp_path)

    def two_tasks(ctx):
        if ctx.iteration == 1 and ctx.folder.name == "b":
            for k in range(2):
                prepare(Task(ctx.folder / str(k), "m:f"))
            write_json(ctx.folder / "0" / "result.json", {})
            found.append(status(ctx.run_folder))
            raise ArithmeticError("broken off")
        return {"n": 3}

    found = []
    with pytest.raises(StageError):
        carry_out(tmp_path, Steps(two_tasks))
    running, broken = found[0], status(tmp_path / "run")
    assert (running.state, broken.state) == ("running", "waiting")
    assert running.holder.startswith(f"process {os.getpid()} on {os.uname().nodename} (`")
    assert [stage.name for stage in broken.finished] == [f"iter-0000/{name}" for name in "abc"] + ["iter-0001/a"]
    assert (broken.begun.name, broken.begun.n_tasks, broken.begun.n_done) == ("iter-0001/b", 2, 1)
    assert broken.facts == {"a": {"n": 3, "files": ["out"]}}
    assert "  interrupted in iter-0001/b, 1 of 2 tasks done\n" in broken.as_text()
    assert re.search(r"  iter-0000: a [\d.]+ s, b [\d.]+ s, c [\d.]+ s\n", broken.as_text())
    assert json.loads(json.dumps(broken.as_dict()))["begun"]["n_done"] == 1
    carry_out(tmp_path, Steps())
    assert status(tmp_path / "run").as_text().startswith(f"{tmp_path / 'run'}: finished: all 2 iterations are done\n")


def test_a_look_at_the_status_does_not_keep_a_run_from_starting(tmp_path):
    (tmp_path / "run").mkdir()
    with (tmp_path / "run/.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        timer = threading.Timer(0.15, lambda: fcntl.flock(file, fcntl.LOCK_UN))
        timer.start()
        assert carry_out(tmp_path, Steps()).state == "finished"
        timer.join()


def test_deadlines():
    now = [0.0]
    deadline = Deadline(3600, clock=lambda: now[0])
    deadline.check()
    now[0] = 3600.0
    with pytest.raises(Stopped, match="the wall time of 1 h") as caught:
        deadline.check()
    assert caught.value.exit_code == 0
    assert not isinstance(caught.value, Exception)
    deadline = Deadline()
    before = signal.getsignal(signal.SIGTERM)
    with deadline.heeding_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped, match="SIGTERM") as caught:
            deadline.check()
        with pytest.raises(KeyboardInterrupt):  # the second does not wait for a check
            signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_keys(tmp_path, monkeypatch):
    assert config_hashes({"a": {"x": 1, "y": 2}, "b": 1}, ["a"]) == config_hashes({"a": {"y": 2, "x": 1}}, ["a"])
    assert config_hashes({}, ["a"]) == config_hashes({"a": None}, ["a"]) != config_hashes({"a": {}}, ["a"])
    assert (
        len(
            {
                stage_key(*parts)
                for parts in [
                    ("", 0, "a", 0, {}, {}),
                    ("", 1, "a", 0, {}, {}),
                    ("k", 0, "a", 0, {}, {}),
                    ("", 0, "b", 0, {}, {}),
                    ("", 0, "a", 1, {}, {}),
                    ("", 0, "a", 0, {"t": "1"}, {}),
                    ("", 0, "a", 0, {}, {"m": "1"}),
                ]
            }
        )
        == 7
    )
    assert 1 <= stage_seed(0, 0, "train") < 2**31
    monkeypatch.syspath_prepend(str(tmp_path))
    inner = tmp_path / "parcel" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("raise RuntimeError('not to be imported')\n")
    before = code_hashes(["parcel"])
    (inner / "deep.py").write_text("x = 1\n")
    after = code_hashes(["parcel"])
    assert before != after
    (inner / "data.txt").write_text("not code")
    assert code_hashes(["parcel"]) == after
    with pytest.raises(ModuleNotFoundError, match=r"no module parcel_x, whose sources belong to a stage's key"):
        code_hashes(["parcel_x"])


def test_json_names_what_it_cannot_hold():
    assert as_json({"a": (1, 2.5, None)}, "it") == {"a": [1, 2.5, None]}
    with pytest.raises(ValueError, match=r"it: a has the key 3; expected"):
        as_json({"a": {3: 1, "b": object()}}, "it")


def test_the_toy_stages_are_those_that_tests_name(tmp_path):
    config_file(tmp_path, loop={"stop_at": 0})
    assert "finished: steady" in finish(tmp_path)
    assert entries(tmp_path) == STAGES[:5]
