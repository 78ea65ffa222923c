"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

Source: Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, https://arxiv.org/abs/2409.11321, algorithm 3.
The code is our own: pytorch-optimizer 4.1.0 rotates the basis in single precision whatever the type of the weights
(findings/pytorch_optimizer_soap_float64.sh), and updates one member at a time.

| symbol   | variable                                                                            |
|----------|-------------------------------------------------------------------------------------|
| G        | gradient of a layer's weights, [n_outputs, n_inputs]                                |
| L, R     | ``left``, ``right``: moving averages of G Gᵀ and Gᵀ G                                |
| Q_L, Q_R | ``left_basis``, ``right_basis``: their eigenvectors, largest eigenvalue first       |
| M, V     | ``momentum``, ``variance``: Adam's averages of G' = Q_Lᵀ G Q_R and of its square    |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

SIDES = ("left", "right")
State = dict[str, Any]
FLOOR = 1e-5
"""Relative to the mean eigenvalue; about the single-precision rounding of the largest among some hundred."""


class SOAP(torch.optim.Optimizer):
    """SOAP optimizer; vectors (biases) have no basis and are updated by Adam.

    The first call of :meth:`step` only computes the first basis from the gradients, and changes no weights.

    Arguments:
        parameters: matrices and vectors, all of one dtype and device.
        lr: learning rate.
        betas: decay of M and of V per update; L and R decay like V.
        eps: constant added to √V.
        weight_decay: decoupled weight decay, multiplied by the learning rate.
        basis_every: number of updates between changes of the basis.
        largest_basis: largest number of rows, or columns, for which that side has a basis; the cost grows with its
            cube.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        *,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        basis_every: int = 5,
        largest_basis: int = 1024,
    ) -> None:
        super().__init__(
            parameters,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "basis_every": basis_every,
                "largest_basis": largest_basis,
            },
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        step_together([self])


@torch.no_grad()
def step_together(optimizers: Sequence[SOAP]) -> None:
    """Update the parameters of several optimizers; on a GPU, batched operations update all of the same shape.

    Arguments:
        optimizers: optimizers of members with the same layers and options; learning rates may differ.
    """
    for groups in zip(*(optimizer.param_groups for optimizer in optimizers), strict=True):
        for parameters in zip(*(group["params"] for group in groups), strict=True):
            alike: dict[tuple[int, float], list[tuple[Tensor, State]]] = {}
            for optimizer, group, parameter in zip(optimizers, groups, parameters, strict=True):
                if parameter.grad is not None:  # None if a member's batch does not contain the element
                    state = _state(optimizer, parameter, group)
                    alike.setdefault((state["step"], group["lr"]), []).append((parameter, state))
            for (step, rate), members in alike.items():
                batched = members[0][0].is_cuda and len(members) > 1
                (_step_stacked if batched else _step_in_turn)(members, step, {**groups[0], "lr": rate})


def _step_in_turn(members: Sequence[tuple[Tensor, State]], step: int, options: State) -> None:
    for parameter, state in members:
        own = {name: value[None] for name, value in _tensors(state)}
        _step(parameter[None], _gradient(parameter)[None], own, step, options)


def _step_stacked(members: Sequence[tuple[Tensor, State]], step: int, options: State) -> None:
    parameters, states = [parameter for parameter, _ in members], [state for _, state in members]
    joint = {name: torch.stack([state[name] for state in states]) for name, _ in _tensors(states[0])}
    weights = torch.stack(parameters)
    _step(weights, torch.stack([_gradient(parameter) for parameter in parameters]), joint, step, options)
    torch._foreach_copy_(parameters, list(weights.unbind()))
    for name, values in joint.items():
        torch._foreach_copy_([state[name] for state in states], list(values.unbind()))


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _state(optimizer: SOAP, parameter: Tensor, options: State) -> State:
    """Return a parameter's state, with its number of updates increased by one."""
    state: State = optimizer.state[parameter]
    if not state:
        state |= {"step": -1, "momentum": torch.zeros_like(parameter), "variance": torch.zeros_like(parameter)}
        if parameter.dim() == 2:
            for side, size in zip(SIDES, parameter.shape, strict=True):
                if 1 < size <= options["largest_basis"]:
                    state[side] = parameter.new_zeros(size, size)
                    state[f"{side}_basis"] = parameter.new_zeros(size, size)
    state["step"] += 1
    return state


