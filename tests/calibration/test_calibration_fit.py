"""A recipe that the data were drawn from comes back, whatever few wild labels do."""

from __future__ import annotations

import numpy as np
import pytest

from nnpal.calibration import CalibrationError, ForceRecipe, Pairs, calibrate, judge, unshared
from nnpal.calibration.calibrate import CANDIDATES_SHARE
from nnpal.calibration.fit import fit_factor
from nnpal.calibration.summary import sentences

TRUE = ForceRecipe(knee=(0.05, 0.2), error_at_knee=(0.1, 0.3), exponent=(0.7, 1.1))
SYMBOLS = ("C", "H")
FACTOR = 2.5


def drawn(rng: np.random.Generator, n_frames: int = 200, n_atoms: int = 30, recipe: ForceRecipe = TRUE) -> Pairs:
    """Draw spreads whose 95th percentile is the recipe's knee, and normal errors of the whole ensemble."""
    species = rng.integers(0, 2, n_frames * n_atoms)
    log_spread = rng.standard_normal(len(species)) * 0.7
    spread = np.array(TRUE.knee)[species] * np.exp(log_spread - 0.7 * 1.6449)
    sigma = recipe.errors(spread, species)
    std = rng.uniform(0.01, 0.1, n_frames)
    return Pairs(
        species=species,
        uq_force=spread,
        force_error=sigma[:, None] / np.sqrt(3) * rng.standard_normal((len(species), 3)),
        n_atoms=np.full(n_frames, n_atoms),
        energy_std=std,
        energy_error=FACTOR * std * rng.standard_normal(n_frames),
        unshared=np.zeros(n_frames),
    )


def changed(pairs: Pairs, **values: np.ndarray) -> Pairs:
    return Pairs(**{name: values.get(name, getattr(pairs, name)) for name in Pairs.__dataclass_fields__})


def assert_near(found: ForceRecipe, true: ForceRecipe = TRUE) -> None:
    # 3,000 atoms an element: sigma to 1/sqrt(6 n) = 0.8 %, exponents to 0.02; four standard errors
    for ours, theirs in zip(found.error_at_knee, true.error_at_knee, strict=True):
        assert ours == pytest.approx(theirs, rel=0.08)
    assert found.exponent == pytest.approx(true.exponent, abs=0.08)


def test_the_recipe_that_errors_were_drawn_from_comes_back():
    found = calibrate(drawn(np.random.default_rng(1)), SYMBOLS)
    assert found.force.knee == pytest.approx(TRUE.knee, rel=0.05)
    assert_near(found.force)
    assert found.energy is not None
    assert found.energy.factor == pytest.approx(FACTOR, rel=0.2)  # 200 energies: 1/sqrt(2 n) = 5 %
    assert found.evidence["configurations"] == 200
    assert sum(found.evidence["atoms"].values()) == 6000
    assert found.evidence["wild"] == []
    shares = found.evidence["reliability"]["coverage"]
    assert shares == pytest.approx([0.68, 0.90], abs=0.02)


def test_wild_labels_change_nothing_and_are_named():
    pairs = drawn(np.random.default_rng(2))
    errors = pairs.force_error.copy()
    errors[pairs.frame == 17] += 80.0  # eV/Å
    energies = pairs.energy_error.copy()
    energies[17] = 1e4
    found = calibrate(changed(pairs, force_error=errors, energy_error=energies), SYMBOLS)
    clean = calibrate(pairs, SYMBOLS)
    assert found.evidence["wild"] == [17]
    assert found.force.error_at_knee == pytest.approx(clean.force.error_at_knee, rel=0.01)
    assert found.force.exponent == pytest.approx(clean.force.exponent, abs=0.01)
    assert found.energy.factor == pytest.approx(clean.energy.factor, rel=0.03)


def test_the_share_of_few_members_is_taken_off():
    rng = np.random.default_rng(3)
    pairs = drawn(rng)
    share = unshared(5, np.full(len(pairs.n_atoms), 1))
    assert share == pytest.approx(np.ones(200))  # (1 - 1/5) 5/4
    own = np.sqrt(share[pairs.frame]) * pairs.uq_force  # one member's own part of the error
    noise = own[:, None] / np.sqrt(3) * rng.standard_normal((len(own), 3))
    of_one = changed(pairs, force_error=pairs.force_error + noise, unshared=share)
    assert_near(calibrate(of_one, SYMBOLS).force)
    naive = calibrate(changed(of_one, unshared=np.zeros(200)), SYMBOLS).force
    assert naive.error_at_knee[1] > 1.1 * TRUE.error_at_knee[1]  # sqrt(0.3² + 0.2²) at the knee


