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

from doc_pages import shaken
from ensembles import organic_ensemble, published_ensemble
from nnpal.model import export_ensemble, read_metadata
from nnpal.model.description import NetworkDescription
from nnpal.model.member_networks import networks_of_model
from nnpal.model.settings import NetworkSettings
from nnpal.training import EnsembleSettings, TrainingFolderError, TrainingSettings, load_ensemble
from nnpal.training.ensemble import begin_training, end_training
from nnpal.training.frozen import trainable
from nnpal.training.plan import read_plan
from nnpal.training.release import release
from nnpal.training.start_network import StartError
from nnpal.training.storage import load_data
from nnpal.training.worker import CACHE, CHECKPOINT, restore, run

NETWORK = NetworkDescription(("Al",), hidden=(12, 8))
SHORT = {"batch_size": 4, "max_epochs": 2, "learning_rate": 3e-3}


def prepared(frames, folder, *, network=NETWORK, start=None, training=None, **ensemble):
    """Make a training folder, and return the members to train."""
    return begin_training(
        frames,
        folder,
        network=network,
        training=TrainingSettings(**{**SHORT, **(training or {})}),
        ensemble=EnsembleSettings(**{"members": 3, "seed": 3, **ensemble}),
        start=start,
    )


def trained(frames, folder, *, on_epoch=lambda *_: None, together=False, **options):
    """Train in this process, one after another, or side by side as on a GPU.

    The processes of `train_ensemble` do the same and take seconds to start.
    """
    members = prepared(frames, folder, **options)
    for numbers in [members] if together else [[number] for number in members]:
        data = load_data(folder / CACHE, read_plan(folder).network)
        run(folder, numbers, torch.device("cpu"), data, on_epoch)
    return end_training(folder, {})


@pytest.fixture(scope="module")
def frames():
    return shaken("Al", 12)


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
    """Return the weights that a member of the training in ``folder`` begins with, before its first epoch."""
    network = restore(folder, read_plan(folder), number, torch.device("cpu")).network
    return list(network.parameters())


def equal(one, other):
    return len(one) == len(other) > 0 and all(map(torch.equal, one, other))


@pytest.mark.parametrize("form", ["folder", "file"])
def test_members_start_from_those_of_the_same_number_over_and_over(frames, earlier, tmp_path, form):
    start = earlier.folder if form == "folder" else earlier.folder / "model.nnp.pt"
    prepared(frames, tmp_path / "t", network=None, training={"start": str(start)}, members=4)
    for number in range(4):
        expected = list(earlier.members[number % 3].network.parameters())
        if form == "folder":
            assert equal(begun(tmp_path / "t", number), expected)
        else:  # in hartree in the file: two roundings of float64, then one to float32
            for one, other in zip(begun(tmp_path / "t", number), expected, strict=True):
                assert torch.allclose(one, other, rtol=1e-6, atol=0)
    plan = read_plan(tmp_path / "t")
    assert plan.network == NETWORK
    assert plan.start["kind"] == {"folder": "training folder", "file": "model file"}[form]
    assert plan.start["members"] == [0, 1, 2, 0]


def test_the_first_epoch_goes_on_where_the_start_ended(frames, earlier, tmp_path):
    """Self-energies of the start hold, for the data are the same: no offset has to be learned."""
    ensemble = trained(frames, tmp_path / "t", training={"start": str(earlier.folder), "learning_rate": 1e-9})
    # members' mean leaves what they deviate by
    assert ensemble.result.self_energies == pytest.approx(earlier.result.self_energies, abs=0.05)
    for before, after in zip(earlier.members, ensemble.members, strict=True):
        assert after.history[0].validation_force_mae < 1.5 * before.history[before.best_epoch].validation_force_mae


def test_a_failed_member_is_replaced_by_the_best(frames, earlier, tmp_path):
    folder = tmp_path / "earlier"
    shutil.copytree(earlier.folder, folder)
    result = (folder / "result.json").read_text()
    best = earlier.result.best_member
    gone = (best + 1) % 3
    (folder / "result.json").write_text(result.replace('"failed": {}', f'"failed": {{"{gone}": "diverged"}}'))
    prepared(frames, tmp_path / "t", training={"start": str(folder)})
    assert read_plan(tmp_path / "t").start["members"] == [best if number == gone else number for number in range(3)]
    assert equal(begun(tmp_path / "t", gone), list(earlier.best.network.parameters()))


