"""torch.ops.nnpal.cells, count_neighbors, neighbors and pull_to_atoms: positions to edges and back to atoms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.model.ops import load_ops
from ops_neighbors import found_edges, pulled

load_ops()
OPS = torch.ops.nnpal


def find(
    positions: Tensor, cutoff: float, *, first: int = 0, last: int | None = None, shift: int = 0
) -> tuple[Tensor, Tensor]:
    last = len(positions) if last is None else last
    return found_edges(positions, cutoff, first, last, shift=shift, dtype=torch.float64)


def in_order(edge_index: Tensor, edge_vec: Tensor) -> tuple[Tensor, Tensor]:
    order = np.lexsort((edge_index[1].numpy(), edge_index[0].numpy()))
    return edge_index[:, order], edge_vec[order]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    n_atoms=st.integers(0, 200),
    edges=st.tuples(*[st.floats(0.0, 60.0)] * 3),
    cutoff=st.floats(0.5, 8.0),
    seed=st.integers(0, 1000),
)
def test_same_as_the_edges_of_configurations(
    n_atoms: int, edges: tuple[float, float, float], cutoff: float, seed: int
) -> None:
    """Dense and sparse, flat and long, one cell and many."""
    points = np.random.default_rng(seed).random((n_atoms, 3)) * edges - 10.0
    positions = torch.from_numpy(points)
    graph = neighbor_graph(points, np.zeros((3, 3)), False, np.zeros(n_atoms), cutoff)
    expected_index, expected_vec = in_order(graph.edge_index, graph.edge_vec)
    edge_index, edge_vec = find(positions, cutoff)
    assert bool((edge_index[0].diff() >= 0).all())
    edge_index, edge_vec = in_order(edge_index, edge_vec)
    assert torch.equal(edge_index, expected_index)
    torch.testing.assert_close(edge_vec, expected_vec.double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shift", [0, 35])
def test_centers_in_parts(shift: int) -> None:
    positions = torch.from_numpy(np.random.default_rng(1).random((100, 3)) * 12)
    index, vec = find(positions, 4.0, last=90)
    parts = [find(positions, 4.0, first=first, last=min(first + 35, 90), shift=shift) for first in range(0, 90, 35)]
    shifts = [torch.tensor([[first], [-shift]]) for first in range(0, 90, 35)]
    assert torch.equal(torch.cat([part[0] + shift for part, shift in zip(parts, shifts, strict=True)], 1), index)
    assert torch.equal(torch.cat([part[1] for part in parts]), vec)


def test_single_precision_is_rounded_once() -> None:
    """Far from the origin float32 positions would be off by 1e-4."""
    positions = torch.tensor([[5000.0, 0, 0], [5001.23456789, 0, 0]], dtype=torch.float64)
    _, vec = found_edges(positions, 3.0, 0, 2, dtype=torch.float32)
    assert torch.equal(vec[0], (positions[1] - positions[0]).float())


def test_atoms_far_away_leave_the_others_in_small_groups() -> None:
    """The work of an atom is the number of atoms in the groups of 27 cells: 7 in a cell here, and as many by chance."""
    bulk = torch.from_numpy(np.random.default_rng(3).random((8000, 3)) * 52)
    far = torch.tensor([[1e3, 1e3, 1e3], [1e3, 1e3, 1e3 + 1], [-1e9, 0, 5]], dtype=torch.float64)
    positions = torch.cat([bulk, far])
    _, start, _, _ = OPS.cells(positions, 5.0)
    assert int(start.diff().max()) < 60
    index, vec = in_order(*find(positions, 5.0))
    expected_index, expected_vec = in_order(*find(bulk, 5.0))
    assert torch.equal(index[:, :-2], expected_index)
    assert torch.equal(vec[:-2], expected_vec)
    assert index[:, -2:].tolist() == [[8000, 8001], [8001, 8000]]


def test_room_for_edges() -> None:
    """Where the number of edges is a guess: too little room is kept to, room left over belongs to nothing."""
    positions = torch.from_numpy(np.random.default_rng(3).random((60, 3)) * 9)
    cells, cutoff = OPS.cells(positions, 4.0), 4.0
    ends = OPS.count_neighbors(positions, *cells, 50, cutoff)
    n_edges = int(ends[50])
    exact = find(positions, cutoff, last=50, shift=3)

    def with_room(n: int) -> tuple[Tensor, Tensor]:
        return OPS.neighbors(positions, *cells, ends, 0, 50, n, 3, cutoff, torch.float64)

    for all_of_it, part in zip(exact, with_room(n_edges - 7), strict=True):
        assert torch.equal(part, all_of_it[..., : n_edges - 7] if part.shape[0] == 2 else all_of_it[: n_edges - 7])
    index, vec = with_room(n_edges + 9)
    assert torch.equal(index[:, :n_edges], exact[0])
    assert torch.equal(vec[:n_edges], exact[1])
    assert index[:, n_edges:].tolist() == [[50] * 9, [-1] * 9]
    gradients = torch.from_numpy(np.random.default_rng(4).normal(size=(1, n_edges + 9, 3)))
    sums = [[torch.zeros(1, 60, 3).double(), torch.zeros(3, 3).double(), torch.zeros(60, 3, 3).double()] for _ in "ab"]
    OPS.pull_to_atoms(index, vec, gradients, 0, 3, *sums[0])
    OPS.pull_to_atoms(*exact, gradients[:, :n_edges], 0, 3, *sums[1])
    assert all(torch.equal(one, other) for one, other in zip(*sums, strict=True))


def test_closest() -> None:
    positions = torch.from_numpy(np.random.default_rng(6).random((80, 3)) * 9)
    cells = OPS.cells(positions, 4.0)
    ends = OPS.count_neighbors(positions, *cells, 80, 4.0)
    closest = torch.tensor([float("inf")], dtype=torch.float64)
    lengths = []
    for first, last in ((0, 30), (30, 80)):
        n_edges = int(ends[last] - ends[first])
        _, vec = OPS.neighbors(positions, *cells, ends, first, last, n_edges, 0, 4.0, torch.float64, closest)
        lengths.append(vec.square().sum(1).min())
        assert float(closest) == pytest.approx(float(min(lengths)), rel=1e-15)
    with pytest.raises(ValueError, match="closest is not one float64 beside positions"):
        OPS.neighbors(positions, *cells, ends, 0, 0, 0, 0, 4.0, torch.float64, closest.float())


def test_pull_to_atoms() -> None:
    rng = np.random.default_rng(2)
    positions = torch.from_numpy(rng.random((300, 3)) * 15)
    index, vec = find(positions, 4.0)
    assert len(vec) > 5000  # several blocks
    gradients = torch.from_numpy(rng.normal(size=(3, len(vec), 3)))
    forces, virial, virials = pulled(index, vec, gradients, 300)
    expected = torch.zeros(3, 300, 3, dtype=torch.float64)
    expected.index_add_(1, index[1], -gradients)
    expected.index_add_(1, index[0], gradients)
    torch.testing.assert_close(forces, expected, rtol=0, atol=1e-11)
    products = -vec[:, :, None] * gradients[0][:, None, :]
    torch.testing.assert_close(virial, products.sum(0), rtol=0, atol=1e-10)
    by_atom = torch.zeros(300, 3, 3, dtype=torch.float64).index_add_(0, index[1], products)
    torch.testing.assert_close(virials, by_atom, rtol=0, atol=1e-11)


def test_pull_to_atoms_adds_parts() -> None:
    positions = torch.from_numpy(np.random.default_rng(4).random((100, 3)) * 12)
    index, vec = find(positions, 4.0)
    expected = pulled(index, vec, vec[None] ** 3, 100)
    sums = [torch.zeros_like(one) for one in expected]
    for first, last in ((0, 35), (35, 100)):
        index, vec = find(positions, 4.0, first=first, last=last, shift=7)
        OPS.pull_to_atoms(index, vec, vec[None] ** 3, first, 7, *sums)
    for found, one in zip(sums, expected, strict=True):
        torch.testing.assert_close(found, one, rtol=0, atol=1e-9)
    without = torch.zeros(1, 100, 3, dtype=torch.float64)
    OPS.pull_to_atoms(index, vec, vec[None], 35, 7, without, sums[1], sums[2][:0])


POSITIONS = torch.zeros(2, 3, dtype=torch.float64)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_positions_that_are_not_finite_are_marked(value: float) -> None:
    positions = POSITIONS.clone()
    positions[1, 2] = value
    assert OPS.count_neighbors(positions, *OPS.cells(positions, 3.0), 2, 3.0).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("positions", "cutoff", "last", "message"),
    [
        (POSITIONS.float(), 3.0, 2, r"positions are Float \[2, 3\], expected float64 \[n_atoms, 3\]"),
        (POSITIONS[:, :2], 3.0, 2, r"positions are Double \[2, 2\], expected"),
        (POSITIONS, 0.0, 2, "cutoff is 0, expected more than 0"),
        (POSITIONS, 3.0, 3, "n_centers is 3, expected 0 to 2"),
    ],
)
def test_arguments_out_of_range(positions: Tensor, cutoff: float, last: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find(positions, cutoff, last=last)


def test_edges_of_other_atoms() -> None:
    index = torch.tensor([[0], [5]])
    with pytest.raises(ValueError, match=r"edge_index\[1, 0\] is 5, expected 0 to 1"):
        pulled(index, torch.ones(1, 3), torch.ones(1, 1, 3), 2)
