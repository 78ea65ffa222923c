"""The compiled order parameter against its formula, on crystals, under translation and strain, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal._momt import OrderParameter
from nnpal.hooks import HookError
from nnpal.momt.lattices import LATTICES, deduce_cells, reciprocal_vectors, triples

BOXES = {
    "cubic": np.diag([12.0, 12.0, 12.0]),
    "long": np.diag([9.0, 12.0, 20.0]),
    "triclinic": np.array([[12.0, 0, 0], [2.5, 11.0, 0], [-3.0, 1.5, 13.0]]),
}
VECTOR_SETS = {
    "fcc": reciprocal_vectors("fcc", [3, 3, 3]),
    "hcp": reciprocal_vectors("hcp", [3, 2, 2]),
    "one": [(0, 0, 5)],
    "uneven": [(1, -2, 3), (-1, 2, -3), (4, 0, -1), (2, 2, 2), (2, 2, 2)],
}
# Sums of some hundred phases in double precision, against others in another order
ROUNDING = 1e-11


def by_formula(s: np.ndarray, vectors: list[tuple[int, int, int]]) -> float:
    """O = 1/(N_g N) Σ_g |Σ_i exp(2πi n_g·s_i)|² of fractional coordinates s, [n_atoms, 3]."""
    sums = np.exp(2j * np.pi * s @ np.array(vectors).T).sum(axis=0)
    return float(np.mean(np.abs(sums) ** 2) / len(s))


def compiled(
    x: np.ndarray, box: np.ndarray, vectors: list[tuple[int, int, int]], mask: np.ndarray | None = None
) -> OrderParameter:
    bits = np.ones(len(x), dtype=np.int32) if mask is None else mask.astype(np.int32)
    order = OrderParameter(vectors, int(bits.sum()))
    order.add_atoms(np.ascontiguousarray(x), bits, 1, box)
    return order


@pytest.mark.parametrize("vectors", VECTOR_SETS.values(), ids=VECTOR_SETS)
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_value_and_gradient(box: np.ndarray, vectors: list[tuple[int, int, int]]) -> None:
    rng = np.random.default_rng(1)
    s = rng.uniform(-0.2, 1.2, (40, 3))  # some atoms just outside the box, as between rebuilds
    x = s @ box
    order = compiled(x, box, vectors)
    assert order.value() == pytest.approx(by_formula(s, vectors), rel=ROUNDING)
    gradient = np.zeros_like(x)
    order.add_gradient(2.0, gradient)
    h = 1e-5  # Å; third derivatives are of order (2π 5/12)³, so the difference is good to 1e-8
    for atom, axis in ((0, 0), (7, 1), (39, 2)):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[atom, axis] += sign * h
            ends.append(compiled(moved, box, vectors).value())
        assert gradient[atom, axis] == pytest.approx((ends[0] - ends[1]) / h, abs=1e-7)
    assert np.abs(gradient.sum(axis=0)).max() < 1e-9, "moving all atoms changes nothing"


def test_only_atoms_of_the_group_count() -> None:
    rng = np.random.default_rng(2)
    x, mask = rng.uniform(0, 12, (30, 3)), np.arange(30) % 3 == 0
    order = compiled(x, BOXES["cubic"], VECTOR_SETS["fcc"], mask)
    assert order.value() == pytest.approx(by_formula(x[mask] / 12.0, VECTOR_SETS["fcc"]), rel=ROUNDING)
    gradient = np.zeros_like(x)
    order.add_gradient(1.0, gradient)
    assert np.all(gradient[~mask] == 0)
    assert np.abs(gradient[mask]).min() > 0


def test_sums_of_two_ranks_add_up() -> None:
    rng = np.random.default_rng(3)
    box, vectors = BOXES["triclinic"], VECTOR_SETS["fcc"]
    x = rng.uniform(0, 1, (50, 3)) @ box
    whole, parts = compiled(x, box, vectors), [OrderParameter(vectors, 50) for _ in range(2)]
    for part, atoms in zip(parts, (x[:20], x[20:]), strict=True):
        part.add_atoms(np.ascontiguousarray(atoms), np.ones(len(atoms), dtype=np.int32), 1, box)
    total = parts[0].sums + parts[1].sums
    expected, found = np.zeros_like(x), np.zeros_like(x)
    whole.add_gradient(1.0, expected)
    for part, rows in zip(parts, (slice(0, 20), slice(20, 50)), strict=True):
        part.sums[:] = total
        assert part.value() == pytest.approx(whole.value(), rel=ROUNDING)
        block = np.zeros_like(x[rows])
        part.add_gradient(1.0, block)
        found[rows] = block
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_no_atoms() -> None:
    order = OrderParameter(VECTOR_SETS["fcc"], 10)
    order.add_atoms(np.zeros((0, 3)), np.zeros(0, dtype=np.int32), 1, BOXES["cubic"])
    assert order.value() == 0.0


def crystal(lattice: str, cells: tuple[int, int, int]) -> np.ndarray:
    """Return fractional coordinates in the box of a perfect crystal, [n, 3]."""
    corners = np.stack(np.meshgrid(*(range(n) for n in cells), indexing="ij"), -1).reshape(-1, 1, 3)
    return ((corners + np.array(LATTICES[lattice].basis)) / cells).reshape(-1, 3)


@pytest.mark.parametrize("cells", [(2, 2, 2), (3, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize(("lattice", "share"), [("fcc", 1.0), ("bcc", 1.0), ("hcp", 0.25), ("diamond", 0.5)])
def test_perfect_crystals(lattice: str, share: float, cells: tuple[int, int, int]) -> None:
    """O = N |F|²: all atoms in phase for fcc and bcc, half of the amplitude squared for diamond's {111}."""
    s = crystal(lattice, cells)
    vectors = reciprocal_vectors(lattice, list(cells))
    for box in BOXES.values():  # however the crystal is strained
        order = compiled(s @ box, box, vectors)
        assert order.value() == pytest.approx(share * len(s), rel=ROUNDING)
        shifted = compiled((s + np.array([0.1, 0.37, -0.2])) @ box, box, vectors)
        assert shifted.value() == pytest.approx(share * len(s), rel=ROUNDING)
    assert LATTICES[lattice].intensity == pytest.approx(share, rel=ROUNDING)


