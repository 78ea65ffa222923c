"""torch.ops.nnpal.ensemble against TorchANI's networks on TorchANI's AEVs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchani.nn import ANINetworks

from nnpal.model.build import build_aev_computer, build_member
from nnpal.model.fused_module import FusedModule
from nnpal.model.ops import load_ops
from ops_structures import DTYPES, SYMBOLS, Structure, assert_near, make_structure, structures
from ops_twins import assert_nan_comes_through, assert_room_is_passed_over, cpu

load_ops()
OPS = torch.ops.nnpal
# The AEV's, and a network's sums of 20 to 200 terms more
TOLERANCE = {"single": 2e-5, "double": 1e-10}
SCALE = 27.2


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    """Use this instruction set within, and the processor's best again after."""
    OPS.use_instruction_set(name)
    try:
        yield
    finally:
        OPS.use_instruction_set(OPS.instruction_sets()[0])


def fused(structure: Structure, members: list[ANINetworks]) -> FusedModule:
    computer = build_aev_computer(structure.description)
    return FusedModule(computer, members, torch.zeros(structure.n_elements), SCALE)


def compare(structure: Structure, members: list[ANINetworks], precision: str, tolerance: float) -> None:
    """Energies of members, gradients of their mean and of each, and what autograd makes of the energies."""
    dtype = DTYPES[precision]
    inputs = structure.inputs(dtype)
    edge_vec = inputs[3]
    expected = structure.reference(members, SCALE).to(dtype)(*structure.sorted(inputs))
    module = fused(structure, members).to(dtype)
    if not len(edge_vec):
        assert_near(module(*inputs), expected, tolerance)
        assert module.energies_and_gradients(*inputs, True)[1].shape == (1 + len(members), 0, 3)
        return
    sums = [expected.mean(0).sum(), *expected.sum(1)]
    gradients = [torch.autograd.grad(one, edge_vec, retain_graph=True, materialize_grads=True)[0] for one in sums]
    energies, found = module.energies_and_gradients(*inputs, True)
    assert_near(energies, expected.detach(), tolerance)
    assert_near(found, torch.stack(gradients), tolerance)
    alone_energies, alone = module.energies_and_gradients(*inputs, False)
    assert torch.equal(alone_energies, energies)
    assert torch.equal(alone[0], found[0])  # forces do not depend on whether uncertainties are asked for
    again = module(*inputs)
    assert torch.equal(again, energies)
    weights = torch.randn(again.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    (by_autograd,) = torch.autograd.grad((weights * again).sum(), edge_vec, materialize_grads=True)
    (expected_gradient,) = torch.autograd.grad((weights * expected).sum(), edge_vec, materialize_grads=True)
    assert_near(by_autograd, expected_gradient, tolerance)


@pytest.mark.parametrize("precision", DTYPES)
@settings(deadline=None, max_examples=20, derandomize=True)
@given(structure=structures, n_members=st.integers(1, 4), activation=st.sampled_from(["gelu", "celu"]))
def test_agrees_with_torchani(structure: Structure, n_members: int, activation: str, precision: str) -> None:
    members = structure.members(n_members, activation)
    compare(structure, members, precision, TOLERANCE[precision])


@pytest.mark.parametrize("hidden", [(1,), (7,), (224, 192, 160), (33, 16, 5, 3)], ids=str)
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", OPS.instruction_sets())
def test_layer_sizes_on_every_instruction_set(name: str, precision: str, hidden: tuple[int, ...]) -> None:
    """Sizes that no vector divides; more centers than fit into a block."""
    structure = make_structure(n_atoms=150, n_elements=1, volume=14.0, aev="ani2x-6.9", seed=4, closest=1.2)
    assert structure.graph.n_local > 128
    description = replace(structure.description, hidden=hidden)
    members = [build_member(description, seed) for seed in range(2)]
    with instruction_set(name):
        compare(structure, members, precision, TOLERANCE[precision])


@pytest.mark.parametrize("n_atoms", [1, 3, 6, 11, 19])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", OPS.instruction_sets())
def test_few_atoms_on_every_instruction_set(name: str, precision: str, n_atoms: int) -> None:
    """Of few atoms the numbers lie atom by atom. Layers that no vector divides; from one tile of atoms to five."""
    structure = make_structure(n_atoms=n_atoms, n_elements=1, volume=14.0, aev="ani2x-6.9", seed=n_atoms, closest=1.2)
    description = replace(structure.description, hidden=(33, 18, 5, 1))
    members = [build_member(description, seed) for seed in range(2)]
    with instruction_set(name):
        compare(structure, members, precision, TOLERANCE[precision])


def spoil_absent(members: list[ANINetworks], structure: Structure, present: list[int]) -> None:
    """Make NaN of the first layers' weights of parts that belong to elements that are not there."""
    terms = build_aev_computer(structure.description)
    n_radial, n_angular = terms.radial.num_feats, terms.angular.num_feats
    n = structure.n_elements
    pairs = [(a, b) for a in range(n) for b in range(a, n)]
    is_there = [e in present for e in range(n) for _ in range(n_radial)]
    is_there += [a in present and b in present for a, b in pairs for _ in range(n_angular)]
    absent = ~torch.tensor(is_there)
    with torch.no_grad():
        for member in members:
            for network in member.atomics.values():
                network.layers[0].weight[:, absent] = torch.nan


@pytest.mark.parametrize("n_atoms", [12, 40])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", OPS.instruction_sets())
def test_absent_elements(name: str, precision: str, n_atoms: int) -> None:
    """Two elements of four, at the ends and between: parts of AEV and first layer that are left out are not read."""
    with instruction_set(name):
        for present in ([1, 3], [0, 2]):
            some = make_structure(n_atoms=n_atoms, n_elements=2, volume=12.0, seed=11)
            species = torch.tensor(present)[some.graph.species]
            structure = replace(some, n_elements=4, graph=replace(some.graph, species=species))
            members = structure.members(2)
            compare(structure, members, precision, TOLERANCE[precision])
            inputs = structure.inputs(DTYPES[precision])
            expected = fused(structure, members).to(DTYPES[precision]).energies_and_gradients(*inputs, True)
            spoil_absent(members, structure, present)
            found = fused(structure, members).to(DTYPES[precision]).energies_and_gradients(*inputs, True)
            for own, other in zip(found, expected, strict=True):
                assert torch.equal(own, other)


def test_elements_of_different_layers_and_no_bias() -> None:
    structure = make_structure(n_atoms=60, n_elements=3, volume=12.0, seed=6)
    hidden = {"H": (9,), "C": (31, 8), "N": (16, 16, 4)}
    description = replace(structure.description, hidden=hidden, bias=False)
    members = [build_member(description, seed) for seed in range(3)]
    compare(structure, members, "double", TOLERANCE["double"])


def test_fewer_members() -> None:
    structure = make_structure(n_atoms=10, n_elements=2, volume=12.0, seed=7)
    members = structure.members(4)
    inputs = structure.inputs(torch.float64)
    module = fused(structure, members).double()
    energies, _ = module.energies_and_gradients(*inputs, True)
    module.n_active = 2
    fewer, gradients = module.energies_and_gradients(*inputs, True)
    assert torch.equal(fewer, energies[:2])
    expected = fused(structure, members[:2]).double().energies_and_gradients(*inputs, True)[1]
    torch.testing.assert_close(gradients, expected, rtol=0, atol=1e-13)


def test_gelu_far_out() -> None:
    """Where exponentials underflow, GELU is 0 or its argument, and its slope 0 or 1."""
    structure = make_structure(n_atoms=3, n_elements=1, volume=20.0, seed=1)
    for factor in (1e3, -1e3, 1e6):
        members = structure.members(2)
        with torch.no_grad():
            for member in members:
                for layer in member.atomics[SYMBOLS[0]].layers:
                    layer.weight.mul_(factor)
        for precision in DTYPES:
            inputs = structure.inputs(DTYPES[precision])
            expected = structure.reference(members, SCALE).to(DTYPES[precision])(*structure.sorted(inputs))
            found = fused(structure, members).to(DTYPES[precision])(*inputs)
            assert found.isfinite().all()
            assert_near(found, expected, TOLERANCE[precision])


@pytest.mark.parametrize("cutoff_function", ["cosine", "smooth"])
@pytest.mark.parametrize("activation", ["gelu", "celu"])
@pytest.mark.parametrize("name", OPS.instruction_sets())
def test_nan_comes_through(name: str, activation: str, cutoff_function: str) -> None:
    with instruction_set(name):
        assert_nan_comes_through(cpu(), activation, cutoff_function)


BAD = {
    "weights": ({4: torch.zeros(3)}, r"weights have shape \[3\], expected \["),
    "weights dtype": ({4: None}, "weights are Double"),
    "layers": ({5: [2, 20]}, "layers is .*expected for each element the number of its layers"),
    "outputs": ({5: [1, 3]}, "expected last layers with one output"),
    "elements": ({5: [1, 1, 1, 1]}, "layers describe 2 elements, expected 1"),
    "n_active": ({7: 5}, "n_active is 5 of 2 members"),
    "activation": ({8: "relu"}, "activation is 'relu', expected gelu or celu"),
}


@pytest.mark.parametrize("name", BAD)
def test_arguments_out_of_range(name: str) -> None:
    structure = make_structure(n_atoms=4, n_elements=1, volume=12.0)
    module = fused(structure, structure.members(2))
    arguments = [*structure.inputs(torch.float32), module.weights, module.layers, 2, 2, "gelu", 0.0, 1.0]
    arguments += [*structure.terms]
    OPS.ensemble(*arguments)
    changes, message = BAD[name]
    for place, value in changes.items():
        arguments[place] = module.weights.double() if value is None else value
    with pytest.raises(ValueError, match=message):
        OPS.ensemble(*arguments)


@pytest.mark.parametrize("name", OPS.instruction_sets())
def test_room_is_passed_over(name: str) -> None:
    with instruction_set(name):
        assert_room_is_passed_over(cpu())


def test_memory_of_results_is_taken_again_where_nobody_holds_it() -> None:
    structure = make_structure(n_atoms=20, n_elements=2, volume=12.0, seed=4)
    module = fused(structure, structure.members(2))
    species, n_local, edge_index, edge_vec = structure.inputs(torch.float32)
    edge_vec = edge_vec.detach()

    def evaluate(scale: float) -> tuple[torch.Tensor, torch.Tensor]:
        return module.energies_and_gradients(species, n_local, edge_index, scale * edge_vec, True)

    def places() -> list[int]:
        return [result.data_ptr() for result in evaluate(1.0)]

    assert places() == places()
    energies, gradients = evaluate(1.0)
    held, copies = (energies, gradients[1]), (energies.clone(), gradients[1].clone())
    del energies, gradients
    others = evaluate(1.1)
    assert not torch.equal(others[0], held[0])
    for own, copy in zip(held, copies, strict=True):
        assert torch.equal(own, copy)
