"""SchNet networks in training: derivatives, members side by side, resumption, warm starts, model files, refusals."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from doc_pages import shaken
from nnpal.geometry.neighbor_graph import atoms_graph, each_pair_once
from nnpal.model import read_metadata
from nnpal.model.calculator import NNPCalculator
from nnpal.model.networks import build_network
from nnpal.model.schnet import SchNetDescription
from nnpal.model.settings import NetworkSettings
from nnpal.training import EnsembleSettings, LossSettings, TrainingSettings, build_training_data
from nnpal.training.ensemble import begin_training, end_training
from nnpal.training.evaluate import errors_of_members, evaluate
from nnpal.training.plan import read_plan
from nnpal.training.release import release
from nnpal.training.start_network import StartError
from nnpal.training.storage import load_data, save_data
from nnpal.training.update import learn, losses_of
from nnpal.training.worker import CACHE, CHECKPOINT, restore, run
from training_frames import two_element_frames

SMALL = {"kind": "schnet", "features": 6, "interactions": 2, "gaussians": 5, "cutoff": 3.5}
BOTH = SchNetDescription(("Al", "Ni"), features=6, interactions=2, gaussians=5, cutoff=3.6)
ALL = [np.array([0, 1]), np.array([1])]
LOSS = LossSettings(force_weight=0.7, stress_weight=0.2, huber_force=0.5)


@pytest.fixture(scope="module")
def data():
    return build_training_data(two_element_frames(), BOTH, dtype=torch.float64, stress=True)


@pytest.fixture(scope="module")
def networks():
    return [build_network(BOTH, seed).double() for seed in (1, 2)]


def strained(frame, strain):
    moved = frame.copy()
    moved.set_cell(frame.cell[:] @ (np.eye(3) + strain), scale_atoms=True)
    moved.calc = frame.calc
    return moved


def energy_of(network, frame):
    frame = frame.copy()
    frame.calc = two_element_frames()[0].calc.__class__(frame, energy=0.0, forces=np.zeros((len(frame), 3)))
    made = build_training_data([frame], BOTH, dtype=torch.float64, self_energies=[0.0, 0.0])
    return float(evaluate(network, made.features.batch(np.array([0]))).energies)


def test_forces_and_strain_derivatives_are_those_of_the_energy(data, networks):
    frame, network, step = two_element_frames()[0], networks[0], 1e-5
    found = evaluate(network, data.features.batch(np.array([0])))
    forces = np.zeros_like(frame.positions)
    for place in np.ndindex(*forces.shape):
        ends = []
        for sign in (1, -1):
            moved = frame.copy()
            moved.positions[place] += sign * step
            ends.append(energy_of(network, moved))
        forces[place] = -(ends[0] - ends[1]) / (2 * step)
    assert found.forces.numpy() == pytest.approx(forces, abs=1e-8)
    for a, b in ((0, 0), (1, 2)):
        strain = np.zeros((3, 3))
        strain[a, b] += step / 2
        strain[b, a] += step / 2
        change = energy_of(network, strained(frame, strain)) - energy_of(network, strained(frame, -strain))
        assert float(found.virials[0, a, b]) == pytest.approx(change / (2 * step), abs=1e-7)


def test_the_slope_of_the_loss_is_right_for_every_kind_of_parameter(data, networks):
    network = copy.deepcopy(networks[0])
    learn([network], data, [np.array([0, 1])], LOSS)

    def loss(changed):
        errors, members = errors_of_members([changed], data, [np.array([0, 1])], training=False)
        return float(losses_of(errors, members, LOSS))

    for name, parameter in network.named_parameters():
        place, step, ends = tuple(n // 2 for n in parameter.shape), 1e-4, []  # the stresses make it 1e4 eV²
        for sign in (1, -1):
            changed = copy.deepcopy(networks[0])
            with torch.no_grad():
                changed.get_parameter(name)[place] += sign * step
            ends.append(loss(changed))
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float(parameter.grad[place]) == pytest.approx(expected, rel=1e-5, abs=1e-7), name


def test_members_side_by_side_learn_what_each_learns_alone(data, networks):
    together = [copy.deepcopy(network) for network in networks]
    errors, members, losses = learn(together, data, ALL, LOSS)
    assert members.n_data == [2, 1]
    assert len(errors.energy) == 3
    for k, network in enumerate(networks):
        alone = copy.deepcopy(network)
        _, _, own = learn([alone], data, [ALL[k]], LOSS)
        assert losses[k] == own[0]
        for one, other in zip(together[k].parameters(), alone.parameters(), strict=True):
            assert torch.equal(one.grad, other.grad)


def test_a_pair_once_gives_what_both_directions_give():
    """In a cell shorter than the cutoff an atom is its own neighbor; the cluster has an atom without neighbors."""
    network = build_network(replace(BOTH, cutoff=5.2), 1).double()
    for frame in two_element_frames():
        graph = atoms_graph(frame, BOTH.symbols, 5.2, model="tested")
        once = each_pair_once(graph)
        assert 2 * len(once.edge_vec) == len(graph.edge_vec)
        assert not frame.pbc.any() or (once.edge_index[0] == once.edge_index[1]).any()
        energies = network(graph.species, graph.n_local, graph.edge_index, graph.edge_vec)
        assert network.of_pairs(once.species, once.edge_index, once.edge_vec).tolist() == pytest.approx(
            energies.tolist(), abs=1e-12
        )


def test_a_member_has_learned_before_the_next_is_evaluated(data, networks):
    """On a GPU, where one process has all members, the graph of one is all that memory holds."""
    together = [copy.deepcopy(network) for network in networks]
    weight = together[0].embedding.weight
    done = []
    together[1].embedding.register_forward_pre_hook(lambda *_: done.append(weight.grad is not None))
    learn(together, data, ALL, LOSS)
    assert done == [True]


def test_networks_of_another_kind_are_refused_by_features(data):
    other = build_training_data(two_element_frames(), NetworkSettings(hidden=(4,)).description(["Al", "Ni"]))
    with pytest.raises(TypeError, match="NeighborBatch cannot be used by ANINetworks"):
        evaluate(build_network(NetworkSettings(hidden=(4,)).description(["Al", "Ni"]), 0), data.features.batch(ALL[0]))
    with pytest.raises(TypeError, match="StoredBatch cannot be used by SchNet"):
        evaluate(build_network(BOTH, 0), other.features.batch(ALL[0]))


def test_stored_data_are_the_same(data, networks, tmp_path):
    save_data(tmp_path, data)
    again = load_data(tmp_path, BOTH)
    one, other = (evaluate(networks[0], each.features.batch(ALL[0])) for each in (data, again))
    assert torch.equal(one.energies, other.energies)
    assert torch.equal(one.forces, other.forces)


def prepared(frames, folder, *, network=SMALL, training=None, **ensemble):
    """Make a training folder, and return the members to train."""
    return begin_training(
        frames,
        folder,
        network=NetworkSettings(**network),
        training=TrainingSettings(**{"batch_size": 4, "max_epochs": 3, **(training or {})}),
        ensemble=EnsembleSettings(**{"members": 2, "seed": 3, **ensemble}),
    )


def train(folder, numbers, on_epoch=lambda *_: None):
    run(folder, numbers, torch.device("cpu"), load_data(folder / CACHE, read_plan(folder).network), on_epoch)


@pytest.fixture(scope="module")
def frames():
    return shaken("Al", 12)


@pytest.fixture(scope="module")
def earlier(frames, tmp_path_factory):
    """A training of two members, and its model file in double precision."""
    folder = tmp_path_factory.mktemp("schnet") / "train"
    train(folder, prepared(frames, folder))
    ensemble = end_training(folder, {})
    release(ensemble, folder / "model.nnp.pt", dtype="float64", gate=False)
    return ensemble


def test_an_interrupted_training_ends_with_the_same_weights(frames, earlier, tmp_path):
    class Killed(Exception):
        pass

    def kill(number, record):
        if record.epoch == 1:
            raise Killed

    folder = tmp_path / "t"
    numbers = prepared(frames, folder, training={"checkpoint_every": 1})
    with pytest.raises(Killed):
        train(folder, numbers, kill)
    train(folder, numbers)
    for number in numbers:
        found = restore(folder, read_plan(folder), number, torch.device("cpu"))
        expected = restore(earlier.folder, earlier.plan, number, torch.device("cpu"))
        assert found.epoch == 3
        for one, other in zip(found.network.parameters(), expected.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_the_model_file_gives_what_was_trained(frames, earlier):
    path = earlier.folder / "model.nnp.pt"
    metadata = read_metadata(path)
    assert (metadata.kind, metadata.hops, metadata.kernel, metadata.n_members) == ("schnet", 2, "modules", 2)
    assert metadata.provenance["network"]["kind"] == "schnet"
    assert earlier.calibration is None or metadata.calibration == earlier.calibration
    own = earlier.result.self_energies
    made = build_training_data(frames[:1], earlier.plan.network, dtype=torch.float64, self_energies=own)
    batch = made.features.batch(np.array([0]))
    members = [evaluate(copy.deepcopy(member.network).double(), batch) for member in earlier.members]
    calculator = NNPCalculator(path)
    atoms = frames[0].copy()
    atoms.calc = calculator
    energy = np.mean([float(one.energies) for one in members]) + len(atoms) * own[0]
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-9)
    forces = np.stack([one.forces.numpy() for one in members])
    assert atoms.get_forces() == pytest.approx(forces.mean(0), abs=1e-9)
    assert calculator.get_property("uq_force", atoms) == pytest.approx(np.sqrt(forces.var(0).sum(-1)), abs=1e-9)


@pytest.mark.parametrize("form", ["folder", "file"])
def test_members_start_from_earlier_ones(frames, earlier, tmp_path, form):
    start = earlier.folder if form == "folder" else earlier.folder / "model.nnp.pt"
    prepared(frames, tmp_path / "t", network={"kind": "schnet"}, training={"start": str(start)})
    plan = read_plan(tmp_path / "t")
    assert plan.network == earlier.plan.network
    for number, member in enumerate(earlier.members):
        begun = restore(tmp_path / "t", plan, number, torch.device("cpu")).network
        for one, other in zip(begun.parameters(), member.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_a_start_of_another_kind_or_size_is_refused(frames, earlier, tmp_path):
    start = {"start": str(earlier.folder)}
    with pytest.raises(StartError, match=r"network\.kind = 'ani': training\.start, .*, is of kind 'schnet'"):
        prepared(frames, tmp_path / "t", network={"kind": "ani"}, training=start)
    with pytest.raises(StartError, match=r"network\.features = 8: training\.start, .*, has 6"):
        prepared(frames, tmp_path / "t", network={"kind": "schnet", "features": 8}, training=start)
    with pytest.raises(StartError, match=r"training\.frozen_layers = 1"):
        prepared(frames, tmp_path / "t", network={"kind": "schnet"}, training={**start, "frozen_layers": 1})
    with pytest.raises(
        StartError, match=r"network\.hidden = \(8,\): .* is of kind 'schnet', whose keys are features, .*"
    ):
        prepared(frames, tmp_path / "t", network={"hidden": (8,)}, training=start)


def test_an_element_that_no_configuration_holds_is_named(frames, tmp_path):
    with pytest.raises(ValueError, match=r"no configuration holds element O; remove it from network\.elements"):
        prepared(frames, tmp_path / "t", network={**SMALL, "elements": ("O", "Al")})


@pytest.mark.parametrize(
    ("key", "value"), [("aev_scaling", "whiten"), ("initialization", "uniform"), ("features", "stored")]
)
def test_settings_without_effect_are_refused(frames, tmp_path, key, value):
    with pytest.raises(ValueError, match=rf"training\.{key} = '{value}' has no effect with network\.kind = 'schnet'"):
        prepared(frames, tmp_path / "t", training={key: value})
    assert not (tmp_path / "t" / CHECKPOINT).exists()


def test_a_resumed_training_of_another_size_is_refused(frames, earlier):
    with pytest.raises(ValueError, match=r"network\.features is 8, but was 6"):
        prepared(frames, earlier.folder, network={**SMALL, "features": 8})
