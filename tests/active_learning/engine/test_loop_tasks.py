"""Tasks that fail, crash, hang, fill the disk or lose their worker, and those that do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import DiskFull, LoopError, StageError
from nnpal.active_learning.engine.failure import FAILURE
from nnpal.active_learning.engine.runner import Limits, TaskRunner
from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.engine.task import Task, finished_result, prepare
from nnpal.runtime.json_files import digest, read_json
from processes import LIMIT, Process, is_running, run, wait_until
from toy_runs import TOYS, calls, is_free

FOLDERS = ("run/iter-0000/explore/0", "run/iter-0000/explore/1")


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A runner in ``tmp_path/run``, and the lines that it has logged."""
    monkeypatch.syspath_prepend(str(TOYS))
    lines = []
    settings = RunSection(min_free_disk=0.0, workers=2)
    found = TaskRunner(settings, tmp_path / "run", base_folder=tmp_path, deadline=Deadline(), log=lines.append)
    found.lines = lines
    yield found
    found.close()


def walks(tmp_path, monkeypatch, what=None, **options):
    """Two walks, the second of which meets with `what`."""
    if what is not None:
        monkeypatch.setenv("TOY_INJECT", f"task:iter-0000/explore/1={what}")
    arguments = {"seed": 1, "loss": 0.5, "step": 2}
    return [Task(tmp_path / folder, "toy_loop:walk", arguments, **options) for folder in FOLDERS]


def python(*arguments, **options):
    return run([sys.executable, *arguments], **options)


def test_results_come_in_order_and_are_not_computed_again(runner, tmp_path, monkeypatch):
    tasks = walks(tmp_path, monkeypatch)
    first = runner.run(tasks)
    assert [outcome.result for outcome in first] == [{"x": 2 * (16807 % 1013) + 0.5}] * 2
    assert [outcome.folder for outcome in first] == [task.folder for task in tasks]
    assert runner.run(tasks) == first
    assert len(calls(tmp_path)) == 2
    other = Task(tasks[0].folder, "toy_loop:walk", {"seed": 1, "loss": 1.5, "step": 2})
    assert runner.run([other])[0].result == {"x": 2 * (16807 % 1013) + 1.5}
    assert len(calls(tmp_path)) == 3  # a changed task runs anew


@pytest.mark.parametrize(
    ("what", "how", "last_line"),
    [
        ("raise", "ended with exit code 1", "ArithmeticError: the walk exploded"),
        ("abort", "was ended by SIGABRT", "in _strike"),
        ("exit", "ended without a result", "(it printed nothing)"),
    ],
)
def test_a_failing_task_is_tried_again_given_up_and_told(runner, tmp_path, monkeypatch, what, how, last_line):
    good, bad = runner.run(walks(tmp_path, monkeypatch, what))
    folder = tmp_path / FOLDERS[1]
    assert good.failure is None
    assert bad.result is None
    assert (bad.failure.kind, bad.failure.how) == ("error", how)
    assert bad.failure.text.startswith(
        f"{folder}: failed 2 times; the last attempt {how}. The end of {folder}/task.log:\n"
    )
    assert last_line in bad.failure.text
    assert f"{folder} {how}; trying again" in runner.lines
    assert bad.failure.text.count("\n    Traceback") <= 1  # the last attempt's lines alone

    monkeypatch.setenv("TOY_INJECT", "")
    assert runner.run(walks(tmp_path, monkeypatch))[1] == bad  # a stage that goes on has the same outcome
    runner.forget_failures()  # but one that failed for it tries again
    by_hand = bad.failure.text.partition("by hand: ")[2]
    assert run(by_hand, shell=True).returncode == 0
    assert runner.run(walks(tmp_path, monkeypatch))[1].result is not None
    assert len(calls(tmp_path)) == 2


def test_a_task_that_fails_once_counts_as_done(runner, tmp_path, monkeypatch):
    outcomes = runner.run(walks(tmp_path, monkeypatch, "raise once"))
    assert [outcome.failure for outcome in outcomes] == [None, None]


def test_a_killed_task_is_no_fault_of_its_own(runner, tmp_path, monkeypatch):
    tasks = walks(tmp_path, monkeypatch, "die once")
    assert runner.run(tasks, Limits(1, 1))[1].failure is None
    assert "was ended by SIGKILL; trying again" in runner.lines[-1]


