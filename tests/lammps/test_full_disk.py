"""Hooks on a full disk inside `lmp`: LAMMPS ends by a message, no crash, and what was written is whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hook_scripts import al_start, thermo
from lmp_runner import run_lmp
from nnpal.momt import read_bias, read_trace
from small_disk import SmallDisk, small_disk

MOMT = "fix momt all python/hook nnpal.momt:MOMT temp 900 H -130 -60 30 every 1 stride 2 progress 200 walls no\n"
SMD = "fix pull all python/hook nnpal.smd:SMD atoms 1 2 k 2 rate 0 file pull.txt every 1\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 2) as found:
        yield found


def test_momt_ends_by_a_message(disk: SmallDisk) -> None:
    script = al_start() + MOMT + "fix n all nve\n" + thermo("step", every=1000)
    disk.leave(100_000)  # for some hundred rows
    run = run_lmp(script + "run 20000\n", disk.path)
    assert run.returncode == 1, run.text
    assert "momt.trace: no space left on its disk (" in run.text or "momt.h5: no space left on its disk (" in run.text
    assert "free some space there" in run.text
    assert "Traceback" not in run.text
    assert "egmentation" not in run.text
    steps = read_trace(disk.path / "momt.trace").step
    assert len(steps) > 200
    assert steps.tolist() == list(range(1, len(steps) + 1))
    assert read_bias(disk.path / "momt.h5").step % 200 == 0
    assert {name for name in disk.names() if not name.endswith(".lock")} == {"in.script", "momt.h5", "momt.trace"}
    disk.free()
    assert run_lmp(script + "run 20\n", disk.path).returncode == 0
    assert read_bias(disk.path / "momt.h5").step == 20
    assert not [name for name in disk.names() if name.startswith(".")]


def test_smd_ends_by_a_message_and_its_restart_goes_on(disk: SmallDisk) -> None:
    disk.leave(100_000)
    start = al_start() + SMD + "fix n all nve\n"
    run = run_lmp(start + "run 100\nwrite_restart a.restart\nrun 20000\n", disk.path)
    assert run.returncode == 1, run.text
    assert "pull.txt: no space left on its disk (" in run.text
    assert "Traceback" not in run.text
    text = (disk.path / "pull.txt").read_text()
    assert text.endswith("\n")
    disk.free()
    potential = "\n".join(line for line in al_start().splitlines() if line.startswith(("pair_", "timestep")))
    again = run_lmp(f"read_restart a.restart\n{potential}\n{SMD}fix n all nve\nrun 50\n", disk.path)
    assert again.returncode == 0, again.text
    rows = [line for line in (disk.path / "pull.txt").read_text().splitlines() if not line.startswith("#")]
    assert [int(row.split()[1]) for row in rows] == list(range(151))