@pytest.mark.parametrize(("options", "together"), [({"ema": 0.9}, True), ({"bias_optimizer": "sgd"}, False)])
def test_frozen_layers_keep_every_bit_and_all_others_learn(frames, earlier, tmp_path, options, together):
    training = {"start": str(earlier.folder), "frozen_layers": 2, "weight_decay": 0.5, **options}
    ensemble = trained(frames, tmp_path / "t", training=training, together=together)
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
    with pytest.raises(StartError, match=r"frozen_layers = 1: without training\.start these layers would keep random"):
        trained(frames, tmp_path / "t", training={"frozen_layers": 1})
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
        trained(frames, tmp_path / "broken", on_epoch=stop, **options)
    assert not (tmp_path / "broken" / "member-1" / CHECKPOINT).exists()  # it is still to begin
    if not gone:
        export_ensemble(earlier.model([earlier.best]), source)
        with pytest.raises(TrainingFolderError, match=r"start\.content_hash is .*, but was"):
            prepared(frames, tmp_path / "broken", **options)
    source.unlink()
    with pytest.raises(StartError, match=r"start\.nnp\.pt': not there"):
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
    prepared(frames, folder, training={"start": str(earlier.folder)})
    first = read_plan(folder).start["content_hash"]
    (folder / "plan.json").unlink()  # killed before it was written
    shifted = copy.deepcopy(earlier.model())
    with torch.no_grad():
        shifted.neural_networks.members[0].atomics["Al"].final_layer.bias += 1.0
    prepared(frames, folder, start=shifted, network=None)
    assert read_plan(folder).start["content_hash"] != first
    first, second = (begun(folder, number)[-1].detach() for number in (0, 1))
    assert float(first - second) > 0.5 * HARTREE_TO_EV


def test_a_torchani_model_is_a_start_and_may_have_more_elements(tmp_path):
    model = organic_ensemble(("H", "C", "N", "O"), 2, activation="celu")
    data = molecules()
    prepared(data, tmp_path / "t", start=model, network=None, members=2)
    plan = read_plan(tmp_path / "t")
    assert plan.network.symbols == ("H", "C", "O")
    assert (plan.network.activation, plan.network.hidden) == ("celu", {"H": (24, 16), "C": (32, 16), "O": (48, 16)})
    assert plan.start["kind"] == "TorchANI model"
    expected = networks_of_model(model).of_elements(("H", "C", "O")).networks
    for number in range(2):
        assert equal(begun(tmp_path / "t", number), [p.float() for p in expected[number].parameters()])


def test_the_model_file_tells_what_it_started_from(frames, earlier, tmp_path):
    start = str(earlier.folder / "model.nnp.pt")
    ensemble = trained(frames, tmp_path / "t", training={"start": start, "max_epochs": 1}, members=1)
    release(ensemble, tmp_path / "tuned.nnp.pt", gate=False)
    provenance = read_metadata(tmp_path / "tuned.nnp.pt").provenance
    assert provenance["start"] == {
        "kind": "model file", "content_hash": ensemble.plan.start["content_hash"], "members": [0],
    }  # fmt: skip
    assert len(provenance["start"]["content_hash"]) == 64
    assert provenance["training"]["start"] == "model.nnp.pt"


def test_self_energies_take_up_what_the_start_leaves(tmp_path):
    """The start's own zero of energy, here 5 eV an atom off, goes into them at once."""
    model = organic_ensemble(("H", "C", "O"), 2)
    data = molecules()
    with torch.no_grad():
        for member in model.neural_networks.members:
            for network in member.atomics.values():
                network.final_layer.weight *= 0.0
                network.final_layer.bias.fill_(5.0 / HARTREE_TO_EV)
    prepared(data, tmp_path / "t", start=model, network=None, members=2)
    prepared(data, tmp_path / "cold", network=NetworkSettings(aev="ani2x", hidden=(8,)), members=2)
    for folder, expected in (("t", -45.0), ("cold", -40.0)):
        plan = read_plan(tmp_path / folder)
        found = load_data(tmp_path / folder / CACHE, plan.network).self_energies
        assert found == pytest.approx([expected] * 3, abs=0.3)  # labels spread by 0.1 eV


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"hidden": (32, 16)}, r"network\.hidden = .*: training\.start, ANI, has .*'C': \[32, 16\].*remove the key"),
        ({"aev": "ani1x"}, r"network\.aev = .*radial_cutoff=5\.2"),
        ({"activation": "celu"}, r"network\.activation = 'celu': training\.start, ANI, has gelu"),
        ({"bias": False}, r"network\.bias = False: training\.start, ANI, has True"),
        ({"elements": ("H", "C", "O", "Si")}, r"it has networks for H, C, N, O, none for Si of the data"),
    ],
)
def test_a_table_that_contradicts_the_start_is_told_by_key(tmp_path, network, expected):
    model = organic_ensemble(("H", "C", "N", "O"), 2)
    with pytest.raises(StartError, match=expected):
        prepared(molecules(), tmp_path / "t", start=model, network=NetworkSettings(**network))
    assert not (tmp_path / "t").exists()


