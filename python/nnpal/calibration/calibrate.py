"""Fit a complete calibration to pairs of spread and error: forces by element, energies, and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nnpal.calibration.fit import ForceFit, fit_factor, fit_force
from nnpal.calibration.pairs import Pairs
from nnpal.calibration.recipe import Calibration, EnergyRecipe, ForceRecipe, compositions
from nnpal.calibration.reliability import Reliability, reliability

KNEE_QUANTILE = 0.95
LIMIT_QUANTILE = 0.995
LEAST_FRAMES, LEAST_ATOMS = 5, 50
"""Smallest numbers of configurations and atoms for a calibration, and of an element for its own parameters."""
LEAST_ENERGIES = 10
"""Smallest number of configurations for the factor of energies."""
CANDIDATES_SHARE = 1 / 3
"""Total weight of the candidates relative to the other pairs: most later configurations resemble the data."""
_SMALLEST = 1e-5
"""eV/Å; smaller spreads are rounding, up to 4e-6 if the force is zero by symmetry, and so are their errors."""


class CalibrationError(ValueError):
    """Too few pairs, all spreads are zero, or labels that the members themselves have computed."""


def calibrate(pairs: Pairs, symbols: Sequence[str], candidates: Pairs | None = None) -> Calibration:
    """Fit a calibration.

    The knee of an element is the 95th percentile of its spreads. Elements with too few atoms get the parameters fitted
    to all elements together. The limits of energies are the 99.5th percentiles over configurations.

    Arguments:
        pairs: pairs in distribution, see :func:`nnpal.calibration.pairs`.
        symbols: the model's elements, in the order of the element index.
        candidates: pairs out of distribution, such as newly labeled candidates of active learning; their total weight
            in the fit of forces is a third of that of ``pairs``; if ``pairs`` are too few, candidates are added.

    Raises:
        CalibrationError: fewer than 5 configurations or 50 atoms, members that do not differ, or labels computed by
            the members themselves.
    """
    n_own = len(pairs.n_atoms)
    n_candidates = 0 if candidates is None else len(candidates.n_atoms)
    if candidates is not None and not _are_enough(pairs):
        pairs, candidates = Pairs.joined([pairs, candidates]), None
    if not _are_enough(pairs):
        raise CalibrationError(
            f"{len(pairs.n_atoms)} configurations of {len(pairs.species)} atoms in all can be calibrated on, expected "
            f"at least {LEAST_FRAMES} of {LEAST_ATOMS} atoms that some members were not trained on"
        )
    force, wild = _forces(pairs, len(symbols), candidates)
    energy = _energies(pairs, force)
    counted = pairs.species[_differ(pairs)]
    judged, is_cross_validated = _cross_validated(pairs, len(symbols), candidates)
    evidence = {
        "configurations": len(pairs.n_atoms),
        "atoms": {s: int((counted == e).sum()) for e, s in enumerate(symbols)},
        "candidates": n_candidates,
        "wild": [frame for frame in wild if frame < n_own],
        "reliability": judged.to_json(),
        "cross_validated": is_cross_validated,
    }
    return Calibration(force, energy, evidence)


def _are_enough(pairs: Pairs) -> bool:
    return len(pairs.n_atoms) >= LEAST_FRAMES and len(pairs.species) >= LEAST_ATOMS


def sigma(force: ForceRecipe, pairs: Pairs) -> NDArray[np.float64]:
    """Return the expected force error of the mean of the pairs' members, which may be few, eV/Å, [n_atoms].

    Arguments:
        force: recipe for the errors of forces.
        pairs: spreads and errors of configurations.
    """
    own = force.errors(pairs.uq_force, pairs.species)
    return np.asarray(np.sqrt(own**2 + pairs.unshared[pairs.frame] * pairs.uq_force**2))


def judge(force: ForceRecipe, pairs: Pairs) -> Reliability:
    """Compare the pairs' force errors with the recipe's predictions; pairs without a spread are left out.

    Arguments:
        force: recipe for the errors of forces.
        pairs: spreads and errors of configurations.
    """
    expected = sigma(force, pairs)
    known = _differ(pairs) & np.isfinite(expected)
    return reliability(pairs.force_error[known], expected[known])


def _differ(pairs: Pairs) -> NDArray[np.bool_]:
    """Return whether the members' forces differ by more than rounding, [n_atoms]."""
    return np.asarray(pairs.uq_force > _SMALLEST)


