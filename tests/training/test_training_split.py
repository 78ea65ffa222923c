"""Splits: disjoint, complete, by seed, by structure, inherited."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.training import inherited_split, random_split


def rng(seed):
    return np.random.default_rng(seed)


def hashes(start, stop):
    return [f"structure {k}" for k in range(start, stop)]


def test_splits_are_disjoint_complete_and_by_seed():
    first, again, other = (random_split(hashes(0, 50), 0.2, rng(seed)) for seed in (1, 1, 2))
    assert len(first.validation) == 10
    assert np.array_equal(np.sort(np.concatenate([first.train, first.validation])), np.arange(50))
    assert np.array_equal(first.validation, again.validation)
    assert not np.array_equal(first.validation, other.validation)


def test_each_configuration_validates_as_often_as_the_fraction_says():
    counts = np.zeros(40)
    for seed in range(400):
        counts[random_split(hashes(0, 40), 0.25, rng(seed)).validation] += 1
    # binomial, 400 draws of 1/4: standard deviation 8.7; the largest of 40 within 4 of them
    assert np.abs(counts - 100).max() < 35


def test_equal_structures_never_stand_on_both_sides():
    names = hashes(0, 20) * 3
    for seed in range(20):
        split = random_split(names, 0.2, rng(seed))
        roles = split.roles(names)
        assert {names[i] for i in split.train}.isdisjoint(names[i] for i in split.validation)
        assert len(split.validation) == 12
        assert list(roles.values()).count("validation") == 4


def test_one_part_empty_is_an_error():
    with pytest.raises(ValueError, match="leaves 2 for training and 0 for validation"):
        random_split(hashes(0, 2), 0.1, rng(0))
    with pytest.raises(ValueError, match="add configurations or change the fraction"):
        random_split(["same", "same"], 0.5, rng(0))


def test_inheritance_holds_over_three_iterations():
    """Old data keep the best member's roles in every member; only new ones are drawn, by each for itself."""
    names = hashes(0, 40)
    roles = random_split(names, 0.2, rng(0)).roles(names)
    for iteration, stop in enumerate((60, 90, 130), 1):
        new = hashes(len(names), stop)
        names = names + new
        members = [inherited_split(names, roles, 0.2, rng([iteration, k])) for k in range(4)]
        for split in members:
            own = split.roles(names)
            assert {name: own[name] for name in roles} == roles
            assert [own[name] for name in new].count("validation") == round(0.2 * len(new))
        drawn = {tuple(split.validation) for split in members}
        assert len(drawn) == 4
        roles = members[iteration % 4].roles(names)


def test_data_that_are_gone_are_ignored_and_one_new_configuration_may_train():
    roles = {"a": "train", "b": "validation", "gone": "train"}
    split = inherited_split(["b", "new", "a"], roles, 0.2, rng(0))
    assert split.train.tolist() == [1, 2]
    assert split.validation.tolist() == [0]
