"""torch.ops.nnpal.aev against TorchANI, on every instruction set that the machine has, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from nnpal.model.ops import load_ops
from ops_structures import DTYPES, Structure, assert_near, make_structure, structures

load_ops()
OPS = torch.ops.nnpal

# float32: sums of some 100 terms of 7 digits, and exponentials of numbers near 10 whose rounding counts tenfold.
# float64: what the issue of a kernel's equality asks, though it is a few 1e-15.
TOLERANCE = {"single": 1e-5, "double": 1e-10}


@pytest.fixture(params=OPS.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    OPS.use_instruction_set(request.param)
    yield request.param
    OPS.use_instruction_set(OPS.instruction_sets()[0])


def compare(structure: Structure, precision: str) -> None:
    """AEVs, their gradients, and what double backward gives in both arguments."""
    dtype, tolerance = DTYPES[precision], TOLERANCE[precision]
    inputs = structure.inputs(dtype)
    edge_vec = inputs[3]
    expected = structure.reference([]).to(dtype).aev(*structure.sorted(inputs))
    found = OPS.aev(*inputs, *structure.terms)
    assert_near(found, expected, tolerance)
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(expected.shape, generator=generator, dtype=dtype, requires_grad=True)
    tangent = torch.randn(edge_vec.shape, generator=generator, dtype=dtype)
    results = []
    for aev in (expected, found):
        (first,) = torch.autograd.grad(aev, edge_vec, gradient, create_graph=True, materialize_grads=True)
        second = torch.autograd.grad(first, (gradient, edge_vec), tangent, allow_unused=True, materialize_grads=True)
        results.append((first, *second))
    for one, other in zip(*results, strict=True):
        assert_near(other, one, tolerance)


@pytest.mark.parametrize("precision", DTYPES)
@settings(deadline=None, max_examples=25, derandomize=True)
@given(structure=structures)
def test_agrees_with_torchani(structure: Structure, precision: str) -> None:
    compare(structure, precision)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("cutoff_function", ["cosine", "smooth"])
def test_every_instruction_set(instruction_set: str, cutoff_function: str, precision: str) -> None:
    structure = make_structure(
        n_atoms=40, n_elements=3, volume=12.0, aev="ani2x-6.9", cutoff_function=cutoff_function, seed=3
    )
    compare(structure, precision)


def test_gradcheck(instruction_set: str) -> None:
    """First and second derivatives against finite differences, no reference in between."""
    structure = make_structure(n_atoms=5, n_elements=2, volume=15.0, aev="ani1x", periodic=False, seed=8)
    species, n_local, edge_index, edge_vec = structure.inputs(torch.float64)

    def aev(vectors: torch.Tensor) -> torch.Tensor:
        return OPS.aev(species, n_local, edge_index, vectors, *structure.terms)

    def vjp(gradient: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return OPS.aev_vjp(gradient, species, n_local, edge_index, vectors, *structure.terms)

    assert len(edge_vec) >= 12
    assert torch.autograd.gradcheck(aev, edge_vec)
    assert torch.autograd.gradgradcheck(aev, edge_vec)
    gradient = torch.randn(n_local, structure.terms.n_features, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(vjp, (gradient, edge_vec))


def test_products_are_each_others_transpose() -> None:
    """gᵀ (J v) = (Jᵀ g)ᵀ v."""
    structure = make_structure(n_atoms=20, n_elements=2, volume=12.0, seed=5)
    species, n_local, edge_index, edge_vec = structure.inputs(torch.float64)
    graph = (species, n_local, edge_index, edge_vec.detach())
    gradient = torch.randn(n_local, structure.terms.n_features, dtype=torch.float64)
    tangent = torch.randn_like(edge_vec)
    one = (gradient * OPS.aev_jvp(tangent, *graph, *structure.terms)).sum()
    other = (tangent * OPS.aev_vjp(gradient, *graph, *structure.terms)).sum()
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


def test_jacobian_is_the_products_with_unit_vectors() -> None:
    structure = make_structure(n_atoms=6, n_elements=2, volume=12.0, seed=9)
    species, n_local, edge_index, edge_vec = structure.inputs(torch.float64)
    graph = (species, n_local, edge_index, edge_vec.detach())
    jacobian = OPS.aev_jacobian(*graph, *structure.terms)
    assert jacobian.shape == (len(edge_vec), structure.terms.n_features, 3)
    for feature in range(structure.terms.n_features):
        gradient = torch.zeros(n_local, structure.terms.n_features, dtype=torch.float64)
        gradient[:, feature] = 1.0
        expected = OPS.aev_vjp(gradient, *graph, *structure.terms)
        torch.testing.assert_close(jacobian[:, feature], expected, rtol=0, atol=1e-14)


def test_a_crowd_of_neighbors(instruction_set: str) -> None:
    """1500 edges and some 400,000 pairs of one center, which are computed in portions."""
    generator = torch.Generator().manual_seed(2)
    n_edges = 1500
    directions = torch.nn.functional.normalize(torch.randn(n_edges, 3, generator=generator, dtype=torch.float64))
    vectors = directions * torch.empty(n_edges, 1, dtype=torch.float64).uniform_(1.0, 5.0, generator=generator)
    structure = make_structure(n_atoms=2, n_elements=2, volume=10.0)
    species = torch.arange(n_edges + 1) % 2
    edge_index = torch.stack((torch.zeros(n_edges, dtype=torch.int64), 1 + torch.arange(n_edges)))
    expected = structure.reference([]).double().aev(species, 1, edge_index, vectors)
    found = OPS.aev(species, 1, edge_index, vectors, *structure.terms)
    assert_near(found, expected, 1e-12)


@pytest.mark.parametrize("precision", DTYPES)
def test_memory_suffices_whatever_the_number_of_edges(instruction_set: str, precision: str) -> None:
    """Operations refuse to use more memory than they have set aside: in any order of sizes none does."""
    rng = np.random.default_rng(6)
    for aev in ("ani2x-6.9", "ani1x"):
        terms = make_structure(n_atoms=1, n_elements=2, volume=10.0, aev=aev).terms
        for n_edges in (5, *rng.integers(0, 90, 8).tolist()):
            species = torch.from_numpy(rng.integers(0, 2, n_edges + 1))
            edge_index = torch.stack((torch.zeros(n_edges, dtype=torch.int64), 1 + torch.arange(n_edges)))
            vectors = torch.from_numpy(rng.uniform(0.5, 2.0, (n_edges, 3))).to(DTYPES[precision])
            graph = (species, 1, edge_index, vectors.requires_grad_(True))
            first = torch.autograd.grad(OPS.aev(*graph, *terms).sum(), vectors, create_graph=True)[0]
            torch.autograd.grad(first.sum(), vectors, materialize_grads=True)
            assert OPS.aev_jacobian(*graph, *terms).isfinite().all()


def test_third_derivatives_are_refused() -> None:
    structure = make_structure(n_atoms=4, n_elements=1, volume=12.0)
    inputs = structure.inputs(torch.float64)
    aev = OPS.aev(*inputs, *structure.terms)
    (first,) = torch.autograd.grad(aev.pow(2).sum(), inputs[3], create_graph=True)
    for of_first in (first.pow(2).sum(), first.sum()):  # along a tangent that has a gradient, and a constant one
        with pytest.raises(RuntimeError, match="to the second order only"):
            torch.autograd.grad(of_first, inputs[3], create_graph=True, retain_graph=True)


def test_product_is_linear_in_its_gradient() -> None:
    """Its derivative there is a constant: with edges that need no gradient nothing is lost, nothing is refused."""
    structure = make_structure(n_atoms=4, n_elements=1, volume=12.0)
    species, n_local, edge_index, edge_vec = structure.inputs(torch.float64)
    graph = (species, n_local, edge_index, edge_vec.detach())
    gradient = torch.randn(n_local, structure.terms.n_features, dtype=torch.float64, requires_grad=True)
    product = OPS.aev_vjp(gradient, *graph, *structure.terms)
    (derivative,) = torch.autograd.grad(product.sum(), gradient, create_graph=True)
    assert torch.equal(derivative, OPS.aev_jvp(torch.ones_like(edge_vec), *graph, *structure.terms))


BAD = {
    "species": ({0: torch.tensor([0, 7])}, r"species\[1\] is 7, expected 0 to 0"),
    "species dtype": ({0: torch.tensor([0.0, 0.0])}, r"species is Float \[2\], expected int64"),
    "n_local": ({1: 3}, "n_local is 3, expected 0 to 2"),
    "center": ({2: torch.tensor([[0, 5], [1, 0]])}, r"edge_index\[0, 1\] is 5, expected a center from 0 to 1"),
    "room": ({2: torch.tensor([[0, 2], [1, 0]])}, r"edge_index\[0, 1\] is 2, expected a center from 0 to 1"),
    "neighbor": ({2: torch.tensor([[0, 1], [1, -1]])}, r"edge_index\[1, 1\] is -1, expected an atom from 0 to 1"),
    "edge_vec": ({3: torch.zeros(3, 3)}, r"edge_vec is Float \[3, 3\], expected float32 or float64 \[2, 3\]"),
    "n_elements": ({4: 0}, "n_elements is 0"),
    "radial": ({5: [5.0]}, "radial has 1 values, expected cutoff and eta"),
    "cutoffs": ({5: [3.0, 16.0]}, r"cutoffs are 3 \(radial\) and 3.5 \(angular\)"),
    "shifts": ({6: []}, "radial_shifts has 0 values"),
    "nan": ({8: [float("nan")]}, "angular_shifts holds nan"),
    "cutoff_function": ({10: "step"}, "cutoff_function is 'step', expected cosine or smooth"),
}


@pytest.mark.parametrize("name", BAD)
def test_arguments_out_of_range(name: str) -> None:
    structure = make_structure(n_atoms=2, n_elements=1, volume=10.0)
    edges = torch.tensor([[0, 1], [1, 0]])
    arguments = [torch.tensor([0, 0]), 2, edges, torch.tensor([[2.0, 0, 0], [-2.0, 0, 0]]), *structure.terms]
    OPS.aev(*arguments)
    changes, message = BAD[name]
    for place, value in changes.items():
        arguments[place] = value
    with pytest.raises(ValueError, match=message):
        OPS.aev(*arguments)


def test_unknown_instruction_set() -> None:
    with pytest.raises(ValueError, match="name is 'mmx', expected one of"):
        OPS.use_instruction_set("mmx")
