"""How lmp ended: by itself, by an error, killed from elsewhere, or with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nnpal.lammps.process import LmpError, run_lmp
from nnpal.runtime.child_process import Killed
from processes import Process, wait_until


@pytest.mark.parametrize(
    ("script", "status", "killed"),
    [
        ("kill -KILL $$", -9, True),
        ("kill -TERM $$", -15, True),
        ("exit 137", 137, True),  # as srun says it
        ("exit 143", 143, True),
        ("exit 9", 9, True),  # as MPICH's mpirun does
        ("exit 1", 1, False),
        ("kill -SEGV $$", -11, False),
        ("echo ERROR: Lost atoms; exit 143", 143, False),  # an error on one rank ends the others
    ],
)
def test_what_counts_as_killed(tmp_path: Path, script: str, status: int, killed: bool) -> None:
    with pytest.raises(LmpError, match=f"ended with status {status}; ") as caught:
        run_lmp([], tmp_path, launch=("sh", "-c", script))
    assert caught.value.status == status
    assert isinstance(caught.value, Killed) == killed


ENDLESS = """units lj
lattice fcc 0.84
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 1
velocity all create 1 1
pair_style lj/cut 2.5
pair_coeff 1 1 1 1
fix 1 all nve
thermo 100
thermo_modify flush yes
run 2000000000
"""
STARTER = (
    "import sys; from pathlib import Path; from nnpal.lammps.process import run_lmp; "
    "run_lmp(['-in', 'in.endless', '-log', 'log.endless'], Path(sys.argv[1]), launch=sys.argv[2:])"
)
MPIRUN = str(Path(sysconfig.get_path("scripts")) / "mpirun")


def at_work(folder: Path) -> dict[int, str]:
    """Return the processes whose working folder is ``folder``, with their names."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "cwd").resolve() == folder and "zombie" not in (place / "status").read_text():
                found[int(place.name)] = (place / "comm").read_text().strip()
    return found


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a function that starts LAMMPS by nnpal in ``tmp_path`` and waits until it computes."""
    started: list[Process] = []
    (tmp_path / "in.endless").write_text(ENDLESS)

    def start(*launch: str) -> Process:
        command = [sys.executable, "-c", STARTER, str(tmp_path), *launch]
        started.append(Process(command, stderr=subprocess.PIPE))
        log = tmp_path / "log.endless"
        wait_until(lambda: log.exists() and "Step" in log.read_text(), started[-1])
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for pid in at_work(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("launch", [(), pytest.param((MPIRUN, "-np", "2"), marks=pytest.mark.mpi)])
def test_lammps_ends_with_its_starter(tmp_path: Path, endless: Callable[..., Any], launch: tuple[str, ...]) -> None:
    starter = endless(*launch)
    n_lammps = sum(name == "lmp" for name in at_work(tmp_path).values())
    assert n_lammps == (2 if launch else 1)
    if not launch:
        assert len(at_work(tmp_path)) == 1  # no wrapper that could be killed and leave LAMMPS at work
    starter.kill()
    wait_until(lambda: not at_work(tmp_path))


def test_an_interrupt_waits_for_the_end_of_lammps(
    tmp_path: Path, hasty_processes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_lmp([], tmp_path, launch=("sh", "-c", "exec sleep 10000"))
    assert len(hasty_processes) == 2  # the guard too
    assert None not in [process.returncode for process in hasty_processes]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_lammps_that_is_killed_is_told_at_once(tmp_path: Path, endless: Callable[..., Any]) -> None:
    starter = endless()
    [pid] = at_work(tmp_path)
    os.kill(pid, signal.SIGKILL)
    assert "LmpKilled" in starter.communicate()[1]


@pytest.mark.slow
@pytest.mark.mpi
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ranks_end_with_the_proxy_that_started_them(tmp_path: Path, endless: Callable[..., Any]) -> None:
    endless(MPIRUN, "-np", "2")
    [proxy] = [pid for pid, name in at_work(tmp_path).items() if name.startswith("hydra")]
    os.kill(proxy, signal.SIGKILL)
    wait_until(lambda: "lmp" not in at_work(tmp_path).values())
