"""Folders of runs from before the package was laid out in layers: refused with one sentence, kept, or done again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.error import StaleRun
from nnpal.active_learning.engine.stage import Stage, StageContext
from nnpal.active_learning.engine.task import RESULT, TASK, Task, finished_result, perform, prepare
from nnpal.active_learning.sampling import tasks
from nnpal.runtime.json_files import digest

TABLES = {"run": {"iterations": 1, "min_free_disk": 0.0, "seed": 1}}
SENTENCE = "nnpal's modules have other names than in the version that made it, so whether their code changed is unknown"
OUTPUT = "1.5\n"
MANIFEST = {
    "format": 1,
    "entries": [
        {
            "iteration": 0,
            "stage": "first",
            "key": "5f" * 32,
            "seed": 1,
            "config": {},
            "code": {f"nnpal.{name}": "0a" * 32 for name in ("driver", "explore", "hooks", "lmp_process", "loop")}
            | {"nnpal/lammps/libnnpal_ops.so": "0b" * 32},
            "facts": {"files": ["out.txt"]},
            "outputs": {"out.txt": hashlib.sha256(OUTPUT.encode()).hexdigest()},
        }
    ],
    "finished": None,
}


class Two:
    """Two stages that run on code of nnpal."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def stages(self, iteration: int) -> list[Stage]:
        return [Stage(name, self.work, (), ("nnpal.hooks",)) for name in ("first", "second")]

    def stop(self, history: object) -> None:
        return None

    def work(self, ctx: StageContext) -> dict[str, Any]:
        self.done.append(ctx.folder.name)
        (ctx.folder / "out.txt").write_text(OUTPUT)
        return {"files": ["out.txt"]}


def go(folder: Path, **options: bool) -> tuple[list[str], str]:
    config, loop, lines = folder / "old.toml", Two(), []
    config.write_text("")
    run_loop(loop, config, TABLES, folder / "run", log=lines.append, **options)
    return loop.done, "\n".join(lines)


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """The folder of a run of which the first of two stages is finished."""
    first = tmp_path / "run/iter-0000/first"
    first.mkdir(parents=True)
    (first / "out.txt").write_text(OUTPUT)
    (tmp_path / "run/manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "run/resolved.json").write_text(json.dumps(TABLES))
    return tmp_path


def test_it_is_refused_with_one_sentence(old_run: Path):
    with pytest.raises(StaleRun) as caught:
        go(old_run)
    lines = str(caught.value).splitlines()
    assert f"  iter-0000/first: {SENTENCE}" in lines
    assert "nothing was changed; continue with one of" in lines
    assert not [line for line in lines if "nnpal.driver" in line or "nnpal.loop" in line]


def test_it_is_kept_when_told_to_and_goes_on(old_run: Path):
    done, said = go(old_run, keep=True)
    assert done == ["second"]
    assert SENTENCE in said
    assert go(old_run)[0] == []


def test_it_is_done_again_when_told_to(old_run: Path):
    assert go(old_run, redo=True)[0] == ["first", "second"]
    assert (old_run / "run/stale/0/iter-0000/first/out.txt").is_file()


def test_a_task_that_is_done_stays_done(tmp_path: Path):
    content = {"call": "nnpal.driver.tasks:train_member", "arguments": {"member": 1}}
    (tmp_path / TASK).write_text(json.dumps(content))
    (tmp_path / RESULT).write_text(json.dumps({"task": digest(content), "result": {"loss": 0.5}}))
    task = Task(tmp_path, "nnpal.active_learning.shared.tasks:train_member", {"member": 1})
    assert finished_result(tmp_path, prepare(task)) == {"loss": 0.5}
    other = Task(tmp_path, "nnpal.active_learning.shared.tasks:train_member", {"member": 2})
    assert finished_result(tmp_path, prepare(other)) is None


def test_a_task_with_its_earlier_name_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "smd", lambda folder, rate: {"rate": rate})
    (tmp_path / TASK).write_text(json.dumps({"call": "nnpal.explore.run:smd", "arguments": {"rate": 2.0}}))
    assert perform(tmp_path)
    assert json.loads((tmp_path / RESULT).read_text())["result"] == {"rate": 2.0}


def test_the_command_of_earlier_messages_works(tmp_path: Path):
    (tmp_path / "job.py").write_text("def double(folder, x):\n    return {'x': 2 * x}\n")
    (tmp_path / TASK).write_text(json.dumps({"call": "job:double", "arguments": {"x": 4}}))
    command = [sys.executable, "-m", "nnpal.loop.task", str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=60)
    assert json.loads((tmp_path / RESULT).read_text())["result"] == {"x": 8}
