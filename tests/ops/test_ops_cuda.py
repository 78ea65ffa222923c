"""torch.ops.nnpal on a GPU against the CPU. Run with `pytest -m cuda` where there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nnpal.model.build import build_aev_computer
from nnpal.model.fused_module import FusedModule
from nnpal.model.ops import load_ops
from ops_neighbors import found_edges, pulled
from ops_structures import DTYPES, make_structure
from ops_twins import (
    STRUCTURES,
    Twin,
    aev_results,
    assert_nan_comes_through,
    assert_repulsion_agrees,
    assert_room_gets_no_repulsion,
    assert_room_is_passed_over,
    assert_twins_agree,
    cpu,
    ensemble_results,
    structure,
)

load_ops()
OPS = torch.ops.nnpal
GPU = Twin(OPS, "cuda")
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch"),
    pytest.mark.skipif("cuda" not in OPS.devices(), reason="nnpal was built without nvcc"),
]


@pytest.mark.parametrize("is_sorted", [True, False], ids=["sorted", "in any order"])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_aev(name: str, precision: str, is_sorted: bool) -> None:
    case, dtype = structure(name), DTYPES[precision]
    results = [aev_results(one, case, dtype, is_sorted=is_sorted) for one in (cpu(), GPU)]
    assert_twins_agree(*results, precision)


@pytest.mark.parametrize("activation", ["gelu", "celu"])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("hidden", [(20, 12), (224, 192, 160), (7,), ()], ids=str)
@pytest.mark.parametrize("name", STRUCTURES)
def test_ensemble(name: str, hidden: tuple[int, ...], precision: str, activation: str) -> None:
    case = structure(name)
    description = replace(case.description, hidden=hidden, activation=activation)
    results = [ensemble_results(one, case, description, precision) for one in (cpu(), GPU)]
    assert_twins_agree(*results, precision)


@pytest.mark.parametrize("cutoff_function", ["cosine", "smooth"])
@pytest.mark.parametrize("activation", ["gelu", "celu"])
def test_nan_comes_through(activation: str, cutoff_function: str) -> None:
    assert_nan_comes_through(GPU, activation, cutoff_function)


def test_room_is_passed_over() -> None:
    assert_room_is_passed_over(GPU)


def test_repulsion() -> None:
    assert_repulsion_agrees(GPU)
    assert_room_gets_no_repulsion(GPU)


def test_room_for_edges() -> None:
    """As on the CPU, with room left over and with too little; and the shortest edge."""
    points = torch.from_numpy(np.random.default_rng(3).random((2000, 3)) * 30)
    found = []
    for positions in (points, points.cuda()):
        cells = OPS.cells(positions, 5.0)
        ends = OPS.count_neighbors(positions, *cells, 1500, 5.0)
        n_edges, closest = int(ends[1500]), positions.new_tensor([float("inf")])
        for n in (n_edges - 100, n_edges + 300):
            own = OPS.neighbors(positions, *cells, ends, 0, 1500, n, 3, 5.0, torch.float32, closest)
            found.append([*own, closest])
    for one, other in zip(found[:2], found[2:], strict=True):
        assert all(torch.equal(a, b.cpu()) for a, b in zip(one, other, strict=True))


def test_species_that_are_written_to() -> None:
    """How many centers each element has is remembered with the species' version, and not beyond it."""
    case = structure("four elements")
    module = FusedModule(build_aev_computer(case.description), case.members(2), torch.zeros(4), 27.2)
    species, *graph = (x.detach().cuda() if isinstance(x, Tensor) else x for x in case.inputs(torch.float32))
    networks = (module.weights.cuda(), module.layers, 2, 2, module.activation, module.alpha, 27.2, *case.terms)
    for element in (0, 3):
        species[:9] = element
        again = [OPS.ensemble_gradients(species, *graph, *networks, False)[0] for _ in range(2)]
        fresh = OPS.ensemble_gradients(species.clone(), *graph, *networks, False)[0]
        assert torch.equal(again[0], fresh)
        assert torch.equal(again[1], fresh)


