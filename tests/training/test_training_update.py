"""Explicit formulas of an update against torch's own differentiation: energies, gradients, derivatives in weights."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch
from torchani.nn import ANINetworks

from nnpal.model.build import build_member
from nnpal.model.celu import ExactCELU
from nnpal.model.description import NetworkDescription
from nnpal.model.ops import load_ops
from nnpal.training import LossSettings, build_training_data, network_pass
from nnpal.training.features import StoredBatch
from nnpal.training.forward_pass import predict, side_by_side
from nnpal.training.loss import Errors, Members
from nnpal.training.network_pass import Activation, Network, energies_and_gradients
from nnpal.training.update import learn, losses_of
from training_frames import relabeled, two_element_frames

load_ops()
OPS = torch.ops.nnpal
N_ROWS = 19  # not a multiple of any register's length, nor are the layers below
DIMENSIONS = [(7, 1), (6, 5, 1), (21, 33, 20, 17, 1)]
ACTIVATIONS = {"gelu": torch.nn.GELU(), "celu": ExactCELU(0.1), "celu of another alpha": ExactCELU(1.3)}
# Sums of up to 33 terms in another order
PRECISION = {torch.float64: 1e-12, torch.float32: 1e-5}


@pytest.fixture
def instruction_set():
    yield OPS.use_instruction_set
    OPS.use_instruction_set(OPS.instruction_sets()[0])


def parameters_of(lead, dimensions, *, bias, dtype):
    generator = torch.Generator().manual_seed(0)
    weights, biases = [], []
    for n_in, n_out in pairwise(dimensions):
        numbers = torch.randn(*lead, n_out, n_in + 1, generator=generator, dtype=dtype) * n_in**-0.5
        weights.append(numbers[..., :-1].contiguous().requires_grad_(True))
        biases.append(numbers[..., -1].contiguous().requires_grad_(True) if bias else None)
    return weights, biases


def by_autograd(module, features, weights, biases):
    """Return energies and gradients that torch differentiates by itself."""
    leaf = features.clone().requires_grad_(True)
    values = leaf
    for depth, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = values @ weight.mT + (0.0 if bias is None else bias.unsqueeze(-2))
        values = module(values) if depth < len(weights) - 1 else values
    energies = values[..., 0]
    (gradients,) = torch.autograd.grad(energies.sum(), leaf, create_graph=True)
    return energies, gradients


def deviation(one, other):
    """Return the distance of two tensors in units of the second one's length."""
    return float((one - other).detach().norm() / other.detach().norm())


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("how", [*OPS.instruction_sets(), "torch"])
@pytest.mark.parametrize("lead", [(), (3,)], ids=["one network", "three side by side"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_formulas_are_what_autograd_does(name, lead, how, dtype, instruction_set, monkeypatch):
    """With one layer and several, with biases and without; by nnpal's operations and by torch's."""
    if how == "torch":
        monkeypatch.setattr(network_pass, "has_ops", lambda: False)
    else:
        instruction_set(how)
    generator = torch.Generator().manual_seed(1)
    module = ACTIVATIONS[name]
    for dimensions in DIMENSIONS:
        features = torch.randn(*lead, N_ROWS, dimensions[0], generator=generator, dtype=dtype)
        seeds = torch.randn(*lead, N_ROWS, generator=generator, dtype=dtype)
        directions = torch.randn(features.shape, generator=generator, dtype=dtype)
        for bias in (True, False):
            weights, biases = parameters_of(lead, dimensions, bias=bias, dtype=dtype)
            network = Network(weights, biases, Activation.of(module))
            parameters = [each for each in network.parameters() if each is not None]
            found = energies_and_gradients(features, network, training=True)
            expected = by_autograd(module, features, weights, biases)
            for one, other in zip(found, expected, strict=True):
                assert deviation(one, other) < PRECISION[dtype]
            for one, other in zip(energies_and_gradients(features, network, training=False), found, strict=True):
                assert deviation(one, other) < PRECISION[dtype]
                assert not one.requires_grad
            scalar = sum((a * b).sum() for a, b in zip(expected, (seeds, directions), strict=True))
            slopes = torch.autograd.grad(scalar, parameters)
            for one, other in zip(torch.autograd.grad(found, parameters, (seeds, directions)), slopes, strict=True):
                assert deviation(one, other) < PRECISION[dtype]


def test_second_slopes_far_out_and_at_zero():
    at = torch.tensor([-200.0, -9.0, -1e-3, 0.0, 1e-3, 9.0, 200.0], dtype=torch.float64)
    for module in ACTIVATIONS.values():
        leaf = at.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(module(leaf).sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), leaf)
        one = torch.ones(1, 1, dtype=torch.float64)
        network = Network([one.clone().requires_grad_(True), one], [None, None], Activation.of(module))
        for value, expected_slope, expected in zip(at, slope.tolist(), second.tolist(), strict=True):
            _, gradient = energies_and_gradients(value.view(1, 1), network, training=True)
            # G = w a'(w x), of which the derivative in w at 1 is a' + x a''
            (found,) = torch.autograd.grad(gradient, network.weights[0], one)
            assert gradient.item() == pytest.approx(expected_slope, abs=1e-15)
            assert found.item() == pytest.approx(expected_slope + value.item() * expected, abs=1e-13)


def test_values_are_differentiated_once():
    weights, biases = parameters_of((), (6, 5, 1), bias=True, dtype=torch.float64)
    network = Network(weights, biases, Activation("gelu"))
    energies, _ = energies_and_gradients(torch.ones(2, 6, dtype=torch.float64), network, training=True)
    torch.autograd.grad(energies.sum(), weights[0], retain_graph=True)
    with pytest.raises(RuntimeError, match="evaluate it anew"):
        torch.autograd.grad(energies.sum(), weights[0])


def test_values_that_are_dropped_leave_no_memory_behind():
    weights, biases = parameters_of((), (6, 5, 1), bias=True, dtype=torch.float64)
    network = Network(weights, biases, Activation("gelu"))
    gc.disable()
    try:
        for index in (0, 1):
            found = energies_and_gradients(torch.ones(2, 6, dtype=torch.float64), network, training=True)
            seen = weakref.ref(found[index])
            del found
            assert seen() is None
    finally:
        gc.enable()


DESCRIPTION = {
    activation: NetworkDescription(("Ni", "Al"), hidden={"Ni": (16, 8), "Al": (12, 8)}, activation=activation)
    for activation in ("gelu", "celu")
}
DESCRIPTION["silu"] = DESCRIPTION["gelu"]  # its networks are changed below
LOSSES = {
    "squares": LossSettings(force_weight=0.7, stress_weight=0.3),
    "huber": LossSettings(force_weight=0.7, stress_weight=0.3, huber_energy=0.05, huber_force=0.4, huber_stress=0.02),
    "huber of forces alone": LossSettings(force_weight=0.7, stress_weight=0.3, huber_force=0.4),
}


def data_of(features, activation, *, stress):
    frames = two_element_frames()
    frames += [relabeled(frame, energy=0.3) for frame in frames]
    return build_training_data(frames, DESCRIPTION[activation], dtype=torch.float64, stress=stress, features=features)


def members(activation, n):
    networks = [build_member(DESCRIPTION[activation], seed).double() for seed in range(n)]
    for atomic in (atomic for network in networks for atomic in network.atomics.values()):
        atomic.activation = torch.nn.SiLU() if activation == "silu" else atomic.activation
    return networks


def learned_by_autograd(networks: list[ANINetworks], data, batches, loss):
    """Return the losses; the weights' gradients are torch's."""
    batch = data.features.batch(np.concatenate(batches))
    owners = Members([len(own) for own in batches], [int(data.sizes[own].sum()) for own in batches])
    found = predict(side_by_side(networks, owners.n_atoms), batch, training=True)
    rows = batch.rows
    virial = None if found.virials is None else found.virials - data.virials[rows.configurations]
    energy, force = found.energies - data.energies[rows.configurations], found.forces - data.forces[rows.atoms]
    losses = losses_of(Errors(energy, force, rows.sizes, virial), owners, loss)
    losses.sum().backward()
    return losses.detach()


def require_equal_updates(activation, features, batches, loss, *, stress):
    data, parts = data_of(features, activation, stress=stress), [np.array(own) for own in batches]
    ours, theirs = members(activation, len(batches)), members(activation, len(batches))
    errors, owners, losses = learn(ours, data, parts, loss)
    assert not any(each.requires_grad for each in (errors.energy, errors.force, losses))
    assert torch.allclose(losses, learned_by_autograd(theirs, data, parts, loss), rtol=1e-12, atol=0)
    assert torch.equal(losses, losses_of(errors, owners, loss))
    for network, other in zip(ours, theirs, strict=True):
        for one, expected in zip(network.parameters(), other.parameters(), strict=True):
            assert deviation(one.grad, expected.grad) < 1e-12


@pytest.mark.parametrize("how", OPS.instruction_sets())
def test_stored_derivatives_on_every_instruction_set(how, instruction_set):
    instruction_set(how)
    for stress in (True, False):
        require_equal_updates("gelu", "stored", [[1, 0, 3]], LOSSES["huber"], stress=stress)


def test_numbers_that_are_not_finite_come_through():
    """So that a member that diverges is told, whatever bounds its errors."""
    data = data_of("stored", "gelu", stress=True)
    (network,) = members("gelu", 1)
    with torch.no_grad():
        network.atomics["Ni"].layers[0].weight[0, 0] = torch.nan
    _, _, losses = learn([network], data, [np.array([0, 1])], LOSSES["huber"])
    assert losses.isnan().all()
    assert all(parameter.grad.isnan().any() for parameter in network.atomics["Ni"].layers.parameters())


def test_frozen_layers_get_no_gradient_and_change_no_other():
    data = data_of("stored", "gelu", stress=True)
    (whole,), (frozen,) = members("gelu", 1), members("gelu", 1)
    for atomic in frozen.atomics.values():
        atomic.layers[0].requires_grad_(False)
    for network in (whole, frozen):
        learn([network], data, [np.array([0, 1])], LOSSES["huber"])
    for (name, one), other in zip(frozen.named_parameters(), whole.parameters(), strict=True):
        assert (one.grad is None) == (".layers.0." in name)
        assert one.grad is None or torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("features", ["stored", "recomputed"])
@pytest.mark.parametrize("stress", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_update_is_what_autograd_does(loss, stress, features):
    """Two elements, one configuration without a stress, members with batches of their own."""
    for batches in ([[1, 0, 3]], [[0, 1], [2, 3]], [[3], [0, 1, 2], [2]]):
        require_equal_updates("gelu", features, batches, LOSSES[loss], stress=stress)


@pytest.mark.parametrize("features", ["stored", "recomputed"])
def test_another_activation_function_is_differentiated_by_torch_and_that_is_told(features):
    assert Activation.of(torch.nn.GELU("tanh")) is None
    for batches in ([[1, 0, 3]], [[0, 1], [2]]):
        with pytest.warns(UserWarning, match=r"SiLU\(\): its slopes are not known"):
            require_equal_updates("silu", features, batches, LOSSES["huber"], stress=True)


def test_celu_is_learned_too():
    require_equal_updates("celu", "stored", [[1, 0], [2]], LOSSES["huber"], stress=True)


def test_without_compiled_operations_an_update_is_the_same(monkeypatch):
    for module in ("network_pass", "features"):
        monkeypatch.setattr(f"nnpal.training.{module}.has_ops", lambda: False)
    for batches in ([[1, 0, 3]], [[0, 1], [2]]):
        require_equal_updates("gelu", "stored", batches, LOSSES["huber"], stress=True)


def test_stored_operations_name_bad_input():
    data = data_of("stored", "gelu", stress=False)
    batch = data.features.batch(np.array([0, 1]))
    assert isinstance(batch, StoredBatch)
    gradient = torch.ones_like(batch.aev)
    outside = [batch.starts[0], batch.derivatives.numel() - 1]
    with pytest.raises(ValueError, match=r"configuration 1 of 6 atoms starts at .* outside"):
        torch.ops.nnpal.stored_product(gradient, batch.derivatives, outside, batch.sizes, False)
    with pytest.raises(ValueError, match="gradient is"):
        torch.ops.nnpal.stored_product(gradient[1:], batch.derivatives, batch.starts, batch.sizes, False)
    with pytest.raises(ValueError, match="activation is 'tanh', expected gelu or celu"):
        torch.ops.nnpal.network_values(gradient, [gradient[:1]], [None], "tanh", 1.0, True)