def test_the_whole_ensemble_has_nothing_unshared():
    assert unshared(5, np.array([5, 1, 2])) == pytest.approx([0.0, 1.0, 0.375])


def test_members_own_parts_have_the_variance_that_is_said():
    """By drawing: members err by what all share and a part of their own."""
    rng = np.random.default_rng(4)
    own = rng.standard_normal((5, 200_000))
    judged, every = own[:2].mean(0), own.mean(0)
    excess = np.square(judged).mean() - np.square(every).mean()
    assert excess / own.var(0).mean() == pytest.approx(unshared(5, np.array([2]))[0], rel=0.02)


def test_an_element_with_few_atoms_gets_the_numbers_of_all():
    pairs = drawn(np.random.default_rng(5))
    rare = np.zeros(len(pairs.species), dtype=int)
    rare[:3] = 1
    found = calibrate(changed(pairs, species=rare), ("C", "H", "O")).force
    assert found.knee[1] == found.knee[2]
    assert found.error_at_knee[1] == found.error_at_knee[2] != found.error_at_knee[0]


def test_candidates_outside_move_the_recipe_by_their_weight():
    rng = np.random.default_rng(6)
    pairs = drawn(rng)
    worse = ForceRecipe(TRUE.knee, tuple(3 * e for e in TRUE.error_at_knee), TRUE.exponent)
    few, many = drawn(rng, 5, recipe=worse), drawn(rng, 200, recipe=worse)
    alone, with_few, with_many = (calibrate(pairs, SYMBOLS, new).force for new in (None, few, many))
    expected = np.sqrt((1 + CANDIDATES_SHARE * 9) / (1 + CANDIDATES_SHARE))  # of the means of squares
    for element in range(2):
        assert with_many.error_at_knee[element] / alone.error_at_knee[element] == pytest.approx(expected, rel=0.05)
        assert with_few.error_at_knee[element] / alone.error_at_knee[element] == pytest.approx(expected, rel=0.2)
        assert with_many.knee == alone.knee


def test_what_cannot_be_calibrated_is_refused():
    rng = np.random.default_rng(7)
    with pytest.raises(CalibrationError, match=r"3 configurations of 90 atoms .* expected at least 5 of 50"):
        calibrate(drawn(rng, 3), SYMBOLS)
    pairs = drawn(rng)
    with pytest.raises(CalibrationError, match="members' forces differ only on"):
        calibrate(changed(pairs, uq_force=np.zeros(len(pairs.species))), SYMBOLS)


def test_forces_that_symmetry_makes_zero_do_not_count():
    """Perfect crystals, as of an equation of state: spread and error are rounding, at any ratio to each other."""
    rng = np.random.default_rng(13)
    pairs = drawn(rng)
    crystal = pairs.frame % 2 == 0
    n = int(crystal.sum())
    spreads, errors = pairs.uq_force.copy(), pairs.force_error.copy()
    spreads[crystal] = 1e-6 * np.exp(0.3 * rng.standard_normal(n))
    errors[crystal] = 1e-6 * rng.standard_normal((n, 3))
    found = calibrate(changed(pairs, uq_force=spreads, force_error=errors), SYMBOLS)
    assert_near(found.force)
    assert found.evidence["wild"] == []
    assert found.evidence["reliability"]["n_values"] == 6000 - n
    assert all(0.85 < tenth < 1.15 for tenth in found.evidence["reliability"]["tenths"])


def test_an_element_without_spread_gets_the_numbers_of_all():
    """It took the calibration of all others with it."""
    pairs = drawn(np.random.default_rng(14))
    still = changed(pairs, uq_force=np.where(pairs.species == 1, 0.0, pairs.uq_force))
    found = calibrate(still, SYMBOLS).force
    assert found.error_at_knee == pytest.approx([found.error_at_knee[0]] * 2)
    assert found.exponent[0] == pytest.approx(TRUE.exponent[0], abs=0.08)


def test_halves_with_too_few_forces_are_not_fitted_alone():
    """20 configurations of 6 atoms, of which 4 have a force: 80, and 40 in each half."""
    pairs = drawn(np.random.default_rng(15), 20, 6)
    some = changed(pairs, uq_force=np.where(np.arange(120) % 6 < 2, 0.0, pairs.uq_force))
    assert calibrate(some, SYMBOLS).evidence["reliability"]["n_values"] == 80


