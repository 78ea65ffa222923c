"""The same run over threads, over Parsl's worker processes, and as a cluster's executors would take it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from nnpal.active_learning.engine.error import LoopError
from nnpal.active_learning.engine.executors import KINDS, Executors, executor_of, load_config, search_paths
from nnpal.lammps.mpi_prefix import mpi_prefix
from processes import LIMIT, wait_until
from toy_runs import STAGES, config_file, done_tasks, entries, finish, is_free, manifest, start

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def processes_naming(text):
    """Return the processes whose command line has ``text``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(path.parent.name)
    return found


@pytest.fixture
def worker_processes(tmp_path):
    """A configuration for Parsl's worker processes, as the docs have it: they count as lost after many heartbeats."""
    shutil.copy(EXAMPLES / "local_processes.py", tmp_path)
    return lambda: config_file(tmp_path, run={"iterations": 1, "executor": "local_processes.py"})


def test_worker_processes_end_a_run_as_threads_do(tmp_path, worker_processes):
    config_file(tmp_path, run={"iterations": 1})
    finish(tmp_path)
    threads = manifest(tmp_path)
    shutil.rmtree(tmp_path / "run")
    worker_processes()
    finish(tmp_path)
    assert manifest(tmp_path) == threads
    assert sorted(os.listdir(tmp_path)) == ["local_processes.py", "run", "toy.toml"]


@pytest.mark.slow
def test_a_killed_run_leaves_no_worker_process_behind(tmp_path, worker_processes):
    worker_processes()
    process = start(tmp_path, inject="task:iter-0000/explore/1=hang")
    hanging = tmp_path / "run/iter-0000/explore/1/.lock"
    wait_until(lambda: hanging.exists() and not is_free(hanging))
    wait_until(lambda: {f"iter-0000/explore/{k}" for k in (0, 2)} <= done_tasks(tmp_path))
    assert processes_naming(str(tmp_path))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until(lambda: is_free(hanging))  # the task ends at once, Parsl's own processes after some heartbeats
    wait_until(lambda: not processes_naming(str(tmp_path)))
    assert entries(tmp_path) == STAGES[:1]
    finish(tmp_path)


