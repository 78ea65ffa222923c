"""The errors of a trained ensemble: fitted to what its members did not learn, and carried by its model file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from doc_pages import shaken
from nnpal.calibration import Pairs, calibrate, unshared
from nnpal.calibration.summary import sentences
from nnpal.evaluation import predict
from nnpal.evaluation.labels import read_labels
from nnpal.model import load_model, read_metadata, write_calibrated
from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, TrainingSettings, load_ensemble
from nnpal.training.calibration_file import CALIBRATION
from nnpal.training.ensemble import begin_training, end_training
from nnpal.training.out_of_fold import out_of_fold_pairs
from nnpal.training.plan import TrainingFolderError, hashes_learned, read_learned, read_plan, read_splits
from nnpal.training.release import release
from nnpal.training.storage import load_data
from nnpal.training.worker import CACHE, run

NETWORK = NetworkDescription(("Al",), hidden=(12, 8))


def trained(frames, folder, *, members=3, seed=3, candidates=None, training=None, keep=None, **ensemble):
    """Train in this process; ``keep`` gets the training's data before they are deleted."""
    begin_training(
        frames,
        folder,
        network=NETWORK,
        training=TrainingSettings(batch_size=4, max_epochs=4, learning_rate=3e-3, **(training or {})),
        ensemble=EnsembleSettings(members=members, seed=seed, validation_fraction=0.3, **ensemble),
    )
    data = load_data(folder / CACHE, read_plan(folder).network)
    for number in range(members):
        run(folder, [number], torch.device("cpu"), data, lambda *_: None)
    if keep is not None:
        keep.append(data)
    return end_training(folder, {}, candidates)


@pytest.fixture(scope="module")
def frames():
    return shaken("Al", 30)


@pytest.fixture(scope="module")
def ensemble(frames, tmp_path_factory):
    found = trained(frames, tmp_path_factory.mktemp("calibrated") / "train")
    release(found, found.folder / "model.nnp.pt", dtype="float64", gate=False)
    return found


@pytest.fixture(scope="module")
def expected(frames, ensemble):
    """The same pairs by another way: the model file, and the members' splits."""
    found, labels = predict(ensemble.folder / "model.nnp.pt", frames), read_labels(frames)
    unlearned = np.zeros((3, len(frames)), dtype=bool)
    for own, split in zip(unlearned, read_splits(ensemble.folder), strict=True):
        own[split.validation] = True
    parts = []
    starts = np.cumsum(found.n_atoms) - found.n_atoms
    for k in np.flatnonzero(unlearned.any(0)):
        atoms, own = slice(starts[k], starts[k] + found.n_atoms[k]), unlearned[:, k]
        parts.append(
            Pairs(
                np.zeros(found.n_atoms[k], dtype=int),
                found.uq_force[atoms],
                found.member_forces[own][:, atoms].mean(0) - labels.forces[atoms],
                found.n_atoms[[k]],
                found.member_energies[:, [k]].std(0),
                found.member_energies[own][:, [k]].mean(0) - labels.energies[[k]],
                unshared(3, np.array([own.sum()])),
            )
        )
    return Pairs.joined(parts)


def test_the_calibration_is_of_members_that_did_not_learn(ensemble, expected):
    found, again = ensemble.calibration, calibrate(expected, ("Al",))
    for name in ("knee", "error_at_knee", "exponent"):
        # float32 weights and sums on one side
        assert getattr(found.force, name) == pytest.approx(getattr(again.force, name), rel=1e-3)
    assert found.energy.factor == pytest.approx(again.energy.factor, rel=1e-2)
    assert found.evidence["configurations"] == len(expected.n_atoms) < 30
    learned = read_learned(ensemble.folder)
    assert found.evidence["configurations"] == (~learned.all(0)).sum()


def test_the_model_file_carries_it_for_all_members_alone(ensemble, tmp_path):
    assert read_metadata(ensemble.folder / "model.nnp.pt").calibration == ensemble.calibration
    for members in ("best", "0,1"):
        release(ensemble, tmp_path / "part.nnp.pt", members=members, gate=False)
        assert read_metadata(tmp_path / "part.nnp.pt").calibration is None


