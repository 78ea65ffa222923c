"""Scaled AEVs: the same network to everyone but the optimizer."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nnpal.model.build import build_member
from nnpal.model.description import NetworkDescription
from nnpal.training import LossSettings, TrainingSettings, build_training_data
from nnpal.training.member import Member, step_members
from nnpal.training.scaling import ElementScaling, ScaledLayers, aev_scaling
from nnpal.training.split import Split
from nnpal.training.update import learn
from training_frames import aluminum

NETWORK = NetworkDescription(("Al",), hidden=(12, 8))
TRAIN = np.arange(8)


@pytest.fixture(scope="module")
def data():
    return build_training_data(aluminum(10), NETWORK, dtype=torch.float64, features="stored")


def scaled(values, own):
    shifted = values - own.mean
    return shifted * own.map if own.map.dim() == 1 else shifted @ own.map


def member(data, kind, begun_from=None, **settings):
    scaling = aev_scaling(data.features, TRAIN, NETWORK.symbols, kind)
    options = TrainingSettings(dtype="float64", batch_size=8, updates=40, **settings)
    return Member(NETWORK, options, Split(TRAIN, np.arange(8, 10)), 5, torch.device("cpu"), begun_from, scaling)


def test_scaled_aevs_have_mean_0_and_deviation_1_or_are_uncorrelated(data):
    aevs = data.features.batch(TRAIN).aev.detach()
    standard = scaled(aevs, aev_scaling(data.features, TRAIN, ("Al",), "standardize")["Al"])
    assert torch.allclose(standard.mean(0), torch.zeros(54, dtype=torch.float64), atol=1e-7)
    deviations = standard.std(0, unbiased=False)
    assert deviations.max() == pytest.approx(1.0, abs=1e-6)
    assert (deviations > 0.999).sum() > 20  # of the others hardly any varies at all
    white = scaled(aevs, aev_scaling(data.features, TRAIN, ("Al",), "whiten")["Al"])
    values = torch.linalg.eigvalsh(torch.cov(white.T, correction=0))
    assert values.max() == pytest.approx(1.0, abs=1e-6)
    assert (values > 0.999).sum() > 10


def test_elements_are_scaled_by_their_own_atoms():
    from ase.calculators.singlepoint import SinglePointCalculator

    frames = aluminum(4)
    for frame in frames[1:]:
        results = dict(frame.calc.results)
        frame.symbols[::3] = "Ni"
        frame.calc = SinglePointCalculator(frame, **results)
    description = NetworkDescription(("Al", "Ni"), hidden=(4,))
    features = build_training_data(frames, description, dtype=torch.float64, features="recomputed").features
    found = aev_scaling(features, np.arange(4), description.symbols, "standardize")
    assert list(aev_scaling(features, np.array([0]), description.symbols, "standardize")) == ["Al"]
    batch = features.batch(np.arange(4))
    assert torch.allclose(found["Ni"].mean, batch.aev[batch.species == 1].mean(0).detach())


@pytest.mark.parametrize("kind", ["standardize", "whiten"])
def test_updates_are_those_of_a_network_behind_scaled_aevs(data, kind):
    """Beside a network that is given scaled AEVs, and torch's own gradients and Adam."""
    own = member(data, kind, optimizer="adamw", weight_decay=0.0, learning_rate=1e-2)
    scaling = aev_scaling(data.features, TRAIN, NETWORK.symbols, kind)["Al"]
    other = build_member(NETWORK, 5, "kaiming").double()
    adam = torch.optim.AdamW(other.parameters(), lr=1e-2, weight_decay=0.0)
    loss = LossSettings(force_weight=0.0)
    aevs = data.features.batch(TRAIN).aev.detach()

    def energies():
        return other["Al"](scaled(aevs, scaling))[:, 0].view(8, -1).sum(1)

    for update in range(6):
        for group in adam.param_groups:
            group["lr"] = 1e-2 * min((update + 1) / 5, (40 - update) / 36)
        learn([own.network], data, [TRAIN], loss)
        step_members([own])
        adam.zero_grad()
        ((energies() - data.energies[:8]).square() / 32**0.5).mean().backward()
        adam.step()
    here = own.network["Al"](aevs)[:, 0].view(8, -1).sum(1)
    assert (here - data.energies[:8]).abs().max() > 1e-3
    assert here.detach().numpy() == pytest.approx(energies().detach().numpy(), abs=1e-6)


@pytest.mark.parametrize("kind", ["standardize", "whiten"])
def test_a_start_is_the_same_network_in_scaled_coordinates(data, kind):
    start = build_member(NETWORK, 7).double()
    begun = member(data, kind, copy.deepcopy(start))
    aevs = data.features.batch(TRAIN).aev.detach()
    assert torch.allclose(begun.network["Al"](aevs), start["Al"](aevs), rtol=0, atol=1e-8)


def test_without_biases_aevs_are_only_stretched():
    network = build_member(NetworkDescription(("Al",), hidden=(4,), bias=False), 0).double()
    before = network["Al"].layers[0].weight.detach().clone()
    factor = torch.linspace(1.0, 2.0, 54, dtype=torch.float64)
    layers = ScaledLayers(network, {"Al": ElementScaling(torch.ones(54), factor)}, is_random=True)
    assert torch.allclose(network["Al"].layers[0].weight, before * factor)
    assert len(layers.parameters) == 1


def test_frozen_layers_are_left_alone(data):
    start = build_member(NETWORK, 7).double()
    begun = member(data, "whiten", copy.deepcopy(start), start="somewhere", frozen_layers=1)
    assert not begun.scaled.parameters
    assert torch.equal(begun.network["Al"].layers[0].weight, start["Al"].layers[0].weight)


@pytest.mark.parametrize("kind", ["standardize", "whiten"])
def test_a_checkpoint_goes_on_to_the_last_bit(data, kind):
    whole, begun, resumed = (member(data, kind) for _ in range(3))

    def carry(one, n_updates):
        for _ in range(n_updates):
            learn([one.network], data, [TRAIN], LossSettings())
            step_members([one])

    carry(whole, 12)
    carry(begun, 5)
    resumed.load_state_dict(begun.state_dict())
    resumed.updates = 5  # histories count whole epochs
    carry(resumed, 7)
    assert all(map(torch.equal, whole.network.parameters(), resumed.network.parameters()))
