"""Gaussian noise on coordinates: its size within its standard error, and what goes with it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from nnpal.label import augment
from nnpal.label.settings import AugmentationSection

SIGMA = 0.07


def frames() -> list[Atoms]:
    result = []
    for k in range(5):
        atoms = bulk("Al", cubic=True) * (2, 2, 2)
        atoms.rattle(0.05, seed=k)
        atoms.info.update(tag=f"group {k}", source=f"file:{k}")
        atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((32, 3)))
        result.append(atoms)
    return result


def test_noise_is_gaussian_of_that_size() -> None:
    given = frames()
    copies = augment(given, SIGMA, 20, np.random.default_rng(1))
    noise = np.array([copy.positions - given[k // 20].positions for k, copy in enumerate(copies)]).ravel() / SIGMA
    n = noise.size
    assert n == 5 * 20 * 32 * 3
    # four standard errors of the moments of a normal distribution: √(1/n), √(2/n), √(15/n), √(96/n)
    for power, expected, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert np.mean(noise**power) == pytest.approx(expected, abs=4 * np.sqrt(variance / n)), power
    # coordinates, atoms and copies are independent
    along = noise.reshape(-1, 3)
    assert abs(np.mean(along[:, 0] * along[:, 1])) < 4 / np.sqrt(len(along))
    assert abs(np.mean(along[:-1, 2] * along[1:, 2])) < 4 / np.sqrt(len(along))


def test_what_copies_keep_and_lose() -> None:
    given = frames()
    given[0].set_constraint(FixAtoms([0]))
    before = [atoms.positions.copy() for atoms in given]
    copies = augment(given, SIGMA, 2, np.random.default_rng(1))
    assert [copy.info["source"] for copy in copies[:3]] == [
        "augmented from file:0",
        "augmented from file:0",
        "augmented from file:1",
    ]
    assert [copy.info["tag"] for copy in copies[1:3]] == ["group 0", "group 1"]
    assert all(copy.calc is None for copy in copies)
    assert (copies[0].positions[0] != before[0][0]).all()  # fixed atoms move too
    for atoms, positions in zip(given, before, strict=True):
        np.testing.assert_array_equal(atoms.positions, positions)
        assert atoms.calc is not None
    bare = augment([Atoms("H")], SIGMA, 1, np.random.default_rng(1))
    assert bare[0].info["source"] == "augmented from configuration 0"


def test_the_same_seed_gives_the_same_noise() -> None:
    one, two, other = (augment(frames(), SIGMA, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0].positions, other[0].positions)


def test_a_distance_that_is_kept_over_the_border_too() -> None:
    atoms = Atoms("H2", positions=[[0.2, 0, 0], [3.2, 0, 0]], cell=[4, 9, 9], pbc=True)  # 1 Å apart through the wall
    free = augment([atoms], 0.2, 200, np.random.default_rng(1))
    kept = augment([atoms], 0.2, 200, np.random.default_rng(1), min_distance=0.8)
    shortest = [min(copy.get_distance(0, 1, mic=True) for copy in copies) for copies in (free, kept)]
    assert shortest[0] < 0.8 <= shortest[1]
    with pytest.raises(ValueError, match=r"no noisy copy of configuration 0 with all distances of 3.0 Å or more"):
        augment([atoms], 0.01, 1, np.random.default_rng(1), min_distance=3.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": 0.0}, "sigma = 0.0, expected more than 0 Å"),
        ({"sigma": float("nan")}, "sigma = nan"),
        ({"copies": 0}, "copies = 0, expected 1 at least"),
        ({"min_distance": -1.0}, "min_distance = -1.0, expected more than 0 Å"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        augment(frames(), **{"sigma": SIGMA, "copies": 1, "rng": np.random.default_rng(0), **arguments})


def test_the_table_of_the_configuration_file() -> None:
    given = frames()
    result = AugmentationSection(sigma=0.1, copies=3, seed=4).apply(given)
    assert result[:5] == given
    assert len(result) == 20
    expected = augment(given, 0.1, 3, np.random.default_rng(4))
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(result[5:], expected, strict=True))
