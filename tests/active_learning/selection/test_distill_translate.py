"""Configurations made into those of another metal, and a series cut into sets."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.active_learning.selection.sets import sequential_sets
from nnpal.active_learning.selection.translate import translate


def nickel() -> Atoms:
    atoms = bulk("Ni", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=1)
    atoms.info.update(tag="hot", source="set:3", uq=2.0)
    atoms.calc = SinglePointCalculator(atoms, energy=-150.0)
    return atoms


def test_all_lengths_scale_and_all_else_stays() -> None:
    given = [nickel(), nickel()[:5]]
    given[1].pbc = (True, False, False)
    found = translate(given, factor=1.2, symbols={"Ni": "Al"})
    for old, new in zip(given, found, strict=True):
        assert set(new.symbols) == {"Al"}
        assert new.get_all_distances(mic=True) == pytest.approx(1.2 * old.get_all_distances(mic=True))
        assert new.cell[:] == pytest.approx(1.2 * old.cell[:])
        assert np.array_equal(new.pbc, old.pbc)
        assert new.info == {"tag": "hot", "source": "set:3"}
        assert new.calc is None
    assert set(given[0].symbols) == {"Ni"}
    assert given[0].get_potential_energy() == -150.0


def test_there_and_back() -> None:
    given = nickel()
    (there,) = translate([given], factor=1.15, symbols={"Ni": "Al"})
    (back,) = translate([there], factor=1 / 1.15, symbols={"Al": "Ni"})
    assert np.abs(back.positions - given.positions).max() < 1e-12


def test_elements_of_an_alloy_swap() -> None:
    alloy = Atoms("NiNbNi", positions=np.eye(3))
    (found,) = translate([alloy], factor=1.0, symbols={"Ni": "Nb", "Nb": "Ni"})
    assert found.get_chemical_symbols() == ["Nb", "Ni", "Nb"]
    (kept,) = translate([alloy], factor=1.0, symbols={"Ni": "Al", "Nb": "Nb"})
    assert kept.get_chemical_symbols() == ["Al", "Nb", "Al"]


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_bad_factor(factor) -> None:
    with pytest.raises(ValueError, match=r"factor = .*expected a finite number above 0"):
        translate([], factor=factor, symbols={"Ni": "Al"})


def test_element_that_is_not_named() -> None:
    with pytest.raises(ValueError, match="configuration 1 holds Nb, but symbols say only what becomes of Ni"):
        translate([nickel(), Atoms("NiNb")], factor=1.1, symbols={"Ni": "Al"})


def test_published_sets() -> None:
    sets = sequential_sets(range(20_000), 10)
    assert [len(part) for part in sets] == [2000] * 10
    assert [part[0] for part in sets] == list(range(0, 20_000, 2000))


@pytest.mark.parametrize(
    ("n", "n_sets", "sizes"), [(20_001, 10, [2001] + [2000] * 9), (5, 5, [1] * 5), (7, 3, [3, 2, 2])]
)
def test_sets_follow_one_another_and_lose_nothing(n, n_sets, sizes) -> None:
    sets = sequential_sets(list(range(n)), n_sets)
    assert [len(part) for part in sets] == sizes
    assert [i for part in sets for i in part] == list(range(n))


@pytest.mark.parametrize(("n", "n_sets"), [(5, 0), (5, -1), (5, 6), (0, 1)])
def test_bad_number_of_sets(n, n_sets) -> None:
    with pytest.raises(ValueError, match=f"n_sets = {n_sets} of {n} configurations"):
        sequential_sets(range(n), n_sets)