def test_a_task_may_be_killed_so_often(runner, tmp_path, monkeypatch):
    bad = runner.run(walks(tmp_path, monkeypatch, "die"), Limits(1, 2))[1].failure
    assert bad.kind == "killed"
    assert "failed 3 times; the last attempt was ended by SIGKILL" in bad.text
    assert not (tmp_path / FOLDERS[1] / FAILURE).exists()  # another time there may be room for it


def test_a_task_whose_program_is_killed_counts_as_killed(runner, tmp_path, monkeypatch):
    bad = runner.run(walks(tmp_path, monkeypatch, "lose a program"), Limits(1, 2))[1].failure
    assert (bad.kind, bad.fact) == ("killed", "killed: ended because one of its programs was killed")
    assert "failed 3 times; the last attempt ended because one of its programs was killed" in bad.text
    assert "Killed: lmp was killed" in bad.text
    assert not (tmp_path / FOLDERS[1] / FAILURE).exists()


def test_a_hopeless_task_is_given_up_at_once_with_its_cause(runner, tmp_path, monkeypatch):
    bad = runner.run(walks(tmp_path, monkeypatch, "give up"), Limits(5, 5))[1].failure
    assert "failed once; the last attempt failed with an error that a retry would repeat" in bad.text
    assert runner.lines[-1] == bad.text
    # the manifest says why, and not where
    assert bad.fact == "error: failed with an error that a retry would repeat: 1: the walk of 1 ends at once / always"
    monkeypatch.setenv("TOY_INJECT", "")
    assert runner.run(walks(tmp_path, monkeypatch))[1].failure == bad


def test_what_a_guard_has_removed_need_not_be_removed(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([folder / "gone.alive"]))
    assert [outcome.failure for outcome in runner.run(walks(tmp_path, monkeypatch))] == [None, None]


def test_a_task_has_its_time(runner, tmp_path, monkeypatch):
    bad = runner.run(walks(tmp_path, monkeypatch, "hang", timeout=0.6), Limits(1, 1))[1].failure
    assert (bad.kind, bad.how) == ("timeout", "took longer than 0.6 s")
    lock = tmp_path / FOLDERS[1] / ".lock"
    assert not lock.exists() or is_free(lock)  # a start of Python alone may take longer


def test_tasks_have_the_time_that_the_run_gives_them(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_settings", RunSection(min_free_disk=0.0, task_timeout_hours=0.6 / 3600))
    walk, hanging = walks(tmp_path, monkeypatch, "hang")
    good, bad = runner.run([replace(walk, timeout=LIMIT), hanging], Limits(1, 1))
    assert (bad.failure.kind, bad.failure.how) == ("timeout", "took longer than 0.6 s")
    assert good.failure is None  # its own is what counts, for a start of Python alone may take longer


def test_too_many_failures_end_the_stage_and_the_other_tasks(runner, tmp_path, monkeypatch):
    slow = Task(tmp_path / "run/iter-0000/train/0", "toy_loop:fit", {"epochs": 10**6, "seed": 1, "n_data": 0})
    tasks = [slow, *walks(tmp_path, monkeypatch, "raise")]
    with pytest.raises(StageError, match=r"1 of 3 tasks were given up, more than the 0 allowed(.|\n)*by hand"):
        runner.run(tasks, Limits(1, 0, max_given_up=0))
    assert (slow.folder / "checkpoint").exists()
    assert is_free(slow.folder / ".lock")
    assert len(runner.run(tasks[1:], Limits(1, 0, max_given_up=1))) == 2


def test_a_task_that_finds_the_disk_full_is_not_blamed(runner, tmp_path, monkeypatch):
    with pytest.raises(DiskFull, match="explore/1: no space left on its disk"):
        runner.run(walks(tmp_path, monkeypatch, "full"))
    assert "No space left on device" in (tmp_path / FOLDERS[1] / "task.log").read_text()
    assert not (tmp_path / FOLDERS[1] / FAILURE).exists()


def test_a_nearly_full_disk_is_blamed_before_the_task(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOYS))
    settings = RunSection(min_free_disk=1e9)
    runner = TaskRunner(settings, tmp_path / "run", base_folder=tmp_path, deadline=Deadline(), log=print)
    try:
        with pytest.raises(DiskFull, match=r"GB free on its disk, less than run\.min_free_disk = 1e\+09"):
            runner.run(walks(tmp_path, monkeypatch, "raise"))
    finally:
        runner.close()