def _tensors(state: State) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in state.items() if isinstance(value, Tensor)]


def _step(weights: Tensor, gradient: Tensor, own: dict[str, Tensor], number: int, options: State) -> None:
    """Update a stack of parameters, [n_members, n_outputs, n_inputs] or [n_members, n], and their state."""
    beta1, beta2 = options["betas"]
    if number > 0:
        rotated = _rotate(gradient, own)
        own["momentum"].lerp_(rotated, 1 - beta1)
        own["variance"].mul_(beta2).addcmul_(rotated, rotated, value=1 - beta2)
        unbiased = (1 - beta2**number) ** 0.5
        direction = own["momentum"] / own["variance"].sqrt().add_(options["eps"] * unbiased)
        if options["weight_decay"]:
            weights.mul_(1 - options["lr"] * options["weight_decay"])
        weights.add_(_rotate_back(direction, own), alpha=-options["lr"] * unbiased / (1 - beta1**number))
    for side, factor in (("left", gradient), ("right", gradient.mT)):
        if side in own:
            own[side].baddbmm_(factor, factor.mT, beta=beta2, alpha=1 - beta2)
    if number == 0:
        for side in SIDES:
            if side in own:
                own[f"{side}_basis"].copy_(_eigenvectors(own[side]))
    elif number % options["basis_every"] == 0:
        for side in SIDES:
            if side in own:
                _turn_basis(side, own)


def _eigenvectors(average: Tensor) -> Tensor:
    """Return eigenvectors as columns, largest eigenvalue first; NaN for a diverged member, as its loss will show."""
    finite = average.isfinite().all(-1).all(-1)[:, None, None]
    apart = torch.linspace(1.0, 2.0, average.shape[-1], dtype=average.dtype, device=average.device)
    vectors = torch.linalg.eigh((average + _floor(average) * apart.diag()).where(finite, 0.0))[1].flip(-1)
    return vectors.where(finite, torch.nan)


def _floor(average: Tensor) -> Tensor:
    """Return a small value, [n_members, 1, 1], that is added to all eigenvalues.

    The first gradients span few directions. Without it, rounding errors would determine the other directions anew at
    every change of the basis.
    """
    return FLOOR * average.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]


def _rotate(values: Tensor, own: dict[str, Tensor]) -> Tensor:
    """Return Q_Lᵀ X Q_R."""
    if "left_basis" in own:
        values = own["left_basis"].mT @ values
    return values @ own["right_basis"] if "right_basis" in own else values


def _rotate_back(values: Tensor, own: dict[str, Tensor]) -> Tensor:
    """Return Q_L X Q_Rᵀ."""
    if "left_basis" in own:
        values = own["left_basis"] @ values
    return values @ own["right_basis"].mT if "right_basis" in own else values


def _turn_basis(side: str, own: dict[str, Tensor]) -> None:
    """Refine a basis by one power iteration, and transform the momentum and variance to it."""
    old = own[f"{side}_basis"]
    image = own[side] @ old + _floor(own[side]) * old
    order = (old * image).sum(-2).argsort(dim=-1, descending=True, stable=True)
    columns = order[:, None, :].expand_as(image)
    new = torch.linalg.qr(image.gather(-1, columns))[0]
    turn = new.mT @ old
    momentum, variance = own["momentum"], own["variance"]
    if side == "left":
        momentum.copy_(turn @ momentum)
        variance.copy_(variance.gather(-2, order[:, :, None].expand_as(variance)))
    else:
        momentum.copy_(momentum @ turn.mT)
        variance.copy_(variance.gather(-1, order[:, None, :].expand_as(variance)))
    old.copy_(new)
