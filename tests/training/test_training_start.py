"""A training that starts from an earlier model: whose weights, which of them learn, and what is refused."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import torch
import torchani.models
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from torchani.units import HARTREE_TO_EV

from ensembles import organic_ensemble, published_ensemble
from nnpal.model import export_ensemble, read_metadata
from nnpal.model.description import NetworkDescription
from nnpal.model.member_networks import networks_of_model
from nnpal.model.settings import NetworkSettings
from nnpal.training import EnsembleSettings, TrainingFolderError, TrainingSettings, load_ensemble, train_ensemble
from nnpal.training.frozen import trainable
from nnpal.training.release import release
from nnpal.training.start import START, start_network
from nnpal.training.start_network import StartError
from nnpal.training.worker import CHECKPOINT, restore
from training_frames import aluminium, relabeled

NETWORK = NetworkDescription(("Al",), hidden=(12, 8))
SHORT = {"batch_size": 4, "max_epochs": 2, "learning_rate": 3e-3}


def trained(frames, folder, *, network=NETWORK, start=None, training=None, on_epoch=None, **ensemble):
    return train_ensemble(
        frames,
        folder,
        network=network,
        training=TrainingSettings(**{**SHORT, **(training or {})}),
        ensemble=EnsembleSettings(**{"members": 3, "seed": 3, **ensemble}),
        start=start,
        on_epoch=on_epoch,
    )


@pytest.fixture(scope="module")
def frames():
    return aluminium(6)


@pytest.fixture(scope="module")
def earlier(frames, tmp_path_factory):
    """A training of three members, and its model file in double precision."""
    ensemble = trained(frames, tmp_path_factory.mktemp("earlier") / "train")
    release(ensemble, ensemble.folder / "model.nnp.pt", dtype="float64", gate=False)
    return ensemble


def molecules(symbols="CHOH", n=10, self_energy=-40.0):
    """Return open clusters with random labels around ``self_energy`` an atom."""
    rng = np.random.default_rng(8)
    frames = []
    for k in range(n):
        atoms = Atoms(symbols[: 2 + k % (len(symbols) - 1)], rng.uniform(0, 3, (2 + k % (len(symbols) - 1), 3)))
        energy = self_energy * len(atoms) + rng.normal(0, 0.1)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=rng.normal(size=(len(atoms), 3)))
        frames.append(atoms)
    return frames


def begun(folder, number):
    """Return the weights that a member of the training in ``folder`` began with."""
    plan = load_ensemble(folder).plan
    return list(start_network(folder, plan.network, number).parameters())


def equal(one, other):
    return len(one) == len(other) > 0 and all(map(torch.equal, one, other))


@pytest.mark.parametrize("form", ["folder", "file"])
def test_members_start_from_those_of_the_same_number_over_and_over(frames, earlier, tmp_path, form):
    start = earlier.folder if form == "folder" else earlier.folder / "model.nnp.pt"
    trained(frames, tmp_path / "t", network=None, training={"start": str(start), "max_epochs": 1}, members=4)
    for number in range(4):
        expected = list(earlier.members[number % 3].network.parameters())
        if form == "folder":
            assert equal(begun(tmp_path / "t", number), expected)
        else:  # in hartree in the file: two roundings of float64, then one to float32
            for one, other in zip(begun(tmp_path / "t", number), expected, strict=True):
                assert torch.allclose(one, other, rtol=1e-6, atol=0)
    plan = load_ensemble(tmp_path / "t").plan
    assert plan.network == NETWORK
    assert plan.start["kind"] == {"folder": "training folder", "file": "model file"}[form]
    assert plan.start["members"] == [0, 1, 2, 0]


def test_a_member_is_restored_with_the_start_and_nothing_else(frames, earlier, tmp_path):
    ensemble = trained(frames, tmp_path / "t", training={"start": str(earlier.folder), "max_epochs": 1})
    for number in range(3):
        shutil.rmtree(tmp_path / "t" / f"member-{number}")
    for number, member in enumerate(earlier.members):
        network = restore(tmp_path / "t", ensemble.plan, number, torch.device("cpu")).network
        assert equal(list(network.parameters()), list(member.network.parameters()))


def test_the_first_epoch_goes_on_where_the_start_ended(frames, earlier, tmp_path):
    """Self-energies of the start hold, for the data are the same: no offset has to be learned."""
    ensemble = trained(frames, tmp_path / "t", training={"start": str(earlier.folder), "learning_rate": 1e-9})
    # members' mean leaves what they deviate by
    assert ensemble.result.self_energies == pytest.approx(earlier.result.self_energies, abs=0.05)
    for before, after in zip(earlier.members, ensemble.members, strict=True):
        assert equal(list(before.network.parameters()), list(before.network.parameters()))
        assert after.history[0].validation_force_mae < 1.5 * before.history[before.best_epoch].validation_force_mae


def test_a_failed_member_is_replaced_by_the_best(frames, earlier, tmp_path):
    folder = tmp_path / "earlier"
    shutil.copytree(earlier.folder, folder)
    result = (folder / "result.json").read_text()
    best = earlier.result.best_member
    gone = (best + 1) % 3
    (folder / "result.json").write_text(result.replace('"failed": {}', f'"failed": {{"{gone}": "diverged"}}'))
    ensemble = trained(frames, tmp_path / "t", training={"start": str(folder), "max_epochs": 1})
    assert ensemble.plan.start["members"] == [best if number == gone else number for number in range(3)]
    assert equal(begun(tmp_path / "t", gone), list(earlier.best.network.parameters()))


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"bias_optimizer": "sgd"}])
def test_frozen_layers_keep_every_bit_and_all_others_learn(frames, earlier, tmp_path, options):
    training = {"start": str(earlier.folder), "frozen_layers": 2, "weight_decay": 0.5, **options}
    ensemble = trained(frames, tmp_path / "t", training=training)
    for before, after in zip(earlier.members, ensemble.members, strict=True):
        layers = [[*n.atomics["Al"].layers, n.atomics["Al"].final_layer] for n in (before.network, after.network)]
        same = [equal(list(one.parameters()), list(other.parameters())) for one, other in zip(*layers, strict=True)]
        assert same == [True, True, False]
        member = restore(tmp_path / "t", ensemble.plan, after.number, torch.device("cpu"))
        assert [name for name, _ in trainable(member.network)] == [
            "atomics.Al.final_layer.weight", "atomics.Al.final_layer.bias",
        ]  # fmt: skip
        assert all(parameter.requires_grad for parameter in after.network.parameters())


def test_to_freeze_needs_a_start_and_leaves_a_layer(frames, earlier, tmp_path):
    with pytest.raises(ValueError, match="frozen_layers = 1 without start"):
        TrainingSettings(frozen_layers=1)
    with pytest.raises(StartError, match=r"frozen_layers = 3: Al's network has 3 layers, .* give 2 at most"):
        trained(frames, tmp_path / "t", training={"start": str(earlier.folder), "frozen_layers": 3})
    assert not (tmp_path / "t").exists()


class Stop(Exception):
    """Ends a training."""


@pytest.mark.parametrize("gone", [True, False])
def test_a_broken_training_goes_on_bit_for_bit_without_its_start(frames, earlier, tmp_path, gone):
    source = tmp_path / "start.nnp.pt"
    shutil.copy(earlier.folder / "model.nnp.pt", source)
    options = {"training": {"start": str(source), "frozen_layers": 1, "ema": 0.9}, "members": 2}
    whole = trained(frames, tmp_path / "whole", **options)

    def stop(number, record):
        if (number, record.epoch) == (0, 0):
            raise Stop

    with pytest.raises(Stop):
        trained(frames, tmp_path / "broken", on_epoch=stop, workers=1, **options)
    assert not (tmp_path / "broken" / "member-1" / CHECKPOINT).exists()  # it is still to begin
    if not gone:
        export_ensemble(earlier.model([earlier.best]), source)
        with pytest.raises(TrainingFolderError, match=r"start\.content_hash is .*, but was"):
            trained(frames, tmp_path / "broken", **options)
    source.unlink()
    with pytest.raises(StartError, match="start.nnp.pt': not there"):
        trained(frames, tmp_path / "another", **options)
    with pytest.raises(StartError, match=r"network\.hidden = \{'Al': \[12, 9\]\}"):
        trained(frames, tmp_path / "broken", network=NetworkDescription(("Al",), hidden=(12, 9)), **options)
    resumed = trained(frames, tmp_path / "broken", **options)
    assert len(resumed.members) == 2
    for one, other in zip(whole.members, resumed.members, strict=True):
        assert one.history == other.history
        assert equal(list(one.network.parameters()), list(other.network.parameters()))
    assert whole.result == resumed.result


def test_what_a_killed_call_left_of_another_start_is_not_used(frames, earlier, tmp_path):
    folder = tmp_path / "t"
    first = trained(frames, folder, training={"start": str(earlier.folder), "max_epochs": 1})
    (folder / "plan.json").unlink()  # killed before it was written
    (folder / "result.json").unlink()
    for number in range(3):
        shutil.rmtree(folder / f"member-{number}")
    shifted = copy.deepcopy(earlier.model())
    with torch.no_grad():
        shifted.neural_networks.members[0].atomics["Al"].final_layer.bias += 1.0
    second = trained(frames, folder, start=shifted, training={"max_epochs": 1}, network=None)
    assert second.plan.start["content_hash"] != first.plan.start["content_hash"]
    assert float(begun(folder, 0)[-1] - begun(folder, 1)[-1]) > 0.5 * HARTREE_TO_EV


def test_a_torchani_model_is_a_start_and_may_have_more_elements(tmp_path):
    model = organic_ensemble(("H", "C", "N", "O"), 2, activation="celu")
    data = molecules()
    ensemble = trained(data, tmp_path / "t", start=model, network=None, training={"max_epochs": 1}, members=2)
    plan = ensemble.plan
    assert plan.network.symbols == ("H", "C", "O")
    assert (plan.network.activation, plan.network.hidden) == ("celu", {"H": (24, 16), "C": (32, 16), "O": (48, 16)})
    assert plan.start["kind"] == "TorchANI model"
    expected = networks_of_model(model).of_elements(("H", "C", "O")).networks
    for number in range(2):
        assert equal(begun(tmp_path / "t", number), [p.float() for p in expected[number].parameters()])
    provenance = read_metadata(export_of(ensemble, tmp_path)).provenance
    assert provenance["start"] == plan.start
    assert len(plan.start["content_hash"]) == 64


def export_of(ensemble, folder):
    path = folder / "tuned.nnp.pt"
    release(ensemble, path, gate=False)
    return path


def test_self_energies_take_up_what_the_start_leaves(tmp_path):
    """The start's own zero of energy, here 5 eV an atom off, goes into them at once."""
    model = organic_ensemble(("H", "C", "O"), 2)
    data = molecules()
    with torch.no_grad():
        for member in model.neural_networks.members:
            for network in member.atomics.values():
                network.final_layer.weight *= 0.0
                network.final_layer.bias.fill_(5.0 / HARTREE_TO_EV)
    found = trained(data, tmp_path / "t", start=model, network=None, training={"max_epochs": 1}, members=2)
    # labels spread by 0.1 eV
    assert found.result.self_energies == pytest.approx([-45.0] * 3, abs=0.3)
    cold = trained(data, tmp_path / "cold", network=NetworkSettings(aev="ani2x", hidden=(8,)), members=2)
    assert cold.result.self_energies == pytest.approx([-40.0] * 3, abs=0.3)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"hidden": (32, 16)}, r"network\.hidden = .*: training\.start, ANI, has .*'C': \[32, 16\].*leave the key out"),
        ({"aev": "ani1x"}, r"network\.aev = .*radial_cutoff=5\.2"),
        ({"activation": "celu"}, r"network\.activation = 'celu': training\.start, ANI, has gelu"),
        ({"bias": False}, r"network\.bias = False: training\.start, ANI, has True"),
        ({"elements": ("H", "C", "O", "Si")}, r"it has networks for H, C, N, O, none for Si of the data"),
    ],
)
def test_a_table_that_contradicts_the_start_is_told_by_key(tmp_path, network, expected):
    model = organic_ensemble(("H", "C", "N", "O"), 2)
    with pytest.raises(StartError, match=expected):
        trained(molecules(), tmp_path / "t", start=model, network=NetworkSettings(**network))
    assert not (tmp_path / "t").exists()


