"""Learning curves for TensorBoard: each point once, whatever ended the training; a clear word where it is missing."""

from __future__ import annotations

import sys

import pytest
import torch

from begun_training import record
from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, TrainingSettings, train_ensemble
from nnpal.training.ensemble import begin_training
from nnpal.training.plan import read_plan
from nnpal.training.storage import load_data
from nnpal.training.tensorboard import Scalars, tensorboard_fault
from nnpal.training.worker import CACHE, restore, run
from training_frames import aluminum

MISSING = (
    r"training\.tensorboard = true: torch's writer cannot be imported \(.*tensorboard.*\); it needs the package "
    "tensorboard, which does not come with nnpal: pip install tensorboard, or remove the key"
)
OPTIONS = {"network": NetworkDescription(("Al",), hidden=(8,)), "ensemble": EnsembleSettings(members=1, seed=3)}


def settings(**more):
    return TrainingSettings(**{"batch_size": 4, "max_epochs": 3, "tensorboard": True, **more})


@pytest.fixture
def missing(monkeypatch):
    """As where the package is not installed."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)


def read(folder):
    """Return the points of each curve, as TensorBoard's own reader finds them."""
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = event_accumulator.EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-6)) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def curves(history):
    """Return what is expected of these records."""
    found = {
        f"{value}/{part}": [(r.updates, getattr(r, f"{part}_{value}")) for r in history]
        for value in ("loss", "energy_mae", "force_mae")
        for part in ("train", "validation")
    }
    return found | {"learning_rate": [(r.updates, r.learning_rate) for r in history]}


@pytest.mark.parametrize("begin", [train_ensemble, begin_training])
def test_without_the_package_nothing_is_begun(missing, tmp_path, begin):
    with pytest.raises(ValueError, match=MISSING):
        begin(aluminum(2), tmp_path / "train", training=settings(), **OPTIONS)
    assert not (tmp_path / "train").exists()


def test_a_training_that_does_not_ask_for_it_needs_no_package(missing, tmp_path):
    assert begin_training(aluminum(2), tmp_path / "train", training=settings(tensorboard=False), **OPTIONS) == [0]


def test_points_are_there_and_those_of_a_worker_before_are_replaced(tmp_path):
    pytest.importorskip("tensorboard")
    assert tensorboard_fault() is None
    history = [record(epoch) for epoch in range(5)]
    killed = Scalars(tmp_path / "member-0", history[:1])  # which never closes its file
    for one in history[1:4]:
        killed.add(one)
    assert read(tmp_path / "member-0") == curves(history[:4])
    with Scalars(tmp_path / "member-0", history[:2]) as scalars:  # its checkpoint knows of two
        for one in history[2:]:
            scalars.add(one)
    killed._writer.close()
    assert read(tmp_path / "member-0") == curves(history)


def test_a_training_that_was_broken_off_has_each_point_once_and_may_ask_for_it_late(tmp_path):
    pytest.importorskip("tensorboard")
    frames, folder = aluminum(4), tmp_path / "train"

    def work(on_epoch=lambda *_: None, **asked):
        begin_training(frames, folder, training=settings(**asked), **OPTIONS)
        data = load_data(folder / CACHE, read_plan(folder).network)
        run(folder, [0], torch.device("cpu"), data, on_epoch)

    def stop(number, record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(stop, tensorboard=False)
    assert not (folder / "tensorboard").exists()
    work()
    history = restore(folder, read_plan(folder), 0, torch.device("cpu")).progress.history
    assert [one.updates for one in history] == [2, 4, 6]
    assert read(folder / "tensorboard" / "member-0") == curves(history)