@pytest.mark.parametrize(("lattice", "n_vectors"), [("fcc", 8), ("bcc", 12), ("hcp", 6), ("diamond", 8)])
def test_vectors_are_the_shortest_that_the_crystal_has(lattice: str, n_vectors: int) -> None:
    """No shorter reciprocal vector of the cell has a structure factor, and those of this length are all there."""
    cell = LATTICES[lattice]
    span = np.arange(-3, 4)
    candidates = np.stack(np.meshgrid(span, span, span, indexing="ij"), -1).reshape(-1, 3)
    lengths = np.linalg.norm(candidates / np.array(cell.edges), axis=1)
    factors = np.abs(np.exp(2j * np.pi * candidates @ np.array(cell.basis).T).mean(axis=1))
    seen = (factors > 1e-6) & (lengths > 0)
    shortest = lengths[seen].min()
    expected = {tuple(int(c) for c in v) for v in candidates[seen & (lengths < shortest * 1.001)]}
    assert set(cell.vectors) == expected
    assert len(expected) == n_vectors


def test_box_of_primitive_cells() -> None:
    """A rhombohedral box of primitive fcc cells, by the nine elements of its matrix."""
    n = 4
    primitive = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    vectors = reciprocal_vectors("fcc", list((n * primitive).ravel()))
    corners = np.stack(np.meshgrid(*3 * [np.arange(n)], indexing="ij"), -1).reshape(-1, 3)
    assert by_formula(corners / n, vectors) == pytest.approx(n**3, rel=ROUNDING)


@pytest.mark.parametrize("cells", [(2, 2, 2), (2, 3, 5)])
@pytest.mark.parametrize("lattice", LATTICES)
def test_cells_are_deduced(lattice: str, cells: tuple[int, int, int]) -> None:
    cell = LATTICES[lattice]
    box = np.diag(4.05 * np.array(cells) * np.array(cell.edges))
    box[1, 0], box[2, 1] = 0.4, -0.5  # tilted a little
    assert deduce_cells(lattice, len(cell.basis) * int(np.prod(cells)), box) == cells


@pytest.mark.parametrize(
    ("n_atoms", "edges"),
    [(31, (8.1, 8.1, 8.1)), (32, (8.1, 8.1, 12.0)), (33, (8.1, 8.1, 8.1)), (1, (8.1, 8.1, 8.1)), (30, (7, 8, 9))],
)
def test_crystal_that_does_not_fit(n_atoms: int, edges: tuple[float, float, float]) -> None:
    with pytest.raises(HookError, match=rf"lattice fcc does not fit {n_atoms} atoms in a box of .* say cells NA NB NC"):
        deduce_cells("fcc", n_atoms, np.diag(edges))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([2, 2], "option cells: expected 3 or 9 numbers, found 2"),
        ([2.5, 2, 2], r"lattice fcc does not fit cells 2.5 2 2: the reciprocal vector \(2.5, 2, 2\)"),
        ([0, 0, 0], "option cells 0 0 0: expected numbers above 0"),
    ],
)
def test_cells_that_do_not_fit(cells: list[float], message: str) -> None:
    with pytest.raises(HookError, match=message):
        reciprocal_vectors("fcc", cells)


def test_vectors_of_the_user() -> None:
    assert triples([1, 2, 3, -4, 0, 0]) == [(1, 2, 3), (-4, 0, 0)]
    with pytest.raises(HookError, match="expected triples h k l, found 4 numbers"):
        triples([1, 2, 3, 4])
    with pytest.raises(HookError, match="0 0 0 is not a reciprocal vector"):
        triples([1, 1, 1, 0, 0, 0])
