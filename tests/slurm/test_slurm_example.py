"""`nnpal run` with the Slurm example of the docs on a real Slurm: what ends a job neither loses nor repeats work."""

from __future__ import annotations

import json
import re
import time

import pytest

import loop_runs
from loop_runs import DISTILLATION, changed, facts_by_stage, n_in_store, write_config
from nnpal.active_learning.engine.executors import _let_forgotten_jobs_end, load_config
from processes import wait_until
from slurm_runs import EXAMPLE, write_executors
from toy_runs import STAGES, calls, config_file, drive, entries, finish, start

pytestmark = pytest.mark.slow

EXPLORATIONS = [f"iter-0000/explore/{k}" for k in range(3)]
POLL = 5.0
"""Seconds between Parsl's looks at its jobs."""
HANG = "task:iter-0000/explore/*=hang once"
"""Each exploration hangs in its first attempt."""


def toy(folder, **upper):
    """Write the toy loop of one iteration, whose tasks the example's executors take."""
    write_executors(folder, EXPLORE_BLOCKS=3, **upper)
    config_file(folder, run={"iterations": 1, "executor": EXAMPLE.name})


def run_log(folder):
    return (folder / "run" / "run.log").read_text()


def all_hang(folder):
    """Whether all explorations have begun."""
    return all((folder / "run" / place / "hung").exists() for place in EXPLORATIONS)


def job_of(folder, place):
    return json.loads((folder / "run" / place / "job.json").read_text())["number"]


def assert_each_task_was_done_once(folder):
    done = [line for line in calls(folder) if line.startswith("task ")]
    assert sorted(done) == sorted(f"task {place}" for place in ["iter-0000/train/member-0", *EXPLORATIONS])
    assert entries(folder) == STAGES[:5]


def test_a_loop_runs_mpi_lammps_trainings_and_labels_in_jobs(cluster, tmp_path):
    few = {"explore": {"steps": 120, "every": 4, "equilibration": 20}, "distillation": {"max_chosen": 3, "test": 4}}
    run = {"iterations": 1, "executor": EXAMPLE.name, "workers": None}
    write_config(tmp_path, changed(DISTILLATION, run=run, **few))
    write_executors(tmp_path, RANKS_PER_NODE=2)
    loop_runs.finish(tmp_path)
    assert [name.split("/")[1] for name in facts_by_stage(tmp_path)] == ["sample", "select", "label", "train", "report"]
    [log] = (tmp_path / "run/iter-0000/sample").rglob("log.lammps")
    ranks = re.findall(r"(\d) by (\d) by (\d) MPI processor grid", log.read_text())
    assert {int(x) * int(y) * int(z) for x, y, z in ranks} == {2}  # not two LAMMPS of one rank each
    names = {json.loads(path.read_text())["name"].split(".")[1] for path in (tmp_path / "run").rglob("job.json")}
    assert names == {"explore", "train", "label"}
    assert n_in_store(tmp_path) > 0
    assert not cluster.squeue()  # all blocks were given back


