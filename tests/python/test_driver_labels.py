"""Labels outside [label.limits] are left out with value and limit; a loop that has other data goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnpal.rare_events.label as labelling
from label_oracles import pair
from nnpal.driver.frames import write_bare
from nnpal.driver.labels import label_in_tasks
from nnpal.driver.reporting import task_failures
from nnpal.driver.settings import LoopLabelSection
from nnpal.driver.tasks import label_batch
from nnpal.loop.deadline import Deadline
from nnpal.loop.error import StageError
from nnpal.loop.runner import TaskOutcome
from nnpal.loop.stage import StageContext, stage_folder

NEAR, FAR, BROKEN = 1.0, 4.0, 6.0
"""Å from the origin of label_oracles.Spring, k = 10 eV/Å²: forces of 14 and 41 eV/Å, and none."""
SAID = "outside label.limits: force: 41.23 eV/Å on atom 1, expected 30 eV/Å at most"


class InThisProcess:
    """Does tasks of labels as a runner would."""

    def run(self, tasks, limits=None):
        return [TaskOutcome(task.folder, label_batch(task.folder, **task.arguments), None) for task in tasks]


@pytest.fixture
def ctx(tmp_path):
    settings = LoopLabelSection(limits={"max_force": 30.0, "energy_spread": 1e3}).model_dump(mode="json")
    oracle = {"kind": "python", "import_path": "label_oracles:Spring", "options": {"k": 10.0}}
    folder = stage_folder(tmp_path / "run", 0, "label")
    folder.mkdir(parents=True)
    tables = {"label": settings, "oracle": oracle, "augmentation": None}
    return StageContext(tmp_path / "run", folder, 0, tables, [{}], 1, InThisProcess(), Deadline(), print)


def test_value_and_limit_are_told_and_the_rest_is_kept(ctx, tmp_path):
    frames = [pair(x) for x in (NEAR, FAR, BROKEN, FAR + 0.5)]
    found = label_in_tasks(ctx, tmp_path, frames)
    assert found.indices == [0]
    assert list(found.reasons) == [1, 2, 3]
    assert found.reasons[1] == SAID
    assert found.reasons[2] == "RuntimeError: the spring broke"
    assert found.facts() == {
        "n_labelled": 1,
        "n_failed": 3,
        "reasons": {f"{SAID} (the first of them)": 2, "RuntimeError: the spring broke": 1},
    }
    ctx.history[0]["label"] = found.facts()
    [failure] = task_failures(ctx)
    assert failure.title == "3 configurations of iteration 0 without a label within label.limits"
    assert f"2 times {SAID} (the first of them)" in failure.text


def test_a_sole_configuration_outside_the_limits_ends_only_what_has_no_other_data(ctx, tmp_path, monkeypatch):
    with pytest.raises(StageError) as error:
        label_in_tasks(ctx, tmp_path, [pair(FAR)])
    assert str(error.value) == f"1 of 1 configurations have no label within label.limits; the first: {SAID}"
    chosen = Path(tmp_path / "chosen.traj")
    write_bare(chosen, [pair(FAR)])
    monkeypatch.setattr(labelling, "chosen_file", lambda _: chosen)
    facts = labelling.label(ctx, tmp_path)
    assert facts == {"n_chosen": 1, "n_labelled": 0, "n_failed": 1, "reasons": {SAID: 1}, "files": []}


def test_a_sole_configuration_without_a_label_ends_the_stage(ctx, tmp_path):
    with pytest.raises(StageError, match="1 of 1 configurations have no label; the first: RuntimeError: the spring br"):
        label_in_tasks(ctx, tmp_path, [pair(BROKEN)], may_be_none=True)


def test_max_failed_counts_labels_outside_the_limits_too(ctx, tmp_path):
    ctx.tables["label"]["max_failed"] = 0
    with pytest.raises(StageError, match=r"1 of 2 .* within label\.limits, label\.max_failed = 0; the first: outside"):
        label_in_tasks(ctx, tmp_path, [pair(NEAR), pair(FAR)], may_be_none=True)
