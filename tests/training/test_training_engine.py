"""Training in a folder: the same whatever the workers and however often it is broken off, or a clear refusal."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nnpal.data import structure_hash, write_dataset
from nnpal.model import export_ensemble
from nnpal.model.calculator import NNPCalculator
from nnpal.model.description import NetworkDescription
from nnpal.runtime.locks import locked
from nnpal.training import (
    EnsembleSettings,
    LossSettings,
    TrainingFolderError,
    TrainingSettings,
    load_ensemble,
    train_ensemble,
)
from nnpal.training.ensemble import begin_training
from nnpal.training.member import EpochRecord
from nnpal.training.plan import member_folder, read_plan, read_roles, read_splits
from nnpal.training.processes import deal, resolve_devices
from processes import Process, is_running, wait_until
from training_frames import aluminum

NETWORK = NetworkDescription(("Al",), hidden=(24, 16))
SHORT = {"batch_size": 8, "max_epochs": 6, "learning_rate": 2e-2, "checkpoint_every": 1}
LOSS = LossSettings(force_weight=1.0)

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch")


@pytest.fixture(scope="module")
def frames():
    return aluminum()


def trained(frames, folder, *, training=None, on_epoch=None, loss=LOSS, **ensemble):
    return train_ensemble(
        frames,
        folder,
        network=NETWORK,
        loss=loss,
        training=TrainingSettings(**{**SHORT, **(training or {})}),
        ensemble=EnsembleSettings(**{"members": 2, "seed": 3, **ensemble}),
        on_epoch=on_epoch,
    )


@pytest.fixture(scope="module")
def unbroken(frames, tmp_path_factory):
    return trained(frames, tmp_path_factory.mktemp("unbroken") / "train", training={"ema": 0.9})


def same(first, second):
    """Whether two ensembles have the same losses, to the last bit, and the same weights."""
    assert len(first.members) == len(second.members) > 0
    for one, other in zip(first.members, second.members, strict=True):
        assert one.history == other.history
        assert one.best_epoch == other.best_epoch
        assert np.array_equal(one.split.validation, other.split.validation)
        assert all(map(torch.equal, one.network.parameters(), other.network.parameters()))
    assert first.result == second.result


def test_training_learns_and_keeps_the_best_weights(frames, unbroken):
    for member in unbroken.members:
        losses = [record.validation_loss for record in member.history]
        assert min(losses) < 0.8 * losses[0]
        assert member.best_epoch == int(np.argmin([record.validation_force_mae for record in member.history]))
    assert unbroken.best.number == min(unbroken.result.scores, key=unbroken.result.scores.__getitem__)
    assert not (unbroken.folder / "cache").exists()


def test_members_have_their_own_splits_weights_and_logs(unbroken):
    one, other = unbroken.members
    assert not np.array_equal(one.split.validation, other.split.validation)
    assert not torch.equal(next(one.network.parameters()), next(other.network.parameters()))
    for member in (one, other):
        with (member_folder(unbroken.folder, member.number) / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [float(row["validation_loss"]) for row in rows] == [r.validation_loss for r in member.history]


def test_exported_members_give_what_was_validated(frames, unbroken, tmp_path):
    member = unbroken.members[0]
    calculator = NNPCalculator(export_ensemble(unbroken.model([member]), tmp_path / "model.nnp.pt"))
    energy, force = [], []
    for index in member.split.validation:
        atoms = frames[index].copy()
        atoms.calc = calculator
        energy.append(abs(atoms.get_potential_energy() - frames[index].get_potential_energy()) / len(atoms))
        force.append(np.abs(atoms.get_forces() - frames[index].get_forces()).mean())
    best = member.history[member.best_epoch]
    # float32: 1e-7 of 32 atoms' energies of some eV, against errors of 10 meV/atom
    assert np.mean(energy) == pytest.approx(best.validation_energy_mae, rel=1e-3)
    assert np.mean(force) == pytest.approx(best.validation_force_mae, rel=1e-3)


def test_same_seed_same_ensemble_whatever_the_number_of_workers(frames, unbroken, tmp_path):
    same(unbroken, trained(frames, tmp_path / "train", training={"ema": 0.9}, workers=1))


class Stop(Exception):
    """Ends a training."""


def stopped_and_resumed(frames, folder, last, **options):
    """Train, end by an error at the third epoch of the last member, go on, and return the ensemble."""

    def stop(number, record):
        if (number, record.epoch) == (last, 2):
            raise Stop

    with pytest.raises(Stop):
        trained(frames, folder, on_epoch=stop, **options)
    assert (folder / "cache").exists()
    epochs = []
    resumed = trained(frames, folder, on_epoch=lambda k, r: epochs.append((k, r.epoch)), **options)
    # no epoch of a checkpoint is done again from the start
    assert (last, 2) not in epochs or (last, 0) not in epochs
    return resumed


def test_a_training_stopped_by_an_error_goes_on_where_it_was(frames, unbroken, tmp_path):
    same(unbroken, stopped_and_resumed(frames, tmp_path / "broken", 1, training={"ema": 0.9}))


@pytest.mark.slow
def test_other_optimizers_and_features_go_on_where_they_were(frames, tmp_path):
    options = {
        "training": {"bias_optimizer": "sgd", "best_by": "force", "features": "recomputed"}, "members": 1,
    }  # fmt: skip
    whole = trained(frames, tmp_path / "whole", **options)
    same(whole, stopped_and_resumed(frames, tmp_path / "broken", 0, **options))


@pytest.mark.slow
def test_files_that_a_power_cut_has_spoiled_are_made_anew_and_told(frames, unbroken, tmp_path):
    def stop(number, record):
        if (number, record.epoch) == (1, 2):
            raise KeyboardInterrupt

    folder = tmp_path / "train"
    with pytest.raises(KeyboardInterrupt):
        trained(frames, folder, training={"ema": 0.9}, on_epoch=stop)
    spoiled = [member_folder(folder, 1) / "checkpoint.pt", folder / "cache" / "data.pt"]
    for path in spoiled:
        os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match="damaged, as by a power failure; it is recreated") as told:
        resumed = trained(frames, folder, training={"ema": 0.9})
    assert [str(warning.message).partition(":")[0] for warning in told] == list(map(str, spoiled))
    same(unbroken, resumed)


TRAIN = """
import sys
from pathlib import Path
from nnpal.data import read_frames
from nnpal.model.description import NetworkDescription
from nnpal.training import *
train_ensemble(
    read_frames("data.h5"), Path("train"), network=NetworkDescription(("Al",), hidden=(24, 16)),
    loss=LossSettings(force_weight=1.0),
    training=TrainingSettings(batch_size=8, max_epochs=6, learning_rate=2e-2, checkpoint_every=1, ema=0.9),
    ensemble=EnsembleSettings(members=2, seed=3, workers=2),
    on_epoch=lambda member, record: print(member, record.epoch, flush=True),
)
"""


def start(folder):
    return Process([sys.executable, "-c", TRAIN], cwd=folder, stdout=subprocess.PIPE)


@pytest.mark.slow
def test_a_training_killed_twice_with_sigkill_leaves_no_worker_and_ends_as_the_unbroken_one(frames, unbroken, tmp_path):
    write_dataset(tmp_path / "data.h5", frames, provenance={})
    process = start(tmp_path)
    wait_until((tmp_path / "train" / "cache").exists, process)
    kill(process)
    process = start(tmp_path)
    n_lines = 5
    for _ in range(n_lines):
        process.stdout.readline()
    workers = children_of(process.pid)
    assert workers
    kill(process)
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    begun = [tmp_path / "train" / name for name in (".123.parity_energy.png", "member-0/.45.checkpoint.pt")]
    for path in begun:  # what a killed process had begun to write
        path.touch()
    process = start(tmp_path)
    output = process.communicate()[0]
    assert process.returncode == 0
    assert len(output.splitlines()) <= 12 - (n_lines - 2)  # at most the epochs in flight are done again
    same(unbroken, load_ensemble(tmp_path / "train"))
    assert not [path for path in begun if path.exists()]


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def children_of(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def test_one_training_at_a_time_in_a_folder(frames, unbroken):
    with (
        locked(unbroken.folder / "lock", wait=False),
        pytest.raises(
            TrainingFolderError, match=rf"process {os.getpid()} on .* is training here; wait until it ends, or end it"
        ),
    ):
        trained(frames, unbroken.folder, training={"ema": 0.9})
    same(unbroken, trained(frames, unbroken.folder, training={"ema": 0.9}))


def test_a_killed_worker_is_started_again_from_its_checkpoint(frames, unbroken, tmp_path):
    def kill_once(number, record):
        if (number, record.epoch) == (0, 1):
            (pid,) = [
                pid for pid in children_of(os.getpid()) if b"cpu\x000\x00" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
            os.kill(pid, signal.SIGKILL)

    same(unbroken, trained(frames, tmp_path / "train", training={"ema": 0.9}, on_epoch=kill_once))


@pytest.mark.slow
def test_a_worker_that_gets_nowhere_is_a_failure_with_its_last_lines(frames, unbroken, tmp_path):
    def break_checkpoint(number, record):
        if number == 0 and record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(frames, tmp_path / "train", training={"ema": 0.9}, on_epoch=break_checkpoint)
    (tmp_path / "train" / "member-1" / "checkpoint.pt").unlink(missing_ok=True)
    (tmp_path / "train" / "member-1" / "log.csv").unlink(missing_ok=True)
    (tmp_path / "train" / "member-1" / "log.csv").mkdir()  # the worker cannot write there
    result = trained(frames, tmp_path / "train", training={"ema": 0.9}).result
    assert list(result.failed) == [1]
    assert "ended with exit code 1 before it got further" in result.failed[1]
    assert "log.csv" in result.failed[1]
    assert result.best_member == 0
    (tmp_path / "train" / "member-1" / "log.csv").rmdir()
    fixed = trained(frames, tmp_path / "train", training={"ema": 0.9})  # the same call tries it again
    assert not fixed.result.failed
    same(unbroken, fixed)


def test_a_member_that_diverges_leaves_the_others_alone(frames, tmp_path):
    folder = tmp_path / "train"
    with pytest.raises(TrainingFolderError, match=r"no member .* lower training\.learning_rate"):
        trained(frames, folder, training={"learning_rate": 1e30})
    assert "losses are" in (member_folder(folder, 0) / "error.txt").read_text()


def test_another_training_in_the_folder_is_refused_by_key(frames, unbroken):
    with pytest.raises(TrainingFolderError, match=r"training\.max_epochs is 7, but was 6"):
        trained(frames, unbroken.folder, training={"ema": 0.9, "max_epochs": 7})
    with pytest.raises(TrainingFolderError, match="seeds is"):
        trained(frames, unbroken.folder, training={"ema": 0.9}, seed=4)
    with pytest.raises(TrainingFolderError, match="content_hash is"):
        trained(frames[1:], unbroken.folder, training={"ema": 0.9})
    with pytest.raises(TrainingFolderError, match=r"loss\.force_weight is 0\.1, but was 1\.0"):
        trained(frames, unbroken.folder, training={"ema": 0.9}, loss=LossSettings())
    same(unbroken, trained(frames, unbroken.folder, training={"ema": 0.9, "checkpoint_every": 3}, workers=1))


def test_a_folder_without_a_finished_training_is_refused(tmp_path):
    with pytest.raises(TrainingFolderError, match=r"is not a training folder: it holds no plan\.json"):
        load_ensemble(tmp_path)
    with pytest.raises(TrainingFolderError, match="no finished training there"):
        trained(aluminum(5), tmp_path / "t", split="inherited", previous=str(tmp_path))


@pytest.mark.slow
def test_inheritance_over_three_iterations_of_training(frames, tmp_path):
    folder, previous = None, None
    for iteration, n_frames in enumerate((24, 32, 40)):
        data = frames[::-1][:n_frames]  # new data come at the end, and order must not matter
        rule = {"split": "inherited", "previous": str(previous)} if previous else {}
        folder = tmp_path / f"iter-{iteration}"
        ensemble = trained(data, folder, training={"max_epochs": 1}, **rule)
        hashes = [structure_hash(frame) for frame in data]
        if previous:
            best = load_ensemble(previous).best.number
            before = read_roles(previous, best)
            news = []
            for number, split in enumerate(read_splits(folder)):
                roles = read_roles(folder, number)
                assert {h: roles[h] for h in before} == before
                assert set(split.roles(hashes)) == set(hashes)
                news.append(tuple(roles[h] for h in hashes if h not in before))
                assert news[-1].count("validation") == 2  # of 8, a fifth, rounded
            assert len(set(news)) > 1
            assert ensemble.plan.previous["member"] == best
        previous = folder


@pytest.mark.slow
def test_the_best_member_by_a_property_of_ones_own(frames, tmp_path, monkeypatch):
    (tmp_path / "target.py").write_text(
        "from ase.build import bulk\n"
        "from nnpal.model.calculator import NNPCalculator\n"
        "def distance(path):\n"
        "    atoms = bulk('Al', cubic=True)\n"
        "    atoms.calc = NNPCalculator(path)\n"
        "    return abs(atoms.get_potential_energy() + 13.0)\n"
    )
    monkeypatch.chdir(tmp_path)
    result = trained(frames, tmp_path / "train", training={"max_epochs": 1}, best_member="target:distance").result
    assert set(result.scores) == {0, 1}
    assert result.best_member == min(result.scores, key=result.scores.__getitem__)
    import target

    for number, score in result.scores.items():
        assert score == target.distance(member_folder(tmp_path / "train", number) / "member.nnp.pt")
    with pytest.raises(ValueError, match=r"there is no distanze in .*; did you mean distance"):
        trained(frames, tmp_path / "other", training={"max_epochs": 1}, best_member="target:distanze")


def test_devices_are_dealt_in_turn_and_gpus_are_joined():
    groups = deal(range(5), ["cuda:0", "cpu"])
    assert [(g.device, g.members) for g in groups] == [("cpu", (1,)), ("cpu", (3,)), ("cuda:0", (0, 2, 4))]
    for wrong, message in (("gpu", "expected auto, cpu, cuda or cuda:N"), ("cuda:77", "torch sees")):
        with pytest.raises(ValueError, match=message):
            resolve_devices([wrong])


def test_settings_that_may_change_on_resume_hold_for_what_is_left(frames, tmp_path):
    def begin(**options):
        training = TrainingSettings(**SHORT, **options)
        begin_training(frames, tmp_path / "train", network=NETWORK, training=training, ensemble=EnsembleSettings())
        return json.loads((tmp_path / "train" / "plan.json").read_text())

    before, after = begin(), begin(features_gigabytes=3.0)
    assert read_plan(tmp_path / "train").training.features_gigabytes == 3.0
    after["training"]["features_gigabytes"] = None
    assert after == before


@pytest.mark.slow
def test_several_members_of_one_process_resume_from_different_epochs(frames, tmp_path):
    """As on a GPU: one process, members side by side, one of them an epoch ahead."""
    from nnpal.training.storage import load_data
    from nnpal.training.worker import CACHE, run

    def prepare(name):
        def stop(number, record):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(frames, tmp_path / name, training={"dtype": "float64"}, workers=1, on_epoch=stop)
        for path in (tmp_path / name).glob("member-*/checkpoint.pt"):
            path.unlink()
        return tmp_path / name

    def carry(folder, numbers, on_epoch=lambda *_: None):
        run(folder, numbers, torch.device("cpu"), load_data(folder / CACHE, NETWORK), on_epoch)

    def history(folder, number) -> list[EpochRecord]:
        state = torch.load(member_folder(folder, number) / "checkpoint.pt", weights_only=True)
        return [record["validation_loss"] for record in state["history"]]

    whole, broken = prepare("whole"), prepare("broken")
    carry(whole, [0])
    carry(whole, [1])

    def stop(number, record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(broken, [1], stop)
    carry(broken, [0, 1])
    for number in (0, 1):
        # products of several members differ from those of one by rounding, which SOAP amplifies in small eigenvalues
        assert history(broken, number) == pytest.approx(history(whole, number), rel=1e-6)
        assert len(history(broken, number)) == SHORT["max_epochs"]


def test_plan_says_everything(unbroken):
    plan = json.loads((unbroken.folder / "plan.json").read_text())
    assert plan["loss"]["force_weight"] == 1.0
    assert plan["training"]["ema"] == 0.9
    assert plan["network"]["hidden"] == [24, 16]
    assert plan["versions"]["torch"]
    assert len(plan["seeds"]) == 2


@pytest.mark.cuda
@needs_gpu
def test_members_on_a_gpu_learn_what_they_learn_on_a_cpu(frames, tmp_path):
    on_cpu = trained(frames, tmp_path / "cpu", training={"max_epochs": 2, "dtype": "float64"})
    for features in ("stored", "recomputed"):
        options = {"max_epochs": 2, "dtype": "float64", "features": features}
        on_gpu = trained(frames, tmp_path / features, training=options, devices=("cuda:0",))
        for one, other in zip(on_cpu.members, on_gpu.members, strict=True):
            losses = [[record.validation_loss for record in member.history] for member in (one, other)]
            # float64 sums in another order, through ten updates, whose steps are of the size of the rate
            assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.cuda
@needs_gpu
def test_gpu_and_cpu_share_the_members(frames, tmp_path):
    mixed = trained(frames, tmp_path / "mixed", training={"max_epochs": 2}, members=3, devices=("cuda:0", "cpu"))
    assert [member.number for member in mixed.members] == [0, 1, 2]