def test_a_file_calibrated_again_has_the_same_networks(ensemble, tmp_path):
    source = ensemble.folder / "model.nnp.pt"
    bare = write_calibrated(source, None, tmp_path / "bare.nnp.pt")
    assert read_metadata(bare).calibration is None
    again = write_calibrated(bare, ensemble.calibration)
    assert read_metadata(again) == read_metadata(source)
    states = [load_model(path).module.state_dict() for path in (source, again)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_one_member_alone_says_why_it_has_none(frames, tmp_path):
    found = trained(frames[:8], tmp_path / "train", members=1)
    assert found.calibration is None
    assert "one member" in found.uncalibrated
    assert load_ensemble(tmp_path / "train").uncalibrated == found.uncalibrated


def test_too_few_configurations_say_how_many_are_needed(frames, tmp_path):
    found = trained(frames[:4], tmp_path / "train", members=2)
    assert found.calibration is None
    assert "expected at least 5" in found.uncalibrated


def test_trainings_of_earlier_versions_have_none(ensemble, frames, tmp_path):
    folder = tmp_path / "train"
    trained(frames, folder)
    (folder / CALIBRATION).unlink()
    splits = json.loads((folder / "splits.json").read_text())
    del splits["learned_before"]
    (folder / "splits.json").write_text(json.dumps(splits))
    assert load_ensemble(folder).calibration is None
    assert np.array_equal(read_learned(folder), read_learned(ensemble.folder))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("3", "calibration has 3, expected the keys"),
        ("null", "calibration has None"),
        ('{"uncalibrated": 1}', r"calibration has \['uncalibrated'\]"),
        ("of two", "it is of 2 elements, expected 1"),
    ],
)
def test_a_damaged_calibration_is_named(ensemble, text, why):
    path = ensemble.folder / CALIBRATION
    whole = path.read_text()
    if text == "of two":
        values = json.loads(whole)
        values["force"] = {name: 2 * column for name, column in values["force"].items()}
        text = json.dumps(values)
    try:
        path.write_text(text)
        with pytest.raises(TrainingFolderError, match=rf"{CALIBRATION} is damaged: {why}.*; restore it, or delete it"):
            load_ensemble(ensemble.folder)
    finally:
        path.write_text(whole)
    assert load_ensemble(ensemble.folder).calibration == ensemble.calibration


def test_what_a_member_learned_before_it_started_here_does_not_count(frames, ensemble, tmp_path):
    new = trained(frames, tmp_path / "train", seed=4, training={"start": "previous"}, previous=str(ensemble.folder))
    before, now = read_learned(ensemble.folder), read_learned(new.folder)
    own = np.ones_like(now)
    for row, split in zip(own, read_splits(new.folder), strict=True):
        row[split.validation] = False
    assert np.array_equal(now, before | own)
    assert (now & ~own).any()
    assert new.calibration.evidence["configurations"] == (~now.all(0)).sum()
    third = trained(frames, tmp_path / "third", seed=5, training={"start": str(new.folder)})
    assert all(a <= b for a, b in zip(hashes_learned(new.folder), hashes_learned(third.folder), strict=True))


def test_a_start_that_does_not_say_what_it_learned_is_told(frames, ensemble, tmp_path):
    """Of a model file on the same data, most configurations would wrongly count as not learned, without a word."""
    model = ensemble.folder / "model.nnp.pt"
    new = trained(frames, tmp_path / "train", seed=4, training={"start": str(model)})
    (warned,) = [one for one in sentences(new.calibration) if "started from" in one]
    assert warned.startswith("The members started from a model file, which does not record its training data.")
    assert "start from the training folder, or use nnpal calibrate" in warned
    assert not any("started from" in one for one in sentences(ensemble.calibration))


def test_a_calibration_of_other_members_is_not_used(ensemble):
    """A kill between the two files at the end of a training leaves the result of fewer members beside it."""
    path = ensemble.folder / CALIBRATION
    whole = path.read_text()
    assert json.loads(whole)["evidence"]["members"] == [0, 1, 2]
    try:
        path.write_text(whole.replace(json.dumps([0, 1, 2], indent=1).replace("\n", "\n  "), "[0, 1]"))
        assert json.loads(path.read_text())["evidence"]["members"] == [0, 1]
        found = load_ensemble(ensemble.folder)
    finally:
        path.write_text(whole)
    assert found.calibration is None
    assert "other members" in found.uncalibrated


def test_candidates_of_a_loop_take_part(frames, ensemble, expected, tmp_path):
    wilder = Pairs(**{**vars(expected), "force_error": 10 * expected.force_error})
    found = trained(frames, tmp_path / "train", candidates=wilder).calibration
    assert found.evidence["candidates"] == len(wilder.n_atoms)
    assert found.force.error_at_knee[0] > 2 * ensemble.calibration.force.error_at_knee[0]


def test_large_sets_are_calibrated_on_a_part_of_them(frames, tmp_path):
    kept = []
    ensemble = trained(frames, tmp_path / "train", keep=kept)
    learned = read_learned(ensemble.folder)
    networks = [member.network for member in ensemble.members]

    def pairs(most_atoms):
        rng = np.random.default_rng(1)
        return out_of_fold_pairs(networks, learned, kept[0], batch_size=4, rng=rng, most_atoms=most_atoms)

    whole, every = pairs(10**6)
    part, chosen = pairs(int(whole.n_atoms[:10].sum()))
    assert 0 < len(chosen) < len(every)
    assert part.n_atoms.sum() <= whole.n_atoms[:10].sum()
    first = np.flatnonzero(every == chosen[0])[0]
    same = whole.of_frames(np.arange(len(every)) == first)
    assert part.force_error[: same.n_atoms[0]] == pytest.approx(same.force_error, abs=1e-6)
