"""The check that no process outlives its test, itself: it finds what is left, ends it, and fails the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leftover_processes import MARK, end_leftovers
from processes import Process, is_running, run, wait_until
from support.folders import SEARCH_PATH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SUITE = """
import os, subprocess, sys, time
from pathlib import Path

def orphan(name):
    "Start a process whose parent ends at once, and which has a session of its own."
    subprocess.run(["sh", "-c", f"setsid sleep 1000 >/dev/null 2>&1 & echo $! > {name}"], check=True)

def test_that_leaves_an_orphan():
    orphan("orphan")

def test_that_fails():
    orphan("of_failed")
    assert False

def test_that_ends_all():
    process = subprocess.Popen(["sleep", "1000"])
    process.kill()
    process.wait()

def test_that_is_killed():
    if "hang" in os.environ:
        orphan("of_killed")
        time.sleep(1000)
"""


def pytest_of(folder: Path) -> list[str]:
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "impatient.py").write_text("import leftover_processes\nleftover_processes.GRACE = 0.1\n")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "leftover_processes", "-p", "impatient"]
    return [sys.executable, "-m", "pytest", *options, "test_suite.py"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([SEARCH_PATH, str(folder)]), **more}


def pid_in(path: Path) -> int:
    return int(path.read_text())


def test_a_test_that_leaves_a_process_fails_and_the_process_ends(tmp_path: Path) -> None:
    done = run(pytest_of(tmp_path), cwd=tmp_path, env=environment(tmp_path))
    assert "1 failed, 3 passed, 2 errors" in done.stdout, done.stdout
    for name, pid in (("that_leaves_an_orphan", "orphan"), ("that_fails", "of_failed")):
        assert f"ERROR test_suite.py::test_{name} - Failed: " in done.stdout
        assert f"{pid_in(tmp_path / pid)}: sleep 1000" in done.stdout
        assert not is_running(pid_in(tmp_path / pid))


def test_processes_end_with_a_pytest_that_is_killed(tmp_path: Path) -> None:
    command = [*pytest_of(tmp_path), "-k", "killed"]
    with Process(command, cwd=tmp_path, env=environment(tmp_path, hang="1"), stdout=subprocess.PIPE) as suite:
        path = tmp_path / "of_killed"
        wait_until(lambda: path.exists() and path.read_text().endswith("\n"), suite)
        assert is_running(pid_in(path))
        suite.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_running(pid_in(path)))


def test_children_without_the_mark_are_found_too() -> None:
    child = subprocess.Popen(["sleep", "1000"], env={name: text for name, text in os.environ.items() if name != MARK})
    assert end_leftovers(0.0) == {child.pid: "sleep 1000"}
    assert child.wait() == -signal.SIGKILL
    assert end_leftovers(0.0) == {}
