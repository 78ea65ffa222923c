"""The structures of benchmarks/outside_sets.py before their dynamics."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase.neighborlist import neighbor_list


@pytest.fixture
def metals(benchmark):
    return benchmark("outside_metals")


@pytest.fixture
def alkanes(benchmark):
    return benchmark("outside_alkanes")


@pytest.mark.parametrize("which", ["NICKEL", "ALUMINIUM", "alloy"])
def test_structures_of_metals_have_sound_distances(metals, which):
    kinds = metals.alloy_kinds() if which == "alloy" else metals.kinds_of(getattr(metals, which))
    assert len(kinds) == 8
    for kind, start in kinds.items():
        for k in range(3):
            atoms = start(np.random.default_rng(k), k)
            closest = neighbor_list("d", atoms, 4.0).min()
            assert atoms.pbc.all(), kind
            assert 1.6 < closest < 3.2, f"{kind}: {closest} Å"


def test_kinds_of_nickel(metals):
    kinds = metals.kinds_of(metals.NICKEL)
    made = {name: [start(np.random.default_rng(0), k) for k in range(3)] for name, start in kinds.items()}
    assert [len(atoms) for atoms in made["vacancies"]] == [31, 30, 29]
    assert len(made["cluster"][0]) == 55
    neighbors = {name: np.bincount(neighbor_list("i", made[name][0], 2.65)) for name in ("fcc", "hcp", "bcc")}
    assert (neighbors["fcc"] == 12).all()
    assert (neighbors["hcp"] == 12).all()
    assert (neighbors["bcc"] == 8).all()
    surfaces = [np.bincount(neighbor_list("i", atoms, 2.65)).min() for atoms in made["slabs"]]
    assert surfaces == [8, 9, 7]  # neighbors of a surface atom of 100, 111 and 110


def test_a_bond_is_stretched_to_its_length_and_its_part_moves_whole(alkanes):
    start = alkanes.read(alkanes.Path(alkanes.nnpal.demo.__file__).parent / "butane.xyz")
    (bond, part), *_ = alkanes.BONDS.items()
    new = alkanes.moved(start, bond, part, 5.0)
    assert new.get_distance(*bond) == pytest.approx(5.0)
    inner = np.ix_(part, part)
    assert new.get_all_distances()[inner] == pytest.approx(start.get_all_distances()[inner])
    both = alkanes.both(start, np.random.default_rng(0))
    assert all(2.0 <= both.get_distance(*pair) <= alkanes.LONGEST for pair in alkanes.BONDS)


def test_a_single_hydrogen_is_pulled_off(alkanes):
    start = alkanes.read(alkanes.Path(alkanes.nnpal.demo.__file__).parent / "butane.xyz")
    new = alkanes.hydrogen_off(start, np.random.default_rng(0))
    [changed] = np.flatnonzero(np.abs(new.positions - start.positions).max(1) > 1e-9)
    assert new.symbols[changed] == "H"


def test_molecules(alkanes):
    made = {name: build() for name, build in alkanes.MOLECULES.items()}
    counts = {name: Counter(atoms.get_chemical_symbols()) for name, atoms in made.items()}
    carbons = {"ethane": 2, "propane": 3, "isobutane": 4, "pentane": 5}
    assert counts == {name: {"C": n, "H": 2 * n + 2} for name, n in carbons.items()}
    for name, atoms in made.items():
        bonds = np.bincount(neighbor_list("i", atoms, {("C", "C"): 1.7, ("C", "H"): 1.3}), minlength=len(atoms))
        assert (bonds == np.where(atoms.numbers == 6, 4, 1)).all(), name