def test_a_lost_worker_is_walltime_and_other_faults_of_parsl_end_the_run(runner, tmp_path, monkeypatch):
    from parsl.executors.high_throughput.errors import ManagerLost

    answers = [ManagerLost(b"block-0", "node7"), None, RuntimeError("no such queue")]

    class Lossy:
        def submit(self, kind, *arguments):
            future = Future()
            answer = answers.pop(0)
            if answer is None:
                from nnpal.active_learning.engine.attempt import execute

                future.set_result(execute(*arguments))
            else:
                future.set_exception(answer)
            return future

        def close(self):
            pass

    (tmp_path / "run/parsl").mkdir(parents=True)
    monkeypatch.setattr("nnpal.active_learning.engine.runner.Executors", lambda *arguments: Lossy())
    first, second = walks(tmp_path, monkeypatch)
    assert runner.run([first], Limits(1, 1))[0].failure is None
    assert "lost its worker (Task failure due to loss of manager block-0 on host node7)" in runner.lines[-1]
    with pytest.raises(LoopError, match="could not be executed: RuntimeError: no such queue"):
        runner.run([second], Limits(1, 1))
    answers += [ManagerLost(b"block-0", "node7")] * 2
    failure = runner.run([second], Limits(1, 1))[0].failure
    assert "Task failure due to loss of manager block-0 on host node7. The end of" in failure.text
    assert failure.fact == "walltime: lost its worker"  # a manifest names no processes and nodes


class Counted(Future):
    """A future that counts how often it is asked anything."""

    n = 0

    @property
    def _condition(self):
        Counted.n += 1
        return self._its_condition

    @_condition.setter
    def _condition(self, condition):
        self._its_condition = condition


def test_what_a_task_costs_does_not_depend_on_how_many_others_there_are(tmp_path, monkeypatch):
    """Not one future that has not ended is asked whenever another has."""

    def n_asked(n_tasks):
        Counted.n = 0
        waiting = []

        class OneAfterAnother:
            def submit(self, kind, folder, *arguments):
                waiting.append((Counted(), Path(folder)))
                if len(waiting) == n_tasks:
                    threading.Thread(target=self.end_all).start()
                return waiting[-1][0]

            def end_all(self):
                for future, folder in waiting:
                    (folder / "result.json").write_text(
                        json.dumps({"task": digest(read_json(folder / "task.json")), "result": {}})
                    )
                    future.set_result({"kind": "ended", "how": "ended", "offset": 0})
                    wait_until(lambda future=future: future not in runner._unfinished)

            def check(self):
                pass

            def close(self):
                pass

        monkeypatch.setattr("nnpal.active_learning.engine.runner.Executors", lambda *arguments: OneAfterAnother())
        folder = tmp_path / str(n_tasks)
        (folder / "parsl").mkdir(parents=True)
        settings = RunSection(min_free_disk=0.0)
        runner = TaskRunner(settings, folder, base_folder=folder, deadline=Deadline(), log=lambda line: None)
        tasks = [Task(folder / str(k), "m:f") for k in range(n_tasks)]
        assert all(outcome.result == {} for outcome in runner.run(tasks))
        return Counted.n

    few, many = n_asked(10), n_asked(40)
    assert many == 4 * few


def test_tasks_are_written_without_waiting_for_the_disk_and_half_of_one_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("waits for the disk"))
    [task, _] = walks(tmp_path, monkeypatch)
    task_hash = prepare(task)
    whole = (task.folder / "task.json").read_bytes()
    (task.folder / "task.json").write_bytes(whole[:20])  # as a power cut may leave it
    assert prepare(task) == task_hash
    assert (task.folder / "task.json").read_bytes() == whole