def test_what_cannot_be_a_start_is_told(frames, earlier, tmp_path, monkeypatch):
    def refused(expected, **training):
        with pytest.raises(ValueError, match=expected):
            prepared(frames, tmp_path / "t", network=None, training=training)

    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no model")
    refused("nowhere': not there; expected a model file or the folder of a training", start="nowhere")
    refused(r"empty': .*not a training folder: it holds no plan\.json", start=str(tmp_path / "empty"))
    refused("text': not a TorchScript archive", start=str(tmp_path / "text"))
    refused("there is no ensemble.previous; give the earlier training's folder there", start="previous")
    refused("TorchANI has no such model; it has ANI1ccx, ANI1x", start="torchani:ANI3")
    with pytest.raises(ValueError, match=r"ensemble\.previous = 'x': no effect with split = 'random'"):
        prepared(frames, tmp_path / "t", previous="x")
    with pytest.raises(StartError, match="a TorchANI model is given to start from, too"):
        prepared(frames, tmp_path / "t", start=earlier.model(), training={"start": "x"})
    with pytest.raises(StartError, match="none for Al of the data"):
        prepared(frames, tmp_path / "t", start=organic_ensemble(("H", "C"), 2), network=None)

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torchani.models, "_fetch_state_dict", no_network)
    refused(r"TorchANI cannot fetch its weights \(no network\)", start="torchani:ANI2x")
    for name in ("ANI2xr", "ANI2dr", "ANIr2s_water", "SnnANI2xr"):  # nothing is fetched for these
        refused("its energy has terms besides its networks", start=f"torchani:{name}")
    assert not (tmp_path / "t").exists()


def test_a_training_folder_whose_weights_are_gone_is_no_start_and_no_ensemble(frames, earlier, tmp_path):
    folder = tmp_path / "earlier"
    shutil.copytree(earlier.folder, folder)
    (folder / "member-1" / CHECKPOINT).unlink()
    with pytest.raises(StartError, match=r"member-1.checkpoint\.pt is missing or damaged"):
        prepared(frames, tmp_path / "t", training={"start": str(folder)})
    with pytest.raises(TrainingFolderError, match=r"member-1.checkpoint\.pt no longer exists"):
        load_ensemble(folder)


def test_a_published_model_by_its_name(tmp_path, monkeypatch):
    """Its architecture with random weights: the real ones are fetched by TorchANI."""
    model = published_ensemble("ANI2x")
    monkeypatch.setattr(torchani.models, "ANI2x", lambda: model)
    data = molecules("CH")
    training = {"start": "torchani:ANI2x", "frozen_layers": 3}
    prepared(data, tmp_path / "t", network=None, training=training, members=9)
    plan = read_plan(tmp_path / "t")
    assert plan.network.symbols == ("H", "C")
    assert plan.network.hidden == {"H": (256, 192, 160), "C": (224, 192, 160)}
    assert plan.start["members"] == [0, 1, 2, 3, 4, 5, 6, 7, 0]


def test_previous_is_the_folder_of_the_earlier_training_with_either_split(frames, earlier, tmp_path):
    for split in ("random", "inherited"):
        rule = {"split": split, "previous": str(earlier.folder)}
        prepared(frames, tmp_path / split, training={"start": "previous"}, **rule)
        plan = read_plan(tmp_path / split)
        assert plan.start["members"] == [0, 1, 2]
        assert (plan.previous is None) == (split == "random")
        assert equal(begun(tmp_path / split, 2), list(earlier.members[2].network.parameters()))