def test_gradcheck() -> None:
    case = make_structure(n_atoms=4, n_elements=2, volume=15.0, aev="ani1x", periodic=False, seed=8)
    species, n_local, edge_index, edge_vec = case.inputs(torch.float64)
    vectors = edge_vec.detach().cuda().requires_grad_(True)

    def aev(vec: Tensor) -> Tensor:
        return OPS.aev(species.cuda(), n_local, edge_index.cuda(), vec, *case.terms)

    assert torch.autograd.gradcheck(aev, vectors)
    assert torch.autograd.gradgradcheck(aev, vectors)


def test_same_numbers_every_time() -> None:
    """No sum depends on the order in which threads run, edges in any order included."""
    case = structure("four elements")
    first, *others = (aev_results(GPU, case, torch.float32, is_sorted=False) for _ in range(5))
    assert all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("has_one_far_away", [False, True])
@pytest.mark.parametrize("n_atoms", [0, 1, 500, 20_000])
def test_neighbors(n_atoms: int, has_one_far_away: bool) -> None:
    """The very edges of the CPU in the same order, and its forces."""
    positions = torch.from_numpy(np.random.default_rng(1).random((n_atoms, 3)) * (n_atoms / 0.09 + 1) ** (1 / 3))
    if has_one_far_away:
        positions[:1] = 1e4
    n_local = n_atoms * 3 // 4
    found = []
    for on in (positions, positions.cuda()):
        index, vec = found_edges(on, 5.0, 0, n_local, dtype=torch.float32)
        gradients = torch.stack([vec, vec.square()])
        found.append([x.cpu() for x in (index, vec, *pulled(index, vec, gradients, n_atoms))])
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    for expected, other in zip(found[0][2:], found[1][2:], strict=True):
        torch.testing.assert_close(other, expected, rtol=1e-10, atol=1e-8)


def test_positions_that_are_not_finite() -> None:
    positions = torch.zeros(2, 3, dtype=torch.float64, device="cuda")
    positions[1, 2] = float("nan")
    assert OPS.count_neighbors(positions, *OPS.cells(positions, 3.0), 2, 3.0).tolist() == [0, 0, 0, 1]


def test_more_centers_than_fit_into_the_scratch_memory() -> None:
    """Chunks join without a seam: a million centers against the first and last of them alone."""
    n, generator = 1_000_000, torch.Generator().manual_seed(2)
    vec = (torch.rand(n, 3, generator=generator) + 0.5).repeat_interleave(2, 0)
    vec[1::2] *= torch.tensor([-1.0, 1.0, 0.7])
    case = make_structure(n_atoms=2, n_elements=1, volume=10.0)
    weights = torch.randn(3 * (case.terms.n_features * 64 + 64 + 64 + 1), generator=generator) * 0.1

    def energies(part: slice) -> tuple[Tensor, Tensor]:
        own = vec[2 * part.start : 2 * part.stop].cuda()
        n_local = part.stop - part.start
        index = torch.arange(n_local, device="cuda").repeat_interleave(2)
        arguments = (weights.cuda(), [2, 64, 1], 3, 3, "gelu", 0.0, 1.0)
        species = torch.zeros(n_local, dtype=torch.int64, device="cuda")
        return OPS.ensemble_gradients(species, n_local, torch.stack([index, index]), own, *arguments, *case.terms, True)

    whole_energies, whole_gradients = energies(slice(0, n))
    for part in (slice(0, 1000), slice(n - 1000, n)):
        some_energies, some_gradients = energies(part)
        torch.testing.assert_close(whole_energies[:, part], some_energies, rtol=0, atol=1e-5)
        torch.testing.assert_close(
            whole_gradients[:, 2 * part.start : 2 * part.stop], some_gradients, rtol=0, atol=1e-5
        )
