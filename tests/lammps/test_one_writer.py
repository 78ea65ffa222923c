"""Files of hooks have one writer, also where the `lmp` command was killed and LAMMPS, its child, went on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hook_scripts import al_start
from lmp_runner import Lmp, _command, run_lmp
from nnpal.momt import read_bias, read_trace
from processes import Process, wait_until

MOMT = (
    al_start() + "fix n all nve\n"
    "fix momt all python/hook nnpal.momt:MOMT temp 900 H -130 -60 30 every 2 stride 2 progress 20 walls no\n"
)
SMD = al_start() + "fix pull all python/hook nnpal.smd:SMD atoms 1 2 k 2 rate 0 file pull.txt every 2\nfix n all nve\n"


def lammps_in(folder: Path) -> list[int]:
    """Return the processes of LAMMPS itself in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "cwd").resolve() == folder and (place / "exe").resolve().name == "lmp":
                found.append(int(place.name))
    return found


@pytest.fixture
def orphan(lmp: Lmp) -> Iterator[Callable[[str, str], int]]:
    """Return a function that starts LAMMPS, kills the `lmp` command once `file` is there, and returns LAMMPS's pid."""

    def start(script: str, file: str) -> int:
        (lmp.folder / "in.orphan").write_text(script)
        command = [_command("lmp"), "-in", "in.orphan", "-log", "none", "-screen", "none"]
        wrapper = Process(command, cwd=lmp.folder, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            wait_until((lmp.folder / file).exists, wrapper)
        finally:
            wrapper.kill()
            wrapper.wait()
        [pid] = lammps_in(lmp.folder)
        return pid

    yield start
    for pid in lammps_in(lmp.folder):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "written", "files"),
    [(MOMT, "momt.h5", ("momt.trace", "momt.h5")), (SMD, "pull.txt", ("pull.txt",))],
    ids=["MOMT", "SMD"],
)
def test_a_second_run_is_told_who_writes(
    lmp: Lmp, orphan: Callable[[str, str], int], script: str, written: str, files: tuple[str, ...]
) -> None:
    pid = orphan(script + "run 100000000\n", written)
    second = run_lmp(script + "run 20\n", lmp.folder)
    assert second.returncode != 0
    told = re.search(
        rf"ERROR.*{files[0]}: process (\d+) on {os.uname().nodename} \(`(.*)`, since .*\) is writing it; ", second.text
    )
    assert told is not None, second.text
    assert int(told[1]) == pid
    assert "-in in.orphan" in told[2]
    assert "Traceback" not in second.text
    assert not list(lmp.folder.glob("*.bak*"))  # the first run's files are where they were
    assert lammps_in(lmp.folder) == [pid]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not lammps_in(lmp.folder))
    for name in files:
        (lmp.folder / f".123456.{name}").write_text("begun by a writer that was killed")
    lmp(script + "run 20\n")
    assert not [path.name for path in lmp.folder.glob(".*")]
    if script == MOMT:
        assert read_bias(lmp.folder / "momt.h5").step == 20
        assert len(read_trace(lmp.folder / "momt.trace")) == 10


def test_two_fixes_of_one_run_may_not_share_a_file(lmp: Lmp) -> None:
    fixes = "".join(f"fix {name} all python/hook nnpal.smd:SMD atoms 1 2 k 2 rate 0 file a\n" for name in "pq")
    lmp.expect_error(al_start() + fixes + "fix n all nve\nrun 2\n", r"a: process \d+ on .* is writing it")


def test_a_fix_that_is_defined_again_may_write_its_file(lmp: Lmp) -> None:
    lmp(MOMT + "run 4\nunfix momt\n" + MOMT.splitlines()[-1] + "\nrun 4\n")
    assert (lmp.folder / "momt.h5.bak1").exists()