def _forces(pairs: Pairs, n_elements: int, candidates: Pairs | None) -> tuple[ForceRecipe, list[int]]:
    """Return the recipe, and the indices of configurations of ``pairs`` with outliers, which are ignored."""
    differ = _differ(pairs)
    shared: ForceFit | None = None
    fits, wild = [], np.zeros(len(pairs.species), dtype=bool)
    for element in range(n_elements):
        own = differ & (pairs.species == element)
        if own.sum() >= LEAST_ATOMS and len(np.unique(pairs.frame[own])) >= LEAST_FRAMES:
            fit = _fit(pairs, own, candidates, element)
        else:
            fit = shared = shared or _fit(pairs, differ, candidates, None)
        wild |= own & fit.wild
        fits.append(fit)
    recipe = ForceRecipe(
        tuple(f.knee for f in fits), tuple(f.error_at_knee for f in fits), tuple(f.exponent for f in fits)
    )
    return recipe, np.unique(pairs.frame[wild]).tolist()


def _fit(pairs: Pairs, mine: NDArray[np.bool_], candidates: Pairs | None, element: int | None) -> ForceFit:
    """Fit the selected atoms of the pairs, and the candidates' atoms of ``element``, or all if it is None.

    ``wild`` of the result covers all atoms of the pairs; it is False for those not fitted.
    """
    if mine.sum() < LEAST_ATOMS:
        raise CalibrationError(
            f"the members' forces differ only on {mine.sum()} of {len(mine)} atoms (where symmetry makes "
            f"forces zero, they cannot), expected {LEAST_ATOMS}; train them from different seeds, or give more atoms"
        )
    spreads, errors = [pairs.uq_force[mine]], [pairs.force_error[mine]]
    if np.median(np.linalg.norm(errors[0], axis=1)) <= _SMALLEST:
        raise CalibrationError(
            f"most predicted forces agree with the labels to {_SMALLEST:g} eV/Å, as if the members had computed them; "
            "expected labels of a reference method"
        )
    unshared, weights = [pairs.unshared[pairs.frame][mine]], [np.ones(mine.sum())]
    if candidates is not None:
        new = _differ(candidates)
        if element is not None:
            new &= candidates.species == element
        if new.any():
            spreads.append(candidates.uq_force[new])
            errors.append(candidates.force_error[new])
            unshared.append(candidates.unshared[candidates.frame][new])
            weights.append(np.full(new.sum(), CANDIDATES_SHARE * mine.sum() / new.sum()))
    knee = float(np.quantile(spreads[0], KNEE_QUANTILE))
    found = fit_force(
        np.concatenate(spreads), np.concatenate(errors), np.concatenate(unshared), knee, np.concatenate(weights)
    )
    wild = np.zeros(len(mine), dtype=bool)
    wild[mine] = found.wild[: mine.sum()]
    return replace(found, wild=wild)


def _energies(pairs: Pairs, force: ForceRecipe) -> EnergyRecipe | None:
    known = np.isfinite(pairs.energy_error) & (pairs.energy_std > 0)
    if known.sum() < LEAST_ENERGIES:
        return None
    factor = fit_factor(pairs.energy_std[known], pairs.energy_error[known], pairs.unshared[known])
    largest = np.maximum.reduceat(force.in_knees(pairs.uq_force, pairs.species), pairs.first_atoms)
    per_atom, in_knees = (
        float(np.quantile(values[known], LIMIT_QUANTILE, method="higher"))
        for values in (pairs.energy_std / pairs.n_atoms, largest)
    )
    undetermined = _undetermined(compositions(pairs.species, pairs.n_atoms, len(force.knee))[known])
    return EnergyRecipe(factor, per_atom, in_knees, undetermined)


def _undetermined(composition: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return an orthonormal basis of the space orthogonal to all compositions, [n_frames, n_elements]."""
    _, values, directions = np.linalg.svd(composition, full_matrices=True)
    rank = int((values > 1e-9 * values[0]).sum())
    return tuple(tuple(row) for row in directions[rank:].tolist())


def _cross_validated(pairs: Pairs, n_elements: int, candidates: Pairs | None) -> tuple[Reliability, bool]:
    """Return the reliability of recipes fitted to the other half of the configurations, and True.

    If there are too few configurations for two fits, return the reliability of one recipe on its own data, and False.
    """
    half = np.arange(len(pairs.n_atoms)) % 2 == 0
    halves = [pairs.of_frames(half), pairs.of_frames(~half)]
    if half.sum() < 2 * LEAST_FRAMES or min(_differ(part).sum() for part in halves) < LEAST_ATOMS:
        return judge(_forces(pairs, n_elements, candidates)[0], pairs), False
    expected, errors = [], []
    for learned, judged in (halves, halves[::-1]):
        recipe, _ = _forces(learned, n_elements, candidates)
        known = _differ(judged)
        expected.append(sigma(recipe, judged)[known])
        errors.append(judged.force_error[known])
    return reliability(np.concatenate(errors), np.concatenate(expected)), True
