"""From spreads to errors by given numbers, and the record of a model file."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from nnpal.calibration import Calibration, EnergyRecipe, ForceRecipe

FORCE = ForceRecipe(knee=(0.1, 0.4), error_at_knee=(0.3, 0.5), exponent=(0.5, 1.0))
WHOLE = Calibration(FORCE, EnergyRecipe(factor=2.0, largest_per_atom=0.01, largest=4.0), {"source": "a test"})
OF_ONE_TO_TWO = ((2 / 5**0.5, -1 / 5**0.5),)  # the second element always twice as often


def test_errors_follow_the_power_law_below_the_knee_and_are_proportional_above():
    spread = np.array([0.0, 0.025, 0.1, 0.3, 0.2, 0.8])
    species = np.array([0, 0, 0, 0, 1, 1])
    assert FORCE.errors(spread, species) == pytest.approx([0.0, 0.15, 0.3, 0.9, 0.25, 1.0])


def test_an_undefined_spread_stays_undefined():
    assert np.isinf(FORCE.errors(np.array([np.inf]), np.array([0]))).all()


@pytest.mark.parametrize(
    ("std", "spread", "expected"),
    [
        (0.019, 0.39, 0.038),
        (0.021, 0.39, np.inf),  # 2 atoms: at most 0.02 eV
        (0.019, 0.41, np.inf),  # more than four knees of 0.1 eV/Å
    ],
)
def test_energies_have_an_error_inside_alone(std, spread, expected):
    found = WHOLE.error_energy(np.array([std]), np.array([0.1, spread]), np.zeros(2, dtype=int), np.array([2]))
    assert found == pytest.approx([expected])


def test_each_configuration_is_judged_by_its_own_atoms():
    spread, sizes = np.array([0.1, 0.1, 9.0, 0.1]), np.array([2, 1, 1])
    found = WHOLE.error_energy(np.full(3, 0.005), spread, np.zeros(4, dtype=int), sizes)
    assert found == pytest.approx([0.01, np.inf, 0.01])


def test_energies_of_other_compositions_have_none():
    """Their self-energies were never told apart."""
    recipe = EnergyRecipe(factor=2.0, largest_per_atom=0.01, largest=4.0, undetermined=OF_ONE_TO_TWO)
    species, sizes = np.array([0, 1, 1, 1, 1, 1, 0, 1]), np.array([3, 3, 2])
    calibration = Calibration(FORCE, recipe, {})
    found = calibration.error_energy(np.full(3, 0.005), np.full(8, 0.1), species, sizes)
    assert found == pytest.approx([0.01, np.inf, np.inf])
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_the_record_comes_back():
    assert Calibration.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE
    without = Calibration(FORCE, None, {})
    assert Calibration.from_json(json.loads(json.dumps(without.to_json()))) == without


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r.pop("force"), r"calibration has \['energy', 'evidence'\], expected the keys"),
        (lambda r: r.update(extra=1), "calibration has"),
        (lambda r: r["force"].pop("knee"), "force recipe has"),
        (lambda r: r["force"].update(knee=0.1), "knee is 0.1, expected a list"),
        (lambda r: r["force"].update(knee=[0.1]), r"have lengths \[1, 2\]"),
        (lambda r: r["force"].update(knee=[0.1, 0.0]), "knee is 0.0, expected a number above 0"),
        (lambda r: r["force"].update(knee=[0.1, True]), "knee is True"),
        (lambda r: r["force"].update(error_at_knee=["a", 1.0]), "error_at_knee is 'a'"),
        (lambda r: r["force"].update(exponent=[0.5, 5.0]), "exponent is 5.0, expected at most 4"),
        (lambda r: r["energy"].update(factor=-1.0), "factor is -1.0"),
        (lambda r: r["energy"].update(largest=float("nan")), "largest is nan"),
        (lambda r: r["energy"].update(largest=10**400), "largest is 1000"),
        (lambda r: r.update(energy={}), "energy recipe has"),
        (lambda r: r["energy"].update(undetermined=[[1.0]]), "undetermined is"),
        (lambda r: r["energy"].update(undetermined=[[1.0, "a"]]), "undetermined is"),
        (lambda r: r["energy"].update(undetermined=1.0), "undetermined is"),
        (lambda r: r.update(evidence=[]), "evidence is"),
        (lambda r: r.update(force=None), "force recipe has None"),
    ],
)
def test_a_damaged_record_is_refused_by_name(spoil, message):
    record = json.loads(json.dumps(WHOLE.to_json()))
    spoil(record)
    with pytest.raises(ValueError, match=message):
        Calibration.from_json(copy.deepcopy(record))
