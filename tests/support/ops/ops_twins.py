"""Calls of torch.ops.nnpal for two implementations: CPU, and CUDA on a GPU or with its kernels compiled as loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.description import NetworkDescription
from nnpal.model.fused_module import FusedModule
from nnpal.model.ops import load_ops
from ops_structures import DTYPES, Structure, assert_near, make_structure

# float32: sums of some 100 terms of 7 digits, and exponentials of numbers near 10, which amplify rounding tenfold.
TOLERANCE = {"single": 2e-5, "double": 1e-10}

STRUCTURES = {
    "one element": {"n_atoms": 60, "n_elements": 1, "volume": 12.0, "aev": "ani2x-6.9", "closest": 1.5},
    "four elements": {"n_atoms": 40, "n_elements": 4, "volume": 9.0, "cutoff_function": "smooth"},
    "sections and shifts of ANI-1x": {"n_atoms": 20, "n_elements": 2, "volume": 12.0, "aev": "ani1x"},
    "cluster": {"n_atoms": 12, "n_elements": 3, "volume": 20.0, "periodic": False},
    "more near neighbors than are staged": {"n_atoms": 90, "n_elements": 2, "volume": 1.2, "closest": 0.2},
    "single atom": {"n_atoms": 1, "n_elements": 2, "volume": 900.0},
    "nothing": {"n_atoms": 0, "n_elements": 2, "volume": 10.0},
}


def structure(name: str) -> Structure:
    return make_structure(**STRUCTURES[name], seed=11)


@dataclass(frozen=True)
class Twin:
    """A library of operations and the device on which it is called."""

    ops: Any
    device: str


def cpu() -> Twin:
    load_ops()
    return Twin(torch.ops.nnpal, "cpu")


def aev_results(twin: Twin, case: Structure, dtype: torch.dtype, *, is_sorted: bool) -> list[Tensor]:
    """Return AEVs, their gradient, and the gradients of that gradient: all four results of an implementation."""
    inputs = case.sorted(case.inputs(dtype)) if is_sorted else case.inputs(dtype)
    species, n_local, edge_index, edge_vec = (
        x.detach().to(twin.device) if isinstance(x, Tensor) else x for x in inputs
    )
    edge_vec.requires_grad_(True)
    generator = torch.Generator().manual_seed(1)
    aev = twin.ops.aev(species, n_local, edge_index, edge_vec, *case.terms)
    gradient = torch.randn(aev.shape, generator=generator, dtype=dtype).to(twin.device).requires_grad_(True)
    tangent = torch.randn(edge_vec.shape, generator=generator, dtype=dtype).to(twin.device)
    (first,) = torch.autograd.grad(aev, edge_vec, gradient, create_graph=True)
    second = torch.autograd.grad(first, (gradient, edge_vec), tangent)
    return [x.detach().cpu() for x in (aev, first, *second)]


def ensemble_results(twin: Twin, case: Structure, description: NetworkDescription, precision: str) -> list[Tensor]:
    """Return energies and gradients of 6 members, 5 of them active, and the gradient through autograd."""
    computer = build_aev_computer(description)
    members = [build_member(description, seed) for seed in range(6)]
    module = FusedModule(computer, members, torch.zeros(case.n_elements), 27.2).to(DTYPES[precision])
    inputs = [x.detach().to(twin.device) if isinstance(x, Tensor) else x for x in case.inputs(DTYPES[precision])]
    # Part of a larger tensor, as a caller may pass them
    weights = torch.cat((module.weights.new_ones(7), module.weights)).to(twin.device)[7:]
    networks = (weights, module.layers, 6, 5, module.activation, module.alpha, 27.2)
    energies, gradients = twin.ops.ensemble_gradients(*inputs, *networks, *case.terms, True)
    inputs[3].requires_grad_(True)
    again = twin.ops.ensemble(*inputs, *networks, *case.terms)
    assert torch.equal(again, energies)
    share = torch.randn(again.shape, generator=torch.Generator().manual_seed(0), dtype=again.dtype)
    (by_autograd,) = torch.autograd.grad((share.to(twin.device) * again).sum(), inputs[3])
    alone = twin.ops.ensemble_gradients(*inputs, *networks, *case.terms, False)[1]
    assert torch.equal(alone[0], gradients[0])  # forces do not depend on whether uncertainties are requested
    return [x.detach().cpu() for x in (energies, gradients, by_autograd)]


def assert_nan_comes_through(twin: Twin, activation: str, cutoff_function: str) -> None:
    """Require that NaN in weights or positions is visible in the results."""
    case = make_structure(n_atoms=8, n_elements=1, volume=12.0, seed=2, cutoff_function=cutoff_function)
    computer = build_aev_computer(case.description)
    module = FusedModule(computer, case.members(2, activation), torch.zeros(1), 27.2)
    inputs = [x.detach().to(twin.device) if isinstance(x, Tensor) else x for x in case.inputs(torch.float32)]

    def evaluate(weights: Tensor, edge_vec: Tensor) -> tuple[Tensor, Tensor]:
        networks = (weights.to(twin.device), module.layers, 2, 2, module.activation, module.alpha, 27.2)
        energies, gradients = twin.ops.ensemble_gradients(*inputs[:3], edge_vec, *networks, *case.terms, True)
        return energies.cpu(), gradients.cpu()

    broken = module.weights.clone()
    broken[len(broken) // 2] = float("nan")  # the first weight of the second member
    energies, gradients = evaluate(broken, inputs[3])
    assert energies[0].isfinite().all()
    assert energies[1].isnan().all()
    assert gradients[0].isnan().any()
    assert gradients[2].isnan().any()
    edge_vec = inputs[3].clone()
    edge_vec[0] = float("nan")
    energies, gradients = evaluate(module.weights, edge_vec)
    center = inputs[2][0, 0].item()
    assert energies[:, center].isnan().all()
    assert energies.isnan().sum() == 2
    assert gradients[:, 0].isnan().all()


def assert_room_is_passed_over(twin: Twin) -> None:
    """Require that edges of center n_local and neighbor -1 (padding) are ignored, and an error for other neighbors."""
    case = make_structure(n_atoms=20, n_elements=2, volume=12.0, seed=5)
    computer = build_aev_computer(case.description)
    module = FusedModule(computer, case.members(2), torch.zeros(2), 27.2).double()
    species, n_local, edge_index, edge_vec = (
        x.detach().to(twin.device) if isinstance(x, Tensor) else x for x in case.inputs(torch.float64)
    )
    room = edge_index.new_tensor([[n_local] * 70, [-1] * 70])
    larger = (torch.cat((edge_index, room), 1), torch.cat((edge_vec, edge_vec.new_full((70, 3), float("nan")))))
    networks = (module.weights.to(twin.device), module.layers, 2, 2, module.activation, module.alpha, 27.2)
    found = []
    for index, vec in ((edge_index, edge_vec), larger):
        graph = (species, n_local, index, vec)
        energies, gradients = twin.ops.ensemble_gradients(*graph, *networks, *case.terms, True)
        aev = twin.ops.aev(*graph, *case.terms)
        pulled = twin.ops.aev_vjp(aev, *graph, *case.terms)
        found.append((energies, gradients[:, : len(edge_vec)], aev, pulled[: len(edge_vec)]))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def repulsion_results(twin: Twin, dtype: torch.dtype, *, is_sorted: bool) -> list[Tensor]:
    """Return energies of centers and gradients for a repulsion between four elements."""
    case = structure("four elements")
    inputs = case.sorted(case.inputs(dtype)) if is_sorted else case.inputs(dtype)
    graph = [x.detach().to(twin.device) if isinstance(x, Tensor) else x for x in inputs]
    tables = torch.stack([torch.outer(a, a) for a in (torch.arange(1.0, 5.0), torch.linspace(1.0, 1.4, 4))])
    exponent = torch.full((4, 4), 1.5).index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(1.0))
    parameters = torch.cat((tables, exponent[None])).to(twin.device, dtype)
    found = twin.ops.repulsion_gradients(*graph, parameters, 5.1, "smooth", 27.2, 1.9)
    return [x.cpu() for x in found]


def assert_repulsion_agrees(twin: Twin) -> None:
    """Require agreement with the CPU implementation, with edges sorted by center or not."""
    for precision, dtype in DTYPES.items():
        for is_sorted in (True, False):
            results = [repulsion_results(one, dtype, is_sorted=is_sorted) for one in (cpu(), twin)]
            assert_twins_agree(*results, precision)
        in_order, in_any = (repulsion_results(twin, dtype, is_sorted=is_sorted)[0] for is_sorted in (True, False))
        assert_near(in_any, in_order, TOLERANCE[precision])


def assert_room_gets_no_repulsion(twin: Twin) -> None:
    """Require that edges of center n_local and neighbor -1 (padding) are ignored."""
    parameters = torch.ones((3, 2, 2), dtype=torch.float64, device=twin.device)
    species = torch.tensor([0, 1], device=twin.device)
    edge_index = torch.tensor([[0, 1, 2, 2], [1, 0, -1, -1]], device=twin.device)
    edge_vec = torch.full((4, 3), float("nan"), dtype=torch.float64, device=twin.device)
    edge_vec[:2] = 1.0
    found = []
    for n_edges in (2, 4):
        graph = (species, 2, edge_index[:, :n_edges], edge_vec[:n_edges])
        energies, gradients = twin.ops.repulsion_gradients(*graph, parameters, 5.0, "none", 1.0, 1.0)
        assert not gradients[2:].any()
        found.append((energies, gradients[:2]))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def assert_twins_agree(one: list[Tensor], other: list[Tensor], precision: str) -> None:
    for expected, found in zip(one, other, strict=True):
        assert_near(found, expected, TOLERANCE[precision])
