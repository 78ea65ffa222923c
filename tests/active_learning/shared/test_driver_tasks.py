"""Tasks of labels and of training: what a death or a divergence leaves behind, and how a stage goes on after it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from label_oracles import pair
from nnpal.active_learning.engine.error import GiveUp
from nnpal.active_learning.engine.task import RESULT
from nnpal.active_learning.shared.bare_frames import write_bare
from nnpal.active_learning.shared.label_frames import _forget
from nnpal.active_learning.shared.tasks import FRAMES, STORE, batch_hash, label_batch, train_member
from nnpal.label import LabelStore
from nnpal.model.description import NetworkDescription
from nnpal.runtime.child_process import Killed
from nnpal.training import EnsembleSettings, TrainingSettings
from nnpal.training.ensemble import begin_training
from nnpal.training.plan import member_folder, read_plan
from training_frames import aluminum

NETWORK = NetworkDescription(("Al",), hidden=(8,))
SHORT = {"batch_size": 8, "max_epochs": 2}


def test_a_batch_whose_worker_is_killed_keeps_its_labels_and_is_no_failure(tmp_path):
    frames = [pair(x) for x in (6.0, 1.0, 2.0)]
    write_bare(tmp_path / FRAMES, frames)
    arguments = {
        "oracle": {"kind": "python", "import_path": "label_oracles:Victim", "options": {"log": str(tmp_path / "log")}},
        "base_folder": ".", "content": batch_hash(frames), "threads": 1, "timeout": None,
    }  # fmt: skip
    with pytest.raises(
        Killed, match="1 of 3 configurations have no answer; the first: its worker was ended by SIGKILL"
    ):
        label_batch(tmp_path, **arguments)
    with LabelStore(tmp_path / STORE) as store:
        assert len(store) == 2
    (tmp_path / "log.spared").touch()
    assert label_batch(tmp_path, **arguments) == {"labeled": 3, "failed": []}


@pytest.mark.parametrize("n_removed", range(4))
def test_a_kill_amid_forgetting_leaves_no_batch_done_without_its_store(tmp_path, monkeypatch, n_removed):
    batches = [tmp_path / "batches" / f"batch-000{k}" for k in range(2)]
    for batch in batches:
        batch.mkdir(parents=True)
        (batch / RESULT).touch()
        LabelStore(batch / STORE).close()
    unlink, count = Path.unlink, itertools.count()

    def killed(path, **options):
        if next(count) == n_removed:
            raise KeyboardInterrupt
        unlink(path, **options)

    with LabelStore(tmp_path / "all.sqlite") as store, monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            _forget(store, tmp_path / "batches", [])
    assert not [batch for batch in batches if (batch / RESULT).exists() and not (batch / STORE).exists()]
    with LabelStore(tmp_path / "all.sqlite") as store:
        _forget(store, tmp_path / "batches", [])
    assert not [path for batch in batches for path in batch.iterdir()]


def test_a_result_left_without_its_store_is_forgotten(tmp_path):
    (tmp_path / "batch-0000").mkdir()
    (tmp_path / "batch-0000" / RESULT).touch()
    with LabelStore(tmp_path / "all.sqlite") as store:
        _forget(store, tmp_path, [])
    assert not (tmp_path / "batch-0000" / RESULT).exists()


def test_a_member_that_diverges_is_not_done_however_often_its_training_goes_on(tmp_path):
    frames, folder = aluminum(6), tmp_path / "ensemble"
    settings = {
        "network": NETWORK,
        "training": TrainingSettings(**{**SHORT, "learning_rate": 1e30}),
        "ensemble": EnsembleSettings(members=2, seed=3),
    }
    for _ in range(2):
        assert begin_training(frames, folder, **settings) == [0, 1]
        content = read_plan(folder).content_hash
        (tmp_path / "member-0").mkdir(exist_ok=True)
        with pytest.raises(GiveUp, match=r"member 0: losses are .*; lower training\.learning_rate"):
            train_member(tmp_path / "member-0", training="../ensemble", member=0, content=content)
    # what an attempt before has left is not taken for its own
    begin_training(frames, tmp_path / "sound", **settings | {"training": TrainingSettings(**SHORT)})
    (member_folder(tmp_path / "sound", 0) / "error.txt").write_text("of an attempt before")
    content = read_plan(tmp_path / "sound").content_hash
    assert train_member(tmp_path / "member-0", training="../sound", member=0, content=content) == {"member": 0}