def test_time_limits_cancelled_jobs_and_lost_nodes_are_told_and_their_tasks_done_elsewhere(cluster, tmp_path):
    toy(tmp_path)
    with start(tmp_path, inject=HANG) as process:
        wait_until(lambda: all_hang(tmp_path), process)
        limited, cancelled, on_node = (job_of(tmp_path, place) for place in EXPLORATIONS)
        [node] = cluster.command("squeue", "--noheader", "--format=%N", "--job", on_node).split()
        cluster.command("scontrol", "update", f"jobid={limited}", "timelimit=1")
        cluster.command("scancel", cancelled)
        cluster.command("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out + err
    assert_each_task_was_done_once(tmp_path)
    log = run_log(tmp_path)
    told = "in the file that run.executor names"
    assert re.search(
        rf"batch job {limited} \(parsl\.explore\.block-\d, node n\d\) reached its time limit of 00:01:00: .* raise "
        rf"walltime of executor explore {told}, or make its tasks shorter",
        log,
    )
    assert re.search(rf"batch job {cancelled} \(.*\) was cancelled \(scancel\): its tasks restart in another job", log)
    assert re.search(
        rf"batch job {on_node} \(.*\) lost a node \({node}, .*: its tasks restart elsewhere; .*--exclude", log
    )
    for place, job in zip(EXPLORATIONS, (limited, cancelled, on_node), strict=True):
        assert f"{place} lost its worker in batch job {job}; trying again" in log


def test_a_killed_run_goes_on_and_takes_the_jobs_that_it_has_left_out_of_the_queue(cluster, tmp_path):
    toy(tmp_path)
    with start(tmp_path, inject=HANG) as process:
        wait_until(lambda: all_hang(tmp_path), process)
        process.kill()
        process.wait()
    left = {line.split()[0] for line in cluster.squeue()}
    assert {job_of(tmp_path, place) for place in EXPLORATIONS} <= left
    finish(tmp_path)
    [told] = re.findall(r"cancelled batch jobs that a killed nnpal run had left: (.*)", run_log(tmp_path))
    assert set(told.split(", ")) == left
    assert_each_task_was_done_once(tmp_path)


def test_a_job_that_waits_in_the_queue_stays_there(cluster, tmp_path):
    """Parsl would cancel it every few seconds, with fewer tasks than a job has workers."""
    toy(tmp_path)
    taken = ["--exclusive", "--nodelist=n4", "--output=/dev/null", "--wrap", "sleep 1000"]
    others = cluster.command("sbatch", "--parsable", *taken).strip()
    wait_until(lambda: cluster.squeue() == [f"{others} RUNNING wrap"])
    with start(tmp_path) as process:
        wait_until(lambda: cluster.jobs("train", "PENDING"), process)
        [waiting] = cluster.jobs("train", "PENDING")
        log = tmp_path / "run/parsl/parsl.log"
        n_before = log.read_text().count("Scaling out by 1 blocks")
        end = time.monotonic() + 3 * POLL
        wait_until(lambda: time.monotonic() > end, process)
        assert cluster.jobs("train", "PENDING") == [waiting]
        assert log.read_text().count("Scaling out by 1 blocks") == n_before == 1
        cluster.command("scancel", others)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out + err
    assert job_of(tmp_path, "iter-0000/train/member-0") == waiting
    assert_each_task_was_done_once(tmp_path)


# Parsl asks each network interface for its address, and leaves the sockets for the collector to close
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_rank_that_dies_ends_the_others(cluster, tmp_path):
    """Without SLURM_KILL_BAD_EXIT they would wait for it in MPI until the job's time limit."""
    path = write_executors(tmp_path)
    environment = {executor.provider.worker_init for executor in load_config(path, 1)[0].executors}.pop()
    script = tmp_path / "job.sh"
    step = "srun --ntasks 2 sh -c 'test $SLURM_PROCID = 1 && exec sleep 1000; exit 3'"
    script.write_text(f"#!/bin/bash\n{environment}\n{step}\necho ended with $? > ended\n")
    cluster.command("sbatch", "--ntasks=2", f"--chdir={tmp_path}", str(script))
    wait_until(lambda: not cluster.squeue())
    assert (tmp_path / "ended").read_text().startswith("ended with ")


def test_a_job_that_slurm_has_forgotten_has_ended(cluster):
    """Parsl would believe it running without end: `squeue` fails where it knows none of the jobs."""
    from parsl.jobs.states import JobState, JobStatus
    from parsl.providers import SlurmProvider

    provider = SlurmProvider()
    provider.resources["999"] = {
        "status": JobStatus(JobState.RUNNING),
        "job_stdout_path": None,
        "job_stderr_path": None,
    }
    assert [status.state for status in provider.status(["999"])] == [JobState.RUNNING]  # Parsl's own way
    _let_forgotten_jobs_end(provider)
    assert [status.state for status in provider.status(["999"])] == [JobState.COMPLETED]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('GPU_PARTITION = "gpu"', 'GPU_PARTITION = "no_such"', "sbatch: error: invalid partition specified: no_such"),
        ("source ", "PATH=/usr/bin:/bin\nsource /no/such", "process_worker_pool.py: command not found"),
    ],
    ids=["partition", "environment"],
)
def test_jobs_that_cannot_work_end_the_run_with_their_cause(cluster, tmp_path, before, after, told):
    toy(tmp_path)
    path = tmp_path / EXAMPLE.name
    text = path.read_text()
    path.write_text(text.replace(before, after, 1))
    assert path.read_text() != text
    code, out, err = drive(tmp_path)
    assert code == 1, out + err
    assert "Parsl gave up executor train because its last batch jobs failed; the last one: " in err
    assert told in err
    assert f"how to fix it: correct account, partition or worker_init in {path}" in err
    path.write_text(text)
    finish(tmp_path)
    assert_each_task_was_done_once(tmp_path)
