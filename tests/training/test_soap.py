"""SOAP beside its own definition, its invariances, and members side by side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnpal.training import soap as module
from nnpal.training.soap import SOAP, step_together

SHAPES = ((6, 6), (6,))  # square: a first gradient of lower rank would leave its basis to rounding


def parameters(seed, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=shape), dtype=dtype, requires_grad=True) for shape in SHAPES]


def set_gradients(own, seed):
    rng = np.random.default_rng([7, seed])
    for parameter in own:
        parameter.grad = torch.tensor(rng.normal(size=parameter.shape), dtype=parameter.dtype)


def by_definition(weights, gradients, rate, beta1, beta2, eps, every):
    """Return weights after algorithm 3 of the paper, written in numpy: M in the basis of its time."""
    left = np.zeros((len(weights),) * 2)
    right = np.zeros((weights.shape[1],) * 2)
    q_left, q_right = left, right
    momentum, variance = np.zeros_like(weights), np.zeros_like(weights)
    for number, gradient in enumerate(gradients):
        if number:
            turned = q_left.T @ gradient @ q_right
            momentum = beta1 * momentum + (1 - beta1) * turned
            variance = beta2 * variance + (1 - beta2) * turned**2
            mean, square = momentum / (1 - beta1**number), variance / (1 - beta2**number)
            weights = weights - rate * q_left @ (mean / (np.sqrt(square) + eps)) @ q_right.T
        left = beta2 * left + (1 - beta2) * gradient @ gradient.T
        right = beta2 * right + (1 - beta2) * gradient.T @ gradient
        if number == 0:
            q_left, q_right = (np.linalg.eigh(average)[1][:, ::-1] for average in (left, right))
        elif number % every == 0:
            plain = q_left @ momentum @ q_right.T
            q_left, rows = power_iteration(left, q_left)
            q_right, columns = power_iteration(right, q_right)
            momentum, variance = q_left.T @ plain @ q_right, variance[rows][:, columns]
    return weights


def power_iteration(average, basis):
    image = average @ basis
    order = np.argsort(-(basis * image).sum(0), kind="stable")
    return np.linalg.qr(image[:, order])[0], order


def test_weights_follow_the_paper(monkeypatch):
    monkeypatch.setattr(module, "FLOOR", 0.0)
    rng = np.random.default_rng(3)
    start, gradients = rng.normal(size=(5, 5)), rng.normal(size=(13, 5, 5))
    weights = torch.tensor(start, requires_grad=True)
    optimizer = SOAP([weights], 0.01, betas=(0.9, 0.8), eps=1e-6, basis_every=3)
    for gradient in gradients:
        weights.grad = torch.tensor(gradient)
        optimizer.step()
    expected = by_definition(start, gradients, 0.01, 0.9, 0.8, 1e-6, 3)
    assert np.abs(expected - start).max() > 0.05
    assert weights.detach().numpy() == pytest.approx(expected, abs=1e-10)


def test_vectors_follow_adam():
    """But for the first gradient, which moves nothing."""
    own, other = (torch.zeros(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    soap = SOAP([own], 0.01, betas=(0.9, 0.99))
    adam = torch.optim.Adam([other], 0.01, betas=(0.9, 0.99))
    rng = np.random.default_rng(0)
    for number in range(8):
        own.grad = other.grad = torch.tensor(rng.normal(size=5))
        soap.step()
        if number:
            adam.step()
    assert torch.allclose(own, other, rtol=0, atol=1e-14)


def test_a_turn_of_the_inputs_turns_the_weights_along(monkeypatch):
    """What Adam lacks: the AEV's components may be mixed by any rotation."""
    monkeypatch.setattr(module, "FLOOR", 0.0)
    rng = np.random.default_rng(1)
    turn = torch.tensor(np.linalg.qr(rng.normal(size=(6, 6)))[0])
    start, gradients = torch.tensor(rng.normal(size=(6, 6))), torch.tensor(rng.normal(size=(25, 6, 6)))

    def trained(turned):
        weights = (start @ turned).requires_grad_(True)
        optimizer = SOAP([weights], 0.01, basis_every=5)
        for gradient in gradients:
            weights.grad = gradient @ turned
            optimizer.step()
        return weights.detach()

    assert torch.allclose(trained(turn), trained(torch.eye(6, dtype=torch.float64)) @ turn, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_bases_stay_orthogonal_to_the_precision_of_the_weights(dtype, atol):
    weights = torch.zeros(64, 96, dtype=dtype, requires_grad=True)
    optimizer = SOAP([weights], 0.01, basis_every=2)
    generator = torch.Generator().manual_seed(0)
    spread = torch.logspace(0, -6, 96, dtype=dtype)  # an AEV's eigenvalues spread further still
    for _ in range(40):
        weights.grad = torch.randn(64, 96, dtype=dtype, generator=generator) * spread
        optimizer.step()
    for side, size in (("left_basis", 64), ("right_basis", 96)):
        basis = optimizer.state[weights][side]
        assert torch.allclose(basis.T @ basis, torch.eye(size, dtype=dtype), rtol=0, atol=atol)
    assert weights.isfinite().all()


def test_sides_above_the_limit_and_of_one_row_have_no_basis():
    weights = [torch.zeros(shape, requires_grad=True) for shape in ((3, 9), (1, 3))]
    optimizer = SOAP(weights, 0.01, largest_basis=5)
    set_gradients(weights, 0)
    optimizer.step()
    bases = [sorted(name for name in optimizer.state[w] if name.endswith("basis")) for w in weights]
    assert bases == [["left_basis"], ["right_basis"]]


def test_weights_decay_by_rate_and_decay_alone():
    weights = torch.ones(3, 4, dtype=torch.float64, requires_grad=True)
    optimizer = SOAP([weights], 0.1, weight_decay=0.5)
    for _ in range(3):
        weights.grad = torch.zeros_like(weights)
        optimizer.step()
    assert torch.allclose(weights, torch.tensor(0.95**2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_members_stacked_are_members_alone(dtype, monkeypatch):
    """As on a GPU; one begins later, one lacks a gradient now and then, one has a learning rate of its own."""
    alone, stacked = ([parameters(seed, dtype) for seed in range(3)] for _ in range(2))
    of_alone, of_stacked = ([SOAP(own, 0.01, basis_every=3) for own in members] for members in (alone, stacked))

    def carry(members, optimizers):
        for number in range(14):
            present = [0, 1] if number < 4 else [0, 1, 2]
            optimizers[2].param_groups[0]["lr"] = 0.02
            for k in present:
                set_gradients(members[k], 100 * k + number)
            if number % 5 == 1:
                members[1][0].grad = None
            step_together([optimizers[k] for k in present])

    for k, optimizer in enumerate(of_alone):
        optimizer.param_groups[0]["lr"] = 0.02 if k == 2 else 0.01
        for number in range(14):
            if k < 2 or number >= 4:
                set_gradients(alone[k], 100 * k + number)
                if k == 1 and number % 5 == 1:
                    alone[1][0].grad = None
                optimizer.step()
    monkeypatch.setattr(module, "_step_in_turn", module._step_stacked)
    carry(stacked, of_stacked)
    atol = 1e-12 if dtype == torch.float64 else 1e-4
    for one, other in zip(alone, stacked, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.allclose(a, b, rtol=0, atol=atol)


def test_gradients_that_are_not_finite_end_in_weights_that_are_not():
    """And not in an error of the eigenvalue solver: a member's loss tells."""
    for first in (True, False):
        own = parameters(0)
        optimizer = SOAP(own, 0.01, basis_every=2)
        for number in range(6):
            set_gradients(own, number)
            if number == (0 if first else 3):
                own[0].grad[1, 2] = torch.nan
            optimizer.step()
        assert not own[0].isfinite().all()
        assert own[1].isfinite().all()


def test_rounding_does_not_draw_what_the_first_gradients_leave_open():
    """Gradients of rank 1, as an output layer has them, in two runs that differ by rounding."""
    ends = []
    for scale in (1.0, 1.0 + 1e-15):
        weights = torch.zeros(6, 8, dtype=torch.float64, requires_grad=True)
        optimizer = SOAP([weights], 0.01, basis_every=2)
        rng = np.random.default_rng(0)
        for _ in range(12):
            weights.grad = scale * torch.tensor(np.outer(rng.normal(size=6), rng.normal(size=8)))
            optimizer.step()
        ends.append(weights.detach())
    assert torch.allclose(*ends, rtol=0, atol=1e-6)
