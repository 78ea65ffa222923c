"""Labels outside [label.limits] are left out with value and limit; a loop that has other data goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnpal.active_learning.rare_events.label_stage as labeling
from label_oracles import pair
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.stage import StageContext, stage_folder
from nnpal.active_learning.rare_events.facts import LabelFacts
from nnpal.active_learning.settings import LoopLabelSection
from nnpal.active_learning.shared.bare_frames import write_bare
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.active_learning.shared.report_page import task_failures
from nnpal.active_learning.shared.tasks import label_batch
from nnpal.oracle.settings import PythonSection
from nnpal.runtime.json_files import as_json

NEAR, FAR, BROKEN = 1.0, 4.0, 6.0
"""Å from the origin of label_oracles.Spring, k = 10 eV/Å²: forces of 14 and 41 eV/Å, and none."""
SAID = "outside label.limits: force: 41.23 eV/Å on atom 1, expected 30 eV/Å at most"


class InThisProcess:
    """Does tasks of labels as a runner would."""

    def run(self, tasks, limits=None):
        return [TaskOutcome(task.folder, label_batch(task.folder, **task.arguments), None) for task in tasks]


@pytest.fixture
def ctx(tmp_path):
    folder = stage_folder(tmp_path / "run", 0, "label")
    folder.mkdir(parents=True)
    return StageContext(tmp_path / "run", folder, 0, {}, [{}], 1, InThisProcess(), Deadline(), print)


def how(base_folder, **changes):
    """Return how labels are computed: by a spring, none beyond 30 eV/Å."""
    section = LoopLabelSection(limits={"max_force": 30.0, "energy_spread": 1e3}, **changes)
    oracle = PythonSection(kind="python", import_path="label_oracles:Spring", options={"k": 10.0})
    return Labeling(oracle, section, base_folder)


def test_value_and_limit_are_told_and_the_rest_is_kept(ctx, tmp_path):
    frames = [pair(x) for x in (NEAR, FAR, BROKEN, FAR + 0.5)]
    found = label_in_tasks(ctx, how(tmp_path), frames)
    assert found.indices == [0]
    assert list(found.reasons) == [1, 2, 3]
    assert found.reasons[1] == SAID
    assert found.reasons[2] == "RuntimeError: the spring broke"
    assert (found.n_labeled, found.n_failed) == (1, 3)
    assert found.counted == {f"{SAID} (the first of them)": 2, "RuntimeError: the spring broke": 1}
    facts = LabelFacts(n_chosen=4, n_labeled=1, n_failed=3, reasons=found.counted, files=())
    [failure] = task_failures(ctx.run_folder, [[facts]])
    assert failure.title == "3 configurations of iteration 0 without a label within label.limits"
    assert f"2 times {SAID} (the first of them)" in failure.text


def test_a_sole_configuration_outside_the_limits_ends_only_what_has_no_other_data(ctx, tmp_path, monkeypatch):
    with pytest.raises(StageError) as error:
        label_in_tasks(ctx, how(tmp_path), [pair(FAR)])
    assert str(error.value) == f"1 of 1 configurations have no label within label.limits; the first: {SAID}"
    chosen = Path(tmp_path / "chosen.traj")
    write_bare(chosen, [pair(FAR)])
    monkeypatch.setattr(labeling, "chosen_file", lambda _: chosen)
    facts = labeling.label(ctx, how(tmp_path), None)
    assert as_json(facts.to_json(), "facts") == {
        "n_chosen": 1,
        "n_labelled": 0,
        "n_failed": 1,
        "reasons": {SAID: 1},
        "files": [],
    }


def test_a_sole_configuration_without_a_label_ends_the_stage(ctx, tmp_path):
    with pytest.raises(StageError, match="1 of 1 configurations have no label; the first: RuntimeError: the spring br"):
        label_in_tasks(ctx, how(tmp_path), [pair(BROKEN)], may_be_none=True)


def test_max_failed_counts_labels_outside_the_limits_too(ctx, tmp_path):
    with pytest.raises(StageError, match=r"1 of 2 .* within label\.limits, label\.max_failed = 0; the first: outside"):
        label_in_tasks(ctx, how(tmp_path, max_failed=0), [pair(NEAR), pair(FAR)], may_be_none=True)