def test_what_cannot_be_a_start_is_told(frames, earlier, tmp_path, monkeypatch):
    def refused(expected, **training):
        with pytest.raises(ValueError, match=expected):
            trained(frames, tmp_path / "t", network=None, training=training)

    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no model")
    refused("nowhere': not there; expected a model file or the folder of a training", start="nowhere")
    refused(r"empty': .*no training folder: it holds no plan\.json", start=str(tmp_path / "empty"))
    refused("text': not a TorchScript archive", start=str(tmp_path / "text"))
    refused("there is no ensemble.previous; give the earlier training's folder there", start="previous")
    refused("TorchANI has no such model; it has ANI1ccx, ANI1x", start="torchani:ANI3")
    with pytest.raises(ValueError, match="ensemble.previous = 'x': of no use with split = 'random'"):
        trained(frames, tmp_path / "t", previous="x")
    with pytest.raises(StartError, match="a TorchANI model is given to start from, too"):
        trained(frames, tmp_path / "t", start=earlier.model(), training={"start": "x"})
    with pytest.raises(StartError, match="none for Al of the data"):
        trained(frames, tmp_path / "t", start=organic_ensemble(("H", "C"), 2), network=None)

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torchani.models, "_fetch_state_dict", no_network)
    refused(r"TorchANI cannot fetch its weights \(no network\)", start="torchani:ANI2x")
    assert not (tmp_path / "t").exists()