def test_wild_labels_are_named_where_elements_share_numbers():
    pairs = drawn(np.random.default_rng(16), 20, 6)
    errors = pairs.force_error + 80.0 * (pairs.frame == 17)[:, None]
    six = changed(pairs, species=np.arange(120) % 6, force_error=errors)
    assert calibrate(six, tuple("ABCDEF")).evidence["wild"] == [17]


def test_labels_by_the_members_themselves_are_refused():
    pairs = drawn(np.random.default_rng(17))
    for size in (0.0, 1e-7):
        with pytest.raises(CalibrationError, match="as if the members had computed them"):
            calibrate(changed(pairs, force_error=size * pairs.force_error), SYMBOLS)


def test_directions_without_data_are_not_determined():
    """200 configurations of one composition, then of two."""
    pairs = drawn(np.random.default_rng(12), n_atoms=30)
    same = changed(pairs, species=np.tile([0] * 10 + [1] * 20, 200))
    (direction,) = calibrate(same, SYMBOLS).energy.undetermined
    assert abs(np.dot(direction, [10, 20])) < 1e-9
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert calibrate(pairs, SYMBOLS).energy.undetermined == ()


def test_what_is_said_names_figures_of_the_same_configurations():
    """Too few for two fits."""
    few, many = (calibrate(drawn(np.random.default_rng(13), n), SYMBOLS) for n in (8, 200))
    assert "of the same configurations" in sentences(few)[0]
    assert "of the same configurations" not in sentences(many)[0]
    assert few.evidence["cross_validated"] is False
    assert many.evidence["cross_validated"] is True


def test_candidates_stand_in_where_all_else_was_learned():
    rng = np.random.default_rng(14)
    few, candidates = drawn(rng, 3), drawn(rng, 200)
    errors = candidates.force_error.copy()
    errors[:30] += 80.0  # eV/Å; the candidates' configurations have no numbers among the pairs'
    candidates = changed(candidates, force_error=errors)
    found = calibrate(few, SYMBOLS, candidates)
    assert found.evidence["candidates"] == 200
    assert found.evidence["wild"] == []
    assert found.force == calibrate(Pairs.joined([few, candidates]), SYMBOLS).force
    assert_near(found.force)
    with pytest.raises(CalibrationError, match="4 configurations"):
        calibrate(few, SYMBOLS, drawn(rng, 1))


def test_few_energies_give_no_factor():
    found = calibrate(drawn(np.random.default_rng(8), 9), SYMBOLS)
    assert found.energy is None
    assert np.isinf(found.error_energy(np.ones(2), np.ones(5), np.zeros(5, dtype=int), np.array([2, 3]))).all()


def test_a_few_configurations_lean_on_the_usual_exponent():
    """Five configurations whose errors do not depend on the spread at all."""
    rng = np.random.default_rng(9)
    pairs = drawn(rng, 5, 12)
    flat = changed(pairs, force_error=0.1 * rng.standard_normal((60, 3)), species=np.zeros(60, dtype=int))
    many = drawn(rng, 500, 12)
    many = changed(many, force_error=0.1 * rng.standard_normal((6000, 3)), species=np.zeros(6000, dtype=int))
    assert calibrate(many, SYMBOLS).force.exponent[0] < 0.15
    assert calibrate(flat, SYMBOLS).force.exponent[0] > calibrate(many, SYMBOLS).force.exponent[0] + 0.1


def test_the_factor_of_energies_is_what_they_were_drawn_with():
    rng = np.random.default_rng(10)
    std, share = rng.uniform(0.01, 1.0, 4000), rng.choice([0.0, 1.0], 4000)
    error = np.sqrt(FACTOR**2 + share) * std * rng.standard_normal(4000)
    assert fit_factor(std, error, share) == pytest.approx(FACTOR, rel=0.05)  # 1/sqrt(2 n) = 1 %


def test_pairs_of_some_configurations_are_judged_alone():
    rng = np.random.default_rng(11)
    pairs = drawn(rng, 40)
    chosen = np.arange(40) % 4 == 0
    part = pairs.of_frames(chosen)
    assert len(part.n_atoms) == 10
    assert len(part.species) == 300
    assert np.array_equal(part.uq_force, pairs.uq_force[chosen[pairs.frame]])
    both = Pairs.joined([part, pairs.of_frames(~chosen)])
    assert judge(TRUE, both).ratio == pytest.approx(judge(TRUE, pairs).ratio)
