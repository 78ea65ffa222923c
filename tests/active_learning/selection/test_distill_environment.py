"""Environments cut out of crystals and melts: what is preserved, what the seam is like, errors."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic
from scipy.spatial.transform import Rotation

from nnpal.active_learning.selection import describe
from nnpal.active_learning.selection.environment import cut_environment
from nnpal.active_learning.selection.seam import Images, held
from nnpal.geometry.neighbor_graph import neighbor_graph
from nnpal.geometry.phases import find_phase, shortest_distance
from nnpal.model.aev import AEVDescription
from nnpal.model.description import NetworkDescription

SPACING = 4.05 / 4 ** (1 / 3)  # (volume per atom)^(1/3) of the crystals here, Å


def crystal(size: float = 0.0, n: int = 3, symbol: str = "Al") -> Atoms:
    atoms = bulk(symbol, "fcc", a=4.05, cubic=True) * (n, n, n)
    if size:
        atoms.rattle(size, seed=3)
    atoms.info.update(tag="hot", source="momt:7")
    return atoms


def disordered() -> Atoms:
    """A random packing of two elements in a sheared cell: atoms put where the others are farthest."""
    rng = np.random.default_rng(11)
    atoms = Atoms(cell=[[12.0, 0.0, 0.0], [1.5, 12.0, 0.0], [-1.0, 2.0, 12.5]], pbc=True)
    places: list[np.ndarray] = []
    while len(places) < 108:
        tries = rng.random((30, 3))
        if places:
            apart = tries[:, None] - np.array(places)[None]
            apart = (apart - np.rint(apart)) @ atoms.cell[:]
            tries = tries[[np.linalg.norm(apart, axis=-1).min(1).argmax()]]
        places.append(tries[0])
    return Atoms(rng.choice(["Ni", "Al"], 108), positions=np.array(places) @ atoms.cell[:], cell=atoms.cell, pbc=True)


def aevs(atoms: Atoms, cutoff: float) -> np.ndarray:
    """AEV of atom 0 alone: the others are made neighbors of another element."""
    shells = tuple(np.arange(1.0, cutoff, 0.3))
    aev = AEVDescription(
        radial_cutoff=cutoff, radial_shifts=shells, angular_cutoff=cutoff, angular_shifts=shells, angular_zeta=4.0
    )
    symbols = ["H"] + ["He" if symbol == "Al" else "Li" for symbol in atoms.symbols[1:]]
    marked = Atoms(symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return describe([marked], NetworkDescription(("H", "He", "Li"), aev=aev)).values[0, 0, 0]


def first(atoms: Atoms, index: int) -> Atoms:
    """The configuration with one atom put first."""
    return atoms[[index, *(i for i in range(len(atoms)) if i != index)]]


PARENTS = {"crystal": crystal(0.15), "disordered": disordered(), "large": crystal(0.15, 4)}


@pytest.mark.parametrize("kind", ["cell", "cluster"])
@pytest.mark.parametrize("name", PARENTS)
def test_aev_of_the_atom_is_the_old_one_up_to_the_preserved_radius(name, kind) -> None:
    parent = PARENTS[name]
    for index in (0, 17, 60):
        cut = cut_environment(parent, index, 3.5, kind=kind)
        preserved = cut.info["preserved_radius"]
        assert preserved >= 3.5
        old = aevs(first(parent, index), preserved - 1e-6)
        assert np.abs(old).max() > 0.01
        assert np.abs(aevs(cut, preserved - 1e-6) - old).max() < 1e-9


@pytest.mark.parametrize("name", ["crystal", "disordered"])
def test_preserved_radius_is_not_understated(name) -> None:
    parent = PARENTS[name]
    cut = cut_environment(parent, 17, 3.5)
    beyond = cut.info["preserved_radius"] + 0.3
    assert np.abs(aevs(cut, beyond) - aevs(first(parent, 17), beyond)).max() > 1e-9


def test_cell_is_small_has_the_density_and_the_shape() -> None:
    parent = disordered()
    cut = cut_environment(parent, 5, 3.5)
    assert len(cut) == 32
    assert cut.pbc.all()
    assert np.abs(cut.cell[:] - parent.cell[:] * 2 / 3).max() < 1e-12
    assert cut.get_scaled_positions()[0] == pytest.approx([0.5] * 3)
    assert cut.symbols[0] == parent.symbols[5]


@pytest.mark.parametrize("n", [3, 4])
def test_perfect_crystal_stays_one(n) -> None:
    cut = cut_environment(crystal(n=n), 9, 3.5)
    assert len(cut) == 32
    assert find_phase(cut) == "fcc"
    assert shortest_distance(cut) == pytest.approx(4.05 / 2**0.5)
    # all the way to where it looked: half of the diagonal of 8.1 Å cubed
    assert cut.info["preserved_radius"] == pytest.approx(8.1 * 3**0.5 / 2)


def test_hot_crystal_has_every_place_filled_once() -> None:
    parent = crystal(0.15)
    for index in range(0, 108, 12):
        cut = cut_environment(parent, index, 3.5)
        # places of the perfect crystal around the atom, folded into the new cell, in quarters of its edge
        steps = np.rint((cut.positions - cut.positions[0]) / (8.1 / 4)).astype(int) % 4
        assert len({tuple(step) for step in steps.tolist()}) == 32, index


def test_seam_gives_room_and_nothing_else_moves() -> None:
    parent = disordered()
    spacing = (parent.get_volume() / 108) ** (1 / 3)
    for index in (3, 40, 77):
        graph = neighbor_graph(parent.positions, parent.cell[:], True, parent.numbers, 12.0)
        old = np.concatenate(([[0.0] * 3], graph.edge_vec.numpy()[graph.edge_index[0] == index]))
        for x in (0.4, 0.8, 0.9):
            cut = cut_environment(parent, index, 3.0, min_distance=x * spacing)
            assert cut.info["seam_distance"] >= x * spacing - 0.01
            assert cut.info["preserved_radius"] >= 3.0
            vectors = cut.positions - cut.positions[0]
            stayed = np.linalg.norm(vectors[:, None] - old, axis=-1).min(1) < 1e-9
            assert stayed[np.linalg.norm(vectors, axis=1) < 3.0].all()
            assert stayed.all() == (x == 0.4)


def test_cut_does_not_depend_on_where_the_cell_begins_and_turns_with_it() -> None:
    parent = disordered()
    cut = cut_environment(parent, 8, 3.5)
    again = cut_environment(parent, 8, 3.5)
    assert np.array_equal(cut.positions, again.positions)
    moved = parent.copy()
    moved.positions += [1.0, -20.0, 5.0]
    moved.wrap()
    turn = Rotation.from_rotvec([0.2, 0.5, -0.3])
    moved.set_cell(turn.apply(moved.cell[:]), scale_atoms=True)
    other = cut_environment(moved, 8, 3.5)
    assert np.array_equal(other.numbers, cut.numbers)
    assert np.abs(turn.apply(cut.positions) - other.positions).max() < 1e-3  # as far as the push is converged
    assert other.info["preserved_radius"] == pytest.approx(cut.info["preserved_radius"], abs=1e-3)


def test_too_large_a_radius_is_preserved_as_far_as_the_cell_permits() -> None:
    cut = cut_environment(crystal(0.15), 0, 9.0)
    assert 3.0 < cut.info["preserved_radius"] < 4.5


def test_of_two_within_the_radius_that_meet_across_the_faces_the_farther_is_free() -> None:
    vectors = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, -3.3, 0.0], [-3.4, 0.0, 0.0], [0.0, 0.0, 3.6]])
    images = Images(7.3 * np.eye(3))  # 7.3 - 3.0 - 3.4 = 0.9 along x
    assert held(vectors, images, 3.5, 1.0).tolist() == [True, True, True, False, False]
    assert held(vectors, images, 3.5, 0.8).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("seed", range(4))
def test_shortest_images_are_ases_in_skewed_cells(seed) -> None:
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(4.0, 12.0, 3)) + np.triu(rng.uniform(-9.0, 9.0, (3, 3)), 1)
    vectors = rng.uniform(-30.0, 30.0, (300, 3))
    expected, lengths = find_mic(vectors, cell)
    found, own = Images(cell).shortest(vectors)
    assert np.abs(own - lengths).max() < 1e-12
    assert np.abs(found - expected).max() < 1e-12
    found, own = Images(cell).shortest(vectors, up_to=1.5)
    near = lengths < 1.5
    assert near.any()
    assert np.abs(found[near] - expected[near]).max() < 1e-12
    assert own[~near].min() >= 1.5


def test_another_element_in_an_atoms_place_is_no_preserved_neighbor() -> None:
    alloy = crystal()
    alloy.symbols[np.random.default_rng(4).random(108) < 0.5] = "Ni"
    cut = cut_environment(alloy, 0, 3.5)
    preserved = cut.info["preserved_radius"]
    assert 4.0 < preserved < 6.5
    old = first(alloy, 0)
    assert np.abs(aevs(cut, preserved - 1e-6) - aevs(old, preserved - 1e-6)).max() < 1e-9
    assert np.abs(aevs(cut, preserved + 0.5) - aevs(old, preserved + 0.5)).max() > 1e-3


def test_nearly_empty_surroundings_give_fewer_atoms() -> None:
    parent = Atoms("Al9", cell=[30.0] * 3, pbc=True)
    parent.positions[1:] = np.argwhere(np.ones((2, 2, 2))) * 2.0 + 14.0
    # a cell of edge 18.2 Å looks 13.6 Å far, and the others are at 14 Å and more along each edge
    cut = cut_environment(parent, 0, 3.5, n_atoms=2)
    assert len(cut) == 1
    assert cut.info["seam_distance"] == np.inf
    assert len(cut_environment(parent, 1, 3.5, n_atoms=2)) == 2


def test_cluster_is_all_within_radius_in_a_box() -> None:
    parent = crystal()
    cut = cut_environment(parent, 30, 4.2, kind="cluster", vacuum=5.0)
    assert len(cut) == 1 + 12 + 6  # shells at 2.86 and 4.05 Å
    assert not cut.pbc.any()
    assert cut.cell[:] == pytest.approx(np.eye(3) * 18.4)
    assert cut.positions[0] == pytest.approx([9.2] * 3)
    assert np.all(np.diff(cut.get_distances(0, range(19))) > -1e-9)
    assert cut.info["preserved_radius"] == 4.2


def test_cluster_holds_images_of_a_cell_that_is_smaller() -> None:
    cut = cut_environment(crystal(n=1), 0, 4.2, kind="cluster")
    assert len(cut) == 19


def test_molecule_is_its_own_cluster() -> None:
    ethanol = molecule("CH3CH2OH")
    cut = cut_environment(ethanol, 2, 10.0, kind="cluster")
    assert sorted(cut.symbols) == sorted(ethanol.symbols)
    assert cut.symbols[0] == ethanol.symbols[2]


@pytest.mark.parametrize("kind", ["cell", "cluster"])
def test_tag_stays_source_names_the_atom_and_labels_go(kind) -> None:
    parent = crystal()
    parent.calc = SinglePointCalculator(parent, energy=1.0)
    parent.set_velocities(np.ones((108, 3)))
    before = parent.positions.copy()
    cut = cut_environment(parent, 7, 3.5, kind=kind)
    assert cut.info["tag"] == "hot"
    assert cut.info["source"] == "momt:7, atom 7"
    assert cut.calc is None
    assert not cut.get_momenta().any()
    assert np.array_equal(parent.positions, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": 108}, "index = 108, expected 0 to 107"),
        ({"index": -1}, "index = -1"),
        ({"radius": 0.0}, "radius = 0.0"),
        ({"radius": np.inf}, "radius = inf"),
        ({"kind": "sphere"}, "kind = 'sphere', expected cell or cluster"),
        ({"n_atoms": 108}, "n_atoms = 108 of 108 atoms, expected .* labeled as it is"),
        ({"n_atoms": 0}, "n_atoms = 0"),
        ({"min_distance": 0.0}, "min_distance = 0.0"),
        ({"min_distance": np.nan}, "min_distance = nan"),
        ({"n_atoms": 4, "min_distance": 4.2}, "images of each atom at 4.050 Å, expected min_distance = 4.200"),
        ({"kind": "cluster", "vacuum": -1.0}, "vacuum = -1.0"),
    ],
)
def test_bad_arguments(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        cut_environment(crystal(), **{"index": 0, "radius": 3.5, **change})


def test_cell_needs_periodicity() -> None:
    slab = crystal()
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match=r"pbc is \[True, True, False\].*use \"cluster\""):
        cut_environment(slab, 0, 3.5)
