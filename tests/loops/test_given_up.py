"""Explorations that were given up after they had sampled: what is whole of it is used, and told."""

from __future__ import annotations

import json
import shutil

import pytest

from loop_runs import facts_by_stage
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.failure import Failure
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.rare_events.explore_stage import explore
from nnpal.active_learning.rare_events.initial_stage import First, initial
from nnpal.active_learning.run import read_run_config
from nnpal.active_learning.shared.label_frames import Labeling

PULL = "rate-20-run-0"
TOLD = "killed: was ended by SIGKILL"


class Done:
    """Tasks that were done before, of which some count as given up."""

    def __init__(self, *given_up):
        self._given_up = given_up

    def run(self, tasks, limits=None):
        return [self._outcome(task.folder) for task in tasks]

    def _outcome(self, folder):
        if f"{folder.parent.name}/{folder.name}" in self._given_up:
            return TaskOutcome(folder, None, Failure("killed", "was ended by SIGKILL", "its text"))
        return TaskOutcome(folder, json.loads((folder / "result.json").read_text())["result"], None)


@pytest.fixture
def folder(rare_events, tmp_path):
    return shutil.copytree(rare_events, tmp_path / "copy", symlinks=True)


def context(folder, stage, *given_up):
    history = [{name[10:]: facts for name, facts in facts_by_stage(folder).items() if name < "iter-0001"}]
    tables = json.loads((folder / "run/resolved.json").read_text())
    place = folder / "run/iter-0000" / stage
    return StageContext(
        folder / "run", place, 0, tables, history, history[0]["initial"]["pull_seed"],
        tasks=Done(*given_up), deadline=Deadline(), log=print,
    )  # fmt: skip


def cut(path):
    """Leave half of a file."""
    text = path.read_text()
    path.write_text(text[: len(text) // 2])


def test_a_pull_that_was_given_up_gives_its_frames_and_no_energy(folder):
    whole = facts_by_stage(folder)["iter-0000/explore"]
    ctx = context(folder, "explore", f"ensemble/{PULL}")
    cut(ctx.folder / "ensemble" / PULL / "frames.lammpstrj")
    (ctx.folder / "ensemble" / PULL / "ended.json").unlink()
    section = read_run_config(folder / "loop.toml").explore
    found = json.loads(json.dumps(explore(ctx, section, folder).to_json()))  # tuples are lists there
    assert found["failed_tasks"] == {f"ensemble/{PULL}": TOLD}
    assert found["ensemble"]["ended"] == {PULL: "interrupted"}
    assert found["ensemble"]["activation_energy"] == {"20": None}
    assert 0 < found["ensemble"]["n_frames"] < whole["ensemble"]["n_frames"]
    assert f"ensemble/{PULL}/frames.lammpstrj" in found["files"]
    assert found["best"] == whole["best"]
    (ctx.folder / "ensemble" / PULL / "frames.lammpstrj").unlink()
    assert explore(ctx, section, folder).ensemble.n_frames == 0


def test_the_oracle_s_dynamics_that_were_given_up_give_their_frames(folder):
    whole = facts_by_stage(folder)["iter-0000/initial"]
    run = "dynamics/temperature-300-run-0"
    ctx = context(folder, "initial", run)
    cut(ctx.folder / run / "frames.lammpstrj")
    config = read_run_config(folder / "loop.toml")
    labeling = Labeling(config.oracle, config.label, folder)
    found = initial(ctx, First(labeling, config.initial, config.explore, config.rare_events.unseen, None)).to_json()
    assert found["failed_tasks"] == {run: TOLD}
    assert found["ended"] == {run: "interrupted"}
    assert 0 < found["n_frames"] == found["n_labelled"] < whole["n_frames"]