def test_a_training_folder_whose_weights_are_gone_is_no_start_and_no_ensemble(frames, earlier, tmp_path):
    folder = tmp_path / "earlier"
    shutil.copytree(earlier.folder, folder)
    (folder / "member-1" / CHECKPOINT).unlink()
    with pytest.raises(StartError, match=r"member-1.checkpoint\.pt is gone or damaged"):
        trained(frames, tmp_path / "t", training={"start": str(folder)})
    with pytest.raises(TrainingFolderError, match=r"member-1.checkpoint\.pt is gone"):
        load_ensemble(folder)


def test_a_published_model_by_its_name(tmp_path, monkeypatch):
    """Its architecture with random weights: the real ones are fetched by TorchANI."""
    monkeypatch.setattr(torchani.models, "ANI2x", lambda: published_ensemble("ANI2x"))
    data = molecules("CH")
    training = {"start": "torchani:ANI2x", "frozen_layers": 3, "max_epochs": 1}
    ensemble = trained(data, tmp_path / "t", network=None, training=training, members=1)
    assert ensemble.plan.network.symbols == ("H", "C")
    assert ensemble.plan.network.hidden == {"H": (256, 192, 160), "C": (224, 192, 160)}
    assert ensemble.plan.start["members"] == [0]


def test_previous_is_the_folder_of_the_earlier_training_with_either_split(frames, earlier, tmp_path):
    for split in ("random", "inherited"):
        rule = {"split": split, "previous": str(earlier.folder)}
        ensemble = trained(
            [*frames, relabeled(frames[0], energy=frames[0].get_potential_energy())][: len(frames)],
            tmp_path / split,
            training={"start": "previous", "max_epochs": 1},
            **rule,
        )
        assert ensemble.plan.start["members"] == [0, 1, 2]
        assert (ensemble.plan.previous is None) == (split == "random")
        assert equal(begun(tmp_path / split, 2), list(earlier.members[2].network.parameters()))
    assert (tmp_path / "random" / START).exists()
