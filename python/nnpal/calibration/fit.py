"""Maximum-likelihood fit of a recipe to spreads and errors; outliers are ignored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nnpal.calibration.recipe import STEEPEST

WILD = 6.0
"""Errors beyond this number of sigma are ignored: normal errors are never that large, wrong labels are."""
USUAL_EXPONENT, EXPONENT_SPREAD = 0.8, 0.2
"""Prior of the exponent, from ensembles of several elements and training lengths; it matters if data are few."""
CORRELATION = 4.0
"""Errors of atoms in one configuration are correlated: the effective number of atoms is smaller by this factor."""
_LEAST_EXPONENT = 0.05
_ROUNDS = 20
_CHI3_MEDIAN = 0.888
"""Median of |x| divided by sqrt(<|x|²>), for a normal distribution in three dimensions."""
_CHI1_MEDIAN = 0.6745
"""The same in one dimension."""


@dataclass(frozen=True)
class ForceFit:
    """Parameters of one element, and a mask of the atoms ignored as outliers, bool [n]."""

    knee: float
    error_at_knee: float
    exponent: float
    wild: NDArray[np.bool_]


def fit_force(
    uq_force: NDArray[np.float64],
    force_error: NDArray[np.float64],
    unshared: NDArray[np.float64],
    knee: float,
    weights: NDArray[np.float64] | None = None,
) -> ForceFit:
    """Return the most likely recipe of one element, see :class:`nnpal.calibration.recipe.ForceRecipe`.

    The errors are assumed to be normal with <|ΔF_i|²> = error_force_i² + unshared_i s_i².

    Arguments:
        uq_force: spreads s_i > 0, eV/Å, [n].
        force_error: force errors, eV/Å, [n, 3].
        unshared: see :class:`nnpal.calibration.pairs.Pairs`, for each atom, [n].
        knee: knee of the recipe, eV/Å.
        weights: weights of the atoms, [n]; by default 1.
    """
    squares, extra = np.square(force_error).sum(1), unshared * uq_force**2
    weights = np.ones(len(squares)) if weights is None else weights
    ratio = uq_force / knee
    below, above = np.log(np.minimum(ratio, 1.0)), np.log(np.maximum(ratio, 1.0))

    def variance(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(2 * (parameters[0] + parameters[1] * below + above)) + extra)

    def cost(parameters: NDArray[np.float64], counted: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
        own = variance(parameters)
        per_atom = 1.5 * counted * (np.log(own) + squares / own)
        slope = 3.0 * counted * (1 - squares / own) * (1 - extra / own)  # in the logarithm of error_force
        off = (parameters[1] - USUAL_EXPONENT) / EXPONENT_SPREAD
        return per_atom.sum() + off**2 / 2, np.array([slope.sum(), (slope * below).sum() + off / EXPONENT_SPREAD])

    size = np.sqrt(squares) / np.exp(USUAL_EXPONENT * below + above)
    found = np.array([np.log(max(float(np.median(size)), np.finfo(float).tiny) / _CHI3_MEDIAN), USUAL_EXPONENT])
    kept = squares < WILD**2 * variance(found)
    for _ in range(_ROUNDS):
        bounds = [(None, None), (_LEAST_EXPONENT, STEEPEST)]
        counted = weights * kept / CORRELATION
        found = minimize(cost, found, args=(counted,), jac=True, method="L-BFGS-B", bounds=bounds).x
        previous, kept = kept, squares < WILD**2 * variance(found)
        if (kept == previous).all():
            break
    return ForceFit(knee, float(np.exp(found[0])), float(found[1]), ~kept)


def fit_factor(std: NDArray[np.float64], error: NDArray[np.float64], unshared: NDArray[np.float64]) -> float:
    """Return the most likely factor of normal errors with <ΔE²> = (factor² + unshared) std².

    Arguments:
        std: standard deviations over the members, positive, eV, [n].
        error: energy errors, eV, [n].
        unshared: see :class:`nnpal.calibration.pairs.Pairs`, [n].
    """
    squares = np.square(error / std)
    least = 0.01
    factor = max(float(np.median(np.sqrt(squares / (1 + unshared)))) / _CHI1_MEDIAN, least)
    kept = squares < WILD**2 * (factor**2 + unshared)
    for _ in range(_ROUNDS):
        factor = _most_likely_factor(squares[kept], unshared[kept], least)
        previous, kept = kept, squares < WILD**2 * (factor**2 + unshared)
        if (kept == previous).all():
            break
    return factor


def _most_likely_factor(squares: NDArray[np.float64], unshared: NDArray[np.float64], least: float) -> float:
    def cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        own = np.exp(2 * parameters[0]) + unshared
        slope = (1 - squares / own) * (1 - unshared / own)
        return 0.5 * float((np.log(own) + squares / own).sum()), np.array([slope.sum()])

    start = max(float(np.sqrt(max((squares - unshared).mean(), 0.0))), least)
    found = minimize(cost, [np.log(start)], jac=True, method="L-BFGS-B", bounds=[(np.log(least), None)])
    return float(np.exp(found.x[0]))
