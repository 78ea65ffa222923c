"""What is told of batch jobs, with commands that answer as Slurm's do; tests/slurm has the real ones."""

from __future__ import annotations

import pytest

from nnpal.active_learning.engine.attempt import execute
from nnpal.active_learning.engine.batch_jobs import BatchJob, cancel_left_jobs, fate, noted_job
from nnpal.active_learning.engine.executors import _keep_waiting_blocks
from nnpal.active_learning.engine.task import Task, prepare

JOB = BatchJob("7", "parsl.explore.block-3.1796048197.4619708", "n2")
SHOWN = "JobId=7 JobName={0.name} JobState={1} Reason=None Restarts={2} ExitCode=0:0 TimeLimit=00:01:00 NodeList=n[1-2]"


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """Put commands of a scheduler on the path, by name and shell program; `calls` has what they were called with."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")

    def put(**programs):
        for name in ("scontrol", "sacct", "squeue", "scancel"):
            path = place / name
            path.write_text(f"#!/bin/sh\necho {name} $* >> {place}/calls\n{programs.get(name, 'exit 1')}\n")
            path.chmod(0o755)

    put.calls = place / "calls"
    return put


@pytest.mark.parametrize(
    ("state", "restarts", "became", "remedy"),
    [
        ("TIMEOUT", 0, "reached its time limit of 00:01:00", "raise walltime of executor explore in the file that"),
        ("CANCELLED", 0, r"was cancelled (scancel)", "stop nnpal run itself"),
        ("NODE_FAIL", 0, "lost a node (n2,", '"#SBATCH --exclude=n2" to scheduler_options of executor explore'),
        ("PENDING", 1, "lost a node (n2,", "its tasks restart elsewhere"),  # put back in the queue
        ("TIMEOUT", 1, "reached its time limit of 00:01:00", "raise walltime"),  # after it was put back
        ("OUT_OF_MEMORY", 0, "ran out of memory", "raise mem_per_node"),
        ("PREEMPTED", 0, "was preempted", "in another job"),
        ("RUNNING", 0, "is still running", "because the node was out of memory"),
        ("CONFIGURING", 0, "is CONFIGURING", ""),
    ],
)
def test_what_became_of_a_job_and_what_to_do(scheduler, state, restarts, became, remedy):
    scheduler(scontrol=f"echo '{SHOWN.format(JOB, state, restarts)}'")
    found = fate(JOB)
    assert found[0].startswith(became)
    assert remedy in found[1]
    assert str(JOB) == "batch job 7 (parsl.explore.block-3, node n2)"


def test_accounting_is_asked_where_the_controller_has_forgotten_a_job(scheduler):
    scheduler(sacct=f"echo '{JOB.name}|CANCELLED by 1000|0:0|08:00:00|n2'")
    assert fate(JOB)[0] == "was cancelled (scancel)"
    scheduler(sacct=f"echo '{JOB.name}||0:0|08:00:00|n2'")
    assert fate(JOB)[0] == "is unknown"
    scheduler(sacct="")
    assert fate(JOB) == ("", "")
    scheduler()
    assert fate(JOB) == ("", "")


def test_an_attempt_notes_the_job_that_it_is_in(tmp_path, monkeypatch):
    task = Task(tmp_path / "task", "builtins:no_such")
    prepare(task)
    alive = tmp_path / "alive"
    alive.touch()
    for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "SLURM_JOB_NAME", "PBS_JOBNAME", "LSB_JOBNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SLURMD_NODENAME", raising=False)
    monkeypatch.setattr("nnpal.active_learning.engine.attempt.Child", Ended)
    execute(str(task.folder), None, str(alive), [], 1, parsl_resource_specification={"num_nodes": 1})
    assert noted_job(task.folder) is None
    monkeypatch.setenv("PBS_JOBID", "12.server")
    monkeypatch.setenv("PBS_JOBNAME", "parsl.label.block-0")
    execute(str(task.folder), None, str(alive), [], 1)
    found = noted_job(task.folder)
    assert (found.number, found.executor) == ("12.server", "label")
    (task.folder / "job.json").write_text('{"number": "12')  # half of it
    assert noted_job(task.folder) is None


class Ended:
    """A child that has ended."""

    code, log_start = 0, 0

    def __init__(self, *arguments, **options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def wait(self, seconds):
        return 0


def test_jobs_that_a_killed_run_has_left_are_cancelled_and_no_others(scheduler, tmp_path):
    scripts = tmp_path / "parsl/000/submit_scripts"
    scripts.mkdir(parents=True)
    for name in ("parsl.explore.block-0.1.5", "parsl.explore.block-0.1.5.stdout", "parsl.label.block-0.1.6"):
        (scripts / name).touch()
    queue = "echo 3 parsl.explore.block-0.1.5; echo 4 parsl.explore.block-0.9.9; echo 5 other"
    scheduler(squeue=queue, scancel="exit 0")
    assert cancel_left_jobs(tmp_path / "parsl") == ["3"]
    assert scheduler.calls.read_text().splitlines()[-1] == "scancel 3"
    scheduler(squeue=queue)  # scancel fails
    assert cancel_left_jobs(tmp_path / "parsl") == []
    scheduler()
    assert cancel_left_jobs(tmp_path / "parsl") == []
    assert cancel_left_jobs(tmp_path / "no run") == []


def test_no_block_is_cancelled_where_none_is_to_be():
    """As Parsl's htex_auto_scale asks for with fewer tasks than a block has workers."""

    class Executor:
        def scale_in(self, blocks, max_idletime=None):
            return ["0", "1"][: blocks or None]  # 0: all that wait

    executor = Executor()
    _keep_waiting_blocks(executor)
    assert executor.scale_in(0, max_idletime=300.0) == []
    assert executor.scale_in(1, max_idletime=300.0) == ["0"]
    assert executor.scale_in(2) == ["0", "1"]