@pytest.mark.slow
def test_a_lost_interchange_is_told(tmp_path, worker_processes):
    worker_processes()
    process = start(tmp_path, inject="task:iter-0000/explore/1=hang")
    hanging = tmp_path / "run/iter-0000/explore/1/.lock"
    wait_until(lambda: hanging.exists() and not is_free(hanging))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [server] = [pid for pid in children if "interchange" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(int(server), signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "executor local: its interchange process ended with exit code -9; Parsl's logs are in" in err
    wait_until(lambda: is_free(hanging))
    finish(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_process_group_stops_a_run_cleanly(tmp_path, worker_processes, number):
    """As Ctrl-C at a terminal does."""
    worker_processes()
    process = start(tmp_path, inject="task:iter-0000/explore/1=hang")
    hanging = tmp_path / "run/iter-0000/explore/1/.lock"
    wait_until(lambda: hanging.exists() and not is_free(hanging))
    os.killpg(process.pid, number)
    out, err = process.communicate()
    assert (process.returncode, err) == (128 + number, "")
    assert f"stopped by {number.name}; nnpal run toy.toml" in out
    assert is_free(hanging)
    wait_until(lambda: not processes_naming(str(tmp_path)))
    assert "Scaling in executor local" in (tmp_path / "run/parsl/parsl.log").read_text()  # by Parsl's own way


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["dead", "interrupted"])
def test_blocks_go_back_without_the_interchange_too(tmp_path, worker_processes, monkeypatch, how):
    worker_processes()
    executors = Executors(tmp_path / "parsl", tmp_path / "local_processes.py", 1, tmp_path / "alive")
    [server] = executors._servers.values()
    wait_until(lambda: processes_naming(str(tmp_path)))
    if how == "dead":  # and nobody has looked since
        server.kill()
        server.wait()
        closing = threading.Thread(target=executors.close, daemon=True)
        closing.start()
        closing.join(LIMIT)
        assert not closing.is_alive()
    else:  # by a second Ctrl-C

        def interrupted():
            raise KeyboardInterrupt

        monkeypatch.setattr(executors._kernel, "cleanup", interrupted)
        with pytest.raises(KeyboardInterrupt):
            executors.close()
    assert server.returncode is not None
    wait_until(lambda: not processes_naming(f"{tmp_path}/parsl"))


# Parsl asks each network interface for its address, and leaves the sockets for the collector to close
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_slurm_example_has_an_executor_for_each_kind():
    config, resources = load_config(EXAMPLES / "slurm_executors.py", 1)
    executors = {executor.label: executor for executor in config.executors}
    assert sorted(executors) == sorted(KINDS)
    assert [executor_of(kind, list(executors), None) for kind in KINDS] == list(KINDS)
    from parsl.executors import MPIExecutor
    from parsl.launchers import SimpleLauncher

    assert isinstance(executors["explore"], MPIExecutor)
    assert isinstance(executors["explore"].provider.launcher, SimpleLauncher)
    executors["explore"].validate_resource_spec(dict(resources["explore"]))
    assert executors["train"].available_accelerators == ["0", "1", "2", "3"]
    assert all(executor.provider.init_blocks == 0 for executor in executors.values())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_slurm_example_suits_the_wheel_s_mpi_and_parsl(monkeypatch):
    from parsl.executors.high_throughput.mpi_prefix_composer import compose_srun_launch_cmd
    from parsl.jobs.states import JobState, JobStatus

    config, resources = load_config(EXAMPLES / "slurm_executors.py", 1)
    for executor in config.executors:
        assert "export SLURM_MPI_TYPE=pmi2" in executor.provider.worker_init  # the wheel's MPICH knows no other
        assert "openmpi" not in executor.provider.worker_init
        assert "srun" not in executor.provider.launcher("pool", 1, 1)  # whose step may have one core
        given_up = []
        monkeypatch.setattr(executor, "set_bad_state_and_fail_all", given_up.append)
        failed = {str(k): JobStatus(JobState.FAILED) for k in range(3)}
        executor.block_error_handler(executor, {"0": failed["0"]})
        assert not given_up  # the first job that fails is no end
        executor.block_error_handler(executor, failed)
        assert len(given_up) == 1
    _, words = compose_srun_launch_cmd(resources["explore"], ["n1"])
    assert words == "srun --ntasks 64 --ntasks-per-node 64 --nodelist n1 --nodes 1 --cpus-per-task 1"


def test_the_only_executor_takes_all_and_unlabeled_ones_are_refused():
    assert executor_of("train", ["queue"], None) == "queue"
    with pytest.raises(LoopError, match=r"executors are labeled a, b, none of them train; expected explore, label"):
        executor_of("train", ["a", "b"], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", r"config is None, expected a parsl\.Config"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import parsl; config = parsl.Config(); resources = {'md': {}}", r"resources has \['md'\], expected some of"),
    ],
)
def test_bad_executor_files_are_told(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(LoopError, match=rf"run\.executor = .*bad\.py: {message}"):
        load_config(path, 1)


def test_parsl_is_left_as_it_was_found(tmp_path, monkeypatch):
    import parsl

    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("parsl")
    before = (logger.level, logger.propagate, list(logger.handlers))
    executors = Executors(tmp_path / "parsl", None, 1, tmp_path / "alive")
    executors.close()
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    with pytest.raises(parsl.errors.NoDataFlowKernelError):
        parsl.dfk()
    assert os.listdir(tmp_path) == ["parsl"]


def test_paths_that_every_process_knows_are_not_passed_on():
    assert str(Path(__file__).parents[2]) in search_paths()
    assert not [path for path in search_paths() if "site-packages" in path]


def test_the_words_before_an_mpi_program():
    assert mpi_prefix({"PARSL_MPI_PREFIX": "srun --ntasks 64 --nodelist 'n[1-2]'"}) == [
        "srun",
        "--ntasks",
        "64",
        "--nodelist",
        "n[1-2]",
    ]
    assert mpi_prefix({}) == []
