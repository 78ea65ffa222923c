"""Descriptors' invariances; distances and choices among constructed descriptors."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from scipy.spatial.transform import Rotation

from nnpal.active_learning.selection import Descriptors, choose, describe, distances, nearest
from nnpal.model.aev import AEVS
from nnpal.model.description import NetworkDescription

AL = NetworkDescription(("Al",))
ORGANIC = NetworkDescription(("H", "C", "O"), aev=AEVS["ani2x"])


def crystal(seed: int, size: float = 0.1) -> Atoms:
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.rattle(size, seed=seed)
    return atoms


def on_a_line(places: list[float], symbols: tuple[str, ...] = ("Al",)) -> Descriptors:
    """Descriptors that differ in every component by the difference of their places."""
    values = np.empty((len(places), len(symbols), 4, 3))
    values[:] = np.array(places)[:, None, None, None]
    return Descriptors(symbols, values, np.full((len(places), len(symbols)), 10))


UNIT = np.ones(1)


def test_descriptor_does_not_change_with_place_orientation_and_order() -> None:
    ethanol = molecule("CH3CH2OH")
    moved = ethanol[np.random.default_rng(3).permutation(len(ethanol))]
    moved.positions = Rotation.from_rotvec([0.3, -1.0, 0.5]).apply(moved.positions) * [1, 1, -1] + [3.0, 1.0, -2.0]
    one, other = describe([ethanol, moved], ORGANIC).values
    assert np.abs(one - other).max() < 1e-12
    assert np.abs(one).max() > 0.1


def test_descriptor_does_not_change_with_a_repeated_cell_but_numbers_do() -> None:
    found = describe([crystal(1), crystal(1) * (2, 1, 1)], AL)
    assert np.abs(found.values[0] - found.values[1]).max() < 1e-12
    assert found.n_atoms.tolist() == [[32], [64]]


def test_statistics_are_those_of_the_atoms_of_each_element() -> None:
    water = molecule("H2O")
    one = describe([water], ORGANIC)
    mean, deviation, smallest, largest = one.values[0, 0]
    # both hydrogens see the same
    assert np.abs(deviation).max() < 1e-12
    assert smallest == pytest.approx(mean, abs=1e-12)
    assert largest == pytest.approx(mean, abs=1e-12)
    assert one.n_atoms.tolist() == [[2, 0, 1]]
    assert not one.values[0, 1].any()
    bent = water.copy()
    bent.positions[1] += [0.0, 0.1, 0.1]
    mean, deviation, smallest, largest = describe([bent], ORGANIC).values[0, 0]
    # of two values
    assert mean == pytest.approx((smallest + largest) / 2)
    assert deviation == pytest.approx((largest - smallest) / 2)
    assert deviation.max() > 0.01


def test_batches_change_nothing() -> None:
    frames = [crystal(seed) for seed in range(4)]
    seen: list[int] = []
    together = describe(frames, AL, on_batch=seen.append)
    apart = describe(frames, AL, batch_edges=1, on_batch=seen.append)
    assert seen == [4, 1, 1, 1, 1]
    assert np.abs(together.values - apart.values).max() < 1e-12


def test_broken_bond_is_farther_than_heat() -> None:
    ethane = molecule("C2H6")
    right = ethane.positions[:, 2] > 0
    broken = ethane.copy()
    broken.positions[right] += [0.0, 0.0, 1.0]
    frames = [ethane.copy() for _ in range(6)]
    for seed, frame in enumerate([*frames, broken]):
        frame.rattle(0.05, seed=seed)
    known, new = describe(frames, ORGANIC), describe([broken], ORGANIC)
    among = distances(known, known, known.scale())
    assert distances(new, known, known.scale()).min() > 2 * among.max()


def test_scale_is_the_deviation_over_all_atoms() -> None:
    frames = [crystal(1), crystal(2, 0.3) * (2, 1, 1)]
    every = describe(frames, AL)
    # a crystal of two kinds of environments, taken apart into configurations of one atom each
    values = np.array([[[[1.0, 5.0]] * 4], [[[4.0, 5.0]] * 4]])
    values[:, :, 1] = 0.0
    apart = Descriptors(("Al",), values, np.array([[1], [2]]))
    # first component: 1, 4, 4 with variance 2; second: none
    assert apart.scale() == pytest.approx([1.0])
    assert 0.01 < every.scale()[0] < 1.0
    single = Descriptors(("Al",), values[:1], np.array([[1]]))
    assert single.scale().tolist() == [1.0]  # no variance to take it from


def test_distances_on_a_line() -> None:
    one, other = on_a_line([0.0, 3.0]), on_a_line([1.0])
    assert distances(one, other, UNIT) == pytest.approx(np.array([[1.0], [2.0]]))
    assert distances(one, other, 4 * UNIT) == pytest.approx(np.array([[0.25], [0.5]]))
    assert nearest(one, on_a_line([1.0, 2.5]), UNIT) == pytest.approx([1.0, 0.5])
    assert nearest(one, on_a_line([]), UNIT).tolist() == [np.inf, np.inf]


def test_other_elements_are_infinitely_far_and_absent_ones_do_not_count() -> None:
    both = on_a_line([0.0, 1.0], ("Al", "Ni"))
    assert distances(both[np.array([0])], both[np.array([1])], np.ones(2)) == pytest.approx(1.0)
    n_atoms = np.array([[10, 0], [10, 0], [10, 10]])
    values = on_a_line([0.0, 1.0, 1.0], ("Al", "Ni")).values
    values[:2, 1] = 0.0
    found = distances(*(Descriptors(("Al", "Ni"), values, n_atoms),) * 2, np.ones(2))
    assert found[0, 1] == pytest.approx(1.0)  # the mean is over aluminum alone
    assert found[0, 2] == np.inf


def test_farthest_point_choice_on_a_line() -> None:
    candidates = on_a_line([0.1, 10.0, 4.0, 9.7, 5.0, 2.0])
    found = choose(candidates, np.ones(6), on_a_line([0.0]), n_most=3, min_distance=0.5)
    assert found.indices.tolist() == [1, 4, 5]
    assert found.distances == pytest.approx([10.0, 5.0, 2.0])
    assert found.near_known.tolist() == [0]
    assert found.near_chosen.tolist() == [3]
    assert found.left.tolist() == [2]


def test_choice_by_uncertainty_on_a_line() -> None:
    candidates = on_a_line([0.1, 10.0, 4.0, 9.7, 5.0, 2.0])
    uq = np.array([9.0, 1.0, 5.0, 3.0, 4.0, 2.0])
    found = choose(candidates, uq, on_a_line([0.0]), n_most=9, min_distance=1.5, order="uq")
    assert found.indices.tolist() == [2, 3, 5]
    assert found.near_known.tolist() == [0]
    assert found.near_chosen.tolist() == [1, 4]
    assert found.left.tolist() == []


def test_ties_go_to_the_other_key_then_to_the_first() -> None:
    candidates = on_a_line([0.0, 8.0, 0.0, 4.0])
    nothing_known = choose(candidates, [1.0, 2.0, 1.0, 0.0], n_most=4, min_distance=0.5)
    assert nothing_known.indices.tolist() == [1, 0, 3]
    assert nothing_known.distances.tolist()[0] == np.inf
    assert nothing_known.near_chosen.tolist() == [2]
    by_uq = choose(candidates, [1.0, 1.0, 1.0, 1.0], on_a_line([-1.0]), n_most=1, min_distance=0.5, order="uq")
    assert by_uq.indices.tolist() == [1]


def test_choice_does_not_take_what_is_known_or_equal() -> None:
    frames = [crystal(seed) for seed in range(4)]
    known = describe(frames[:2], AL)
    # a repeated known one, a new one, the same rotated by a quarter turn, another new one
    turned = frames[2].copy()
    turned.rotate(90, "z", rotate_cell=True)
    candidates = describe([frames[1] * (1, 1, 2), frames[2], turned, frames[3]], AL)
    found = choose(candidates, [9.0, 1.0, 1.0, 2.0], known, n_most=4, min_distance=1e-6)
    assert found.near_known.tolist() == [0]
    assert sorted(found.indices.tolist()) == [1, 3]
    assert found.near_chosen.tolist() == [2]


def test_random_choice_takes_each_as_often_whatever_is_near_it() -> None:
    candidates, known = on_a_line([0.0, 0.0, 3.0, 9.0]), on_a_line([0.0])
    uq, options = [0.0, 0.0, 0.0, 9.0], {"n_most": 2, "min_distance": 5.0, "order": "random"}
    counts = np.zeros(4)
    for seed in range(1000):
        counts[choose(candidates, uq, known, seed=seed, **options).indices] += 1
    assert np.abs(counts - 500).max() < 4 * np.sqrt(250)
    found = choose(candidates, uq, known, seed=7, **options)
    assert found.indices.tolist() == choose(candidates, uq, known, seed=7, **options).indices.tolist()
    assert len(found.near_known) == len(found.near_chosen) == 0
    assert sorted([*found.indices, *found.left]) == [0, 1, 2, 3]
    assert found.distances == pytest.approx(np.array([0.0, 0.0, 3.0, 9.0])[found.indices])


def test_nothing_to_choose_from() -> None:
    found = choose(on_a_line([]), [], on_a_line([0.0]), n_most=3, min_distance=0.5)
    assert len(found.indices) == len(found.left) == 0
    none = choose(on_a_line([1.0]), [1.0], n_most=0, min_distance=0.5)
    assert none.left.tolist() == [0]


@pytest.mark.parametrize(
    ("uq", "options", "message"),
    [
        ([1.0], {}, r"uq has shape \(1,\), expected \[2\]"),
        ([1.0, np.nan], {}, r"uq\[1\] = nan, expected finite"),
        ([1.0, 1.0], {"n_most": -1}, "n_most = -1"),
        ([1.0, 1.0], {"min_distance": 0.0}, "min_distance = 0.0, expected more than 0"),
        ([1.0, 1.0], {"min_distance": np.inf}, "min_distance = inf"),
        ([1.0, 1.0], {"order": "first"}, "order = 'first', expected distance or uq or random"),
        ([1.0, 1.0], {"order": "random"}, "order = 'random' without seed"),
        ([1.0, 1.0], {"scale": [0.0]}, r"scale is \[0.\], expected 1 numbers above 0"),
    ],
)
def test_bad_arguments_of_choose(uq, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        choose(on_a_line([0.0, 1.0]), uq, on_a_line([5.0]), **{"n_most": 1, "min_distance": 0.5, **options})


def test_descriptors_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="expected the same elements and AEV"):
        distances(on_a_line([0.0]), on_a_line([0.0], ("Ni",)), UNIT)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Atoms(), "configuration 1: no atoms"),
        (molecule("H2O"), "configuration 1: atoms hold H, O"),
        (Atoms("Al", positions=[[np.nan, 0.0, 0.0]]), "configuration 1: position of atom 0"),
    ],
)
def test_configurations_that_cannot_be_described(bad, message) -> None:
    with pytest.raises(ValueError, match=message):
        describe([crystal(1), bad], AL)