def test_who_does_not_wait_for_tasks_to_end_gives_blocks_back_nevertheless(runner, monkeypatch):
    class Started:
        closed = False

        def close(self):
            self.closed = True

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_executors", executors := Started())
    with monkeypatch.context() as second_signal:
        second_signal.setattr(runner, "_abandon", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runner.close()
    assert executors.closed


def test_two_tasks_in_a_folder_are_refused(runner, tmp_path):
    with pytest.raises(ValueError, match="2 tasks in fewer folders"):
        runner.run([Task(tmp_path / "a", "m:f"), Task(tmp_path / "b/../a", "m:f")])
    with pytest.raises(ValueError, match=r"arguments of task .*: x = .* of type set"):
        runner.run([Task(tmp_path / "a", "m:f", {"x": {1}})])


def test_results_that_are_no_json_are_errors(runner, tmp_path):
    nan, none = runner.run(
        [Task(tmp_path / "run/0", "builtins:dict", {}), Task(tmp_path / "run/1", "os:listdir", {})], Limits(1, 0)
    )
    assert "TypeError" in nan.failure.text  # dict(folder)
    assert "os:listdir returned [" in none.failure.text
    assert "expected a dict" in none.failure.text


def test_by_hand(tmp_path):
    task = Task(tmp_path / "t", "toy_loop:walk", {"seed": 1, "loss": 0, "step": 1})
    missing = python("-m", "nnpal.active_learning.engine.task", str(tmp_path))
    assert missing.returncode == 1
    assert "task.json: no such file" in missing.stderr
    assert "no such folder" in python("-m", "nnpal.active_learning.engine.task", str(tmp_path / "nowhere")).stderr
    task_hash = prepare(task)
    broken = python("-m", "nnpal.active_learning.engine.task", str(task.folder))
    assert broken.returncode == 1
    assert "No module named 'toy_loop'" in broken.stderr
    folder = tmp_path / "iter-0000/explore/0"
    prepare(Task(folder, task.call, task.arguments))
    environment = {**os.environ, "PYTHONPATH": str(TOYS)}
    assert (
        python(
            "-m", "nnpal.active_learning.engine.task", "iter-0000/explore/0", cwd=tmp_path, env=environment
        ).returncode
        == 0
    )
    assert finished_result(folder, task_hash) == {"x": 16807 % 1013}
    again = python("-m", "nnpal.active_learning.engine.task", str(folder), env=environment)
    assert (again.returncode, again.stdout) == (0, f"{folder}: already finished; remove result.json to repeat it\n")


def test_by_hand_beside_another_process_is_refused(tmp_path):
    prepare(Task(tmp_path, "time:sleep", {}))
    (tmp_path / ".lock").touch()
    command = "import fcntl, sys, time; f = open('.lock'); fcntl.flock(f, 2); print(flush=True); time.sleep(10000)"
    with Process([sys.executable, "-c", command], cwd=tmp_path, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        refused = python("-m", "nnpal.active_learning.engine.task", str(tmp_path))
    assert refused.returncode == 1
    assert "another process is running in it" in refused.stderr


def test_a_watched_task_and_its_children_end_with_their_parent(tmp_path):
    prepare(Task(tmp_path, "toy_children:start"))
    (tmp_path / "toy_children.py").write_text(
        "import subprocess, pathlib, os\n"
        "def start(folder):\n"
        "    child = subprocess.Popen(['sleep', '10000'])\n"
        "    (folder / 'pids').write_text(f'{os.getpid()} {child.pid}\\n')\n"
        "    child.wait()\n"
    )
    command = [sys.executable, "-m", "nnpal.active_learning.engine.task", str(tmp_path), "--watched"]
    process = Process(command, stdin=subprocess.PIPE, cwd=tmp_path)
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"), process)
    process.stdin.close()
    assert process.wait() == -signal.SIGKILL
    child = int(pids.read_text().split()[1])
    wait_until(lambda: not is_running(child))


def test_lmp_ends_with_the_process_that_started_it(tmp_path):
    """Without a task above it too, as in the gate: nothing else would end it."""
    code = (
        "from pathlib import Path; from nnpal.lammps.process import run_lmp; "
        "run_lmp([], Path(), launch=['sh', '-c', 'echo $$ > pid; exec sleep 10000'])"
    )
    process = Process([sys.executable, "-c", code], cwd=tmp_path)
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"), process)
    wait_until(lambda: "read _; rm" in commands_of_children(process.pid), process)  # the guard
    process.kill()
    process.wait()
    wait_until(lambda: not is_running(int(pid.read_text())))


def commands_of_children(pid):
    """Return the command lines of a process's children, one a line."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            found.append(Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(found)


def test_a_task_costs_little_to_start(tmp_path):
    prepare(Task(tmp_path, "toy:f"))
    done = python("-X", "importtime", "-m", "nnpal.active_learning.engine.task", str(tmp_path))
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "nnpal" in modules
    assert not modules & {"torch", "numpy", "matplotlib", "parsl", "ase", "pydantic", "typer"}
