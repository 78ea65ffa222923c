"""Neighbor graphs against ASE's neighbor list, and merging."""

from __future__ import annotations

import ase.neighborlist
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from nnpal.geometry.edges import element_indices
from nnpal.geometry.neighbor_graph import Graph, atoms_graph, merge_graphs, neighbor_graph

CUTOFF = 6.9


def crystal(pbc: tuple[bool, bool, bool] = (True, True, True)) -> Atoms:
    """Four atoms in a cell shorter than the cutoff, displaced and outside of it."""
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.positions += [9.0, -5.0, 2.0]
    atoms.pbc = pbc
    return atoms


def sheared(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell[:] @ [[1.0, 0.3, -0.2], [0.0, 1.0, 0.4], [0.0, 0.0, 1.0]], scale_atoms=True)
    return atoms


CASES = {
    "periodic": crystal(),
    "triclinic": sheared(crystal()),
    "slab": crystal((True, True, False)),
    "wire": sheared(crystal((False, True, False))),
    "cluster": crystal((False, False, False)),
    "large cell": bulk("Al", cubic=True) * (4, 4, 4),
}


def graph_of(atoms: Atoms) -> Graph:
    return neighbor_graph(atoms.positions, atoms.cell[:], atoms.pbc, np.zeros(len(atoms)), CUTOFF)


def edges(center: np.ndarray, neighbor: np.ndarray, vectors: np.ndarray) -> set[tuple[float, ...]]:
    """Edges as a set; vectors to 1e-6 Å, far above rounding and far below what tells images apart."""
    return {(i, j, *np.round(v, 6) + 0.0) for i, j, v in zip(center, neighbor, vectors, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_same_edges_as_ase(name: str) -> None:
    atoms = CASES[name]
    graph = graph_of(atoms)
    found = edges(*graph.edge_index.numpy(), graph.edge_vec.numpy())
    expected = edges(*ase.neighborlist.neighbor_list("ijD", atoms, CUTOFF))
    assert found == expected
    assert len(found) == graph.edge_vec.shape[0]


@pytest.mark.parametrize("name", CASES)
def test_sorted_by_center_and_in_both_directions(name: str) -> None:
    graph = graph_of(CASES[name])
    center, neighbor = graph.edge_index.numpy()
    assert (np.diff(center) >= 0).all()
    vectors = graph.edge_vec.numpy()
    assert edges(center, neighbor, vectors) == edges(neighbor, center, -vectors)


def test_atoms_without_neighbors() -> None:
    graph = neighbor_graph([[0.0, 0, 0], [50.0, 0, 0]], np.zeros((3, 3)), False, [0, 1], CUTOFF)
    assert graph.n_local == 2
    assert graph.edge_index.shape == (2, 0)
    assert graph.edge_vec.shape == (0, 3)


def test_elements_have_the_places_that_the_model_gives_them() -> None:
    atoms = Atoms("NiAlNb", positions=np.eye(3))
    assert element_indices(atoms, ("Al", "Ni")).tolist() == [1, 0, -1]
    assert atoms_graph(atoms, ("Nb", "Al", "Ni"), 5.0, model="m").species.tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="atoms hold Nb; model m knows Al, Ni"):
        atoms_graph(atoms, ("Al", "Ni"), 5.0, model="m")


def test_a_graph_outlives_the_search() -> None:
    """The search's memory is freed, and taken by the next one."""
    first = graph_of(CASES["large cell"])
    before = first.edge_index.clone(), first.edge_vec.clone()
    graph_of(sheared(CASES["large cell"]))
    assert torch.equal(first.edge_index, before[0])
    assert torch.equal(first.edge_vec, before[1])


def test_merged_graph_is_the_frames_side_by_side() -> None:
    graphs = [graph_of(CASES["triclinic"]), graph_of(CASES["cluster"]), graph_of(CASES["slab"])]
    merged, frames = merge_graphs(graphs)
    assert merged.n_local == len(merged.species) == 12
    torch.testing.assert_close(frames, torch.tensor([0] * 4 + [1] * 4 + [2] * 4))
    center, neighbor = merged.edge_index
    assert (center.diff() >= 0).all()
    assert (frames[center] == frames[neighbor]).all()
    for number, graph in enumerate(graphs):
        own = frames[center] == number
        torch.testing.assert_close(merged.edge_index[:, own] - 4 * number, graph.edge_index)
        torch.testing.assert_close(merged.edge_vec[own], graph.edge_vec)


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"position of atom 1 is .*nan"):
        neighbor_graph([[0.0, 0, 0], [np.nan, 0, 0]], np.eye(3), False, [0, 0], CUTOFF)
    with pytest.raises(ValueError, match=r"species \(3,\); expected"):
        neighbor_graph(np.zeros((2, 3)), np.eye(3), False, [0, 0, 0], CUTOFF)
    with pytest.raises(ValueError, match=r"position of atom 0 is .*inf"):
        neighbor_graph([[0.0, np.inf, 0]], np.eye(3), False, [0], CUTOFF)
    with pytest.raises(ValueError, match="graphs is empty"):
        merge_graphs([])
    whole = graph_of(CASES["cluster"])
    part = Graph(whole.species, 2, whole.edge_index[:, :0], whole.edge_vec[:0])
    with pytest.raises(ValueError, match="graph 1 has 4 atoms but 2 centers"):
        merge_graphs([whole, part])


CELLS = {
    "nan": (np.full((3, 3), np.nan), True, r"cell is \[\[nan.*three finite numbers"),
    "infinite": (np.diag([5.0, 5.0, np.inf]), False, "cell is .*inf.*three finite numbers"),
    "three lengths": (np.array([5.0, 5.0, 5.0]), True, r"cell is \[5\.0, 5\.0, 5\.0\]; expected three rows"),
    "flat": (np.diag([5.0, 5.0, 0.0]), True, "expected periodic vectors that span a cell, or pbc=False"),
    "parallel": (np.array([[5.0, 0, 0], [10.0, 0, 0], [0, 0, 0]]), (True, True, False), "that span a cell"),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_that_end_the_process_inside_the_search(name: str) -> None:
    cell, pbc, message = CELLS[name]
    with pytest.raises(ValueError, match=message):
        neighbor_graph(np.zeros((1, 3)), cell, pbc, [0], CUTOFF)


def test_an_atom_that_has_flown_away() -> None:
    """Along a periodic direction it is wrapped back; along another it ends the process inside the search."""
    cell, along, across = np.diag([9.0, 9.0, 0.0]), [9e6, 0.0, 0.0], [0.0, 0.0, 1e6]
    for pbc, place in ((False, along), (False, across), ((True, True, False), across)):
        with pytest.raises(ValueError, match=r"positions spread over (9|1)e\+06 Å.*at most 10000 Å"):
            neighbor_graph([place, [0, 0, 0]], cell, pbc, [0, 0], 5.0)
    wrapped = neighbor_graph([along, [2.0, 0, 0]], cell, (True, True, False), [0, 0], 5.0)
    # 9e6 Å is 1e6 cells, and float64 resolves 2e-9 Å there
    np.testing.assert_allclose(wrapped.edge_vec[0], [2.0, 0, 0], atol=1e-8)
