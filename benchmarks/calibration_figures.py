"""What an error bar is worth: coverage, sizes, order; calibration.py and page_calibration.py use this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2, norm, spearmanr

MILLI = 1e3
LEVELS = (0.68, 0.90)
TENTHS = 10
N_DRAWS = 8  # of errors by an exact sigma: its rank correlation is then known to a few thousandths
CURVE = np.round(np.arange(0.05, 1.0, 0.05), 2)
ENERGY_FEWEST = 3  # configurations of which a coverage is given

Figures = dict[str, Any]


@dataclass(frozen=True)
class Errors:
    """Force errors of atoms, eV/Å, and what was said of them.

    Attributes:
        error: model minus label, [n_atoms, 3].
        sigma: one-sigma error of the vector, sqrt of the expected <|error|²>, [n_atoms].
        spread: uq_force, [n_atoms].
    """

    error: np.ndarray
    sigma: np.ndarray
    spread: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Errors]) -> Errors:
        error, sigma, spread = (np.concatenate([getattr(p, n) for p in parts]) for n in ("error", "sigma", "spread"))
        return cls(error, sigma, spread)

    @property
    def raw(self) -> Errors:
        """With the spread itself as sigma."""
        return Errors(self.error, self.spread, self.spread)


def coverage(error: np.ndarray, sigma: np.ndarray, level: float) -> float:
    """Return the share, %, of components, [n_atoms, 3] or [n], in the central interval of a normal distribution."""
    of_component = sigma[:, None] / np.sqrt(3) if error.ndim == 2 else sigma
    return 100 * float((np.abs(error) <= norm.ppf((1 + level) / 2) * of_component).mean())


def vector_coverage(errors: Errors, level: float) -> float:
    """Return the share, %, of vectors in the sphere that holds `level` of an isotropic normal distribution."""
    squares = 3 * np.square(errors.error).sum(1) / errors.sigma**2
    return 100 * float((squares <= chi2.ppf(level, 3)).mean())


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def sizes(error: np.ndarray) -> np.ndarray:
    return np.linalg.norm(error, axis=1)


def tenths(errors: Errors) -> list[tuple[float, float]]:
    """Return predicted and true RMS, meV/Å, in each tenth of sigma, from the smallest."""
    parts = np.array_split(np.argsort(errors.sigma, kind="stable"), TENTHS)
    return [(MILLI * rms(errors.sigma[part]), MILLI * rms(sizes(errors.error[part]))) for part in parts]


def exact_rank(sigma: np.ndarray) -> float:
    """Return the rank correlation of sigma with the size of errors drawn from it: what an exact sigma reaches."""
    rng = np.random.default_rng(0)
    drawn = [sizes(rng.standard_normal((len(sigma), 3))) * sigma for _ in range(N_DRAWS)]
    return float(np.mean([spearmanr(sigma, size).statistic for size in drawn]))


def judged(errors: Errors) -> Figures:
    """Return all figures of one sigma on one set of atoms; forces in meV/Å, shares in %."""
    size = sizes(errors.error)
    pairs = tenths(errors)
    ratios = [true / predicted for predicted, true in pairs]
    rank, exact = float(spearmanr(errors.sigma, size).statistic), exact_rank(errors.sigma)
    return {
        "n_atoms": len(size),
        "force_rms": MILLI * rms(size),
        "sigma_rms": MILLI * rms(errors.sigma),
        "ratio": rms(size) / rms(errors.sigma),
        "median_ratio": float(np.median(size) / np.median(errors.sigma)),
        "coverage": [coverage(errors.error, errors.sigma, level) for level in LEVELS],
        "vector_coverage": [vector_coverage(errors, level) for level in LEVELS],
        "tenths": pairs,
        "tenth_ratios": [min(ratios), max(ratios)],
        "rank": rank,
        "exact_rank": exact,
        "rank_of_exact": rank / exact,
        "curve": [coverage(errors.error, errors.sigma, level) / 100 for level in CURVE],
    }


def judged_energies(error: np.ndarray, sigma: np.ndarray, n_atoms: np.ndarray) -> Figures:
    """Return how many configurations got an energy's error bar, and the figures of those; energies in meV an atom.

    Arguments:
        error: model minus label, eV, [n_configurations].
        sigma: error_energy, eV, inf where none is given.
        n_atoms: of each.
    """
    given = np.isfinite(sigma)
    found: Figures = {"n": len(error), "given": int(given.sum()), "rms": MILLI * rms(error / n_atoms)}
    if given.sum() >= ENERGY_FEWEST:
        own, bar = error[given], sigma[given]
        found |= {
            "given_rms": MILLI * rms(own / n_atoms[given]),
            "ratio": rms(own) / rms(bar),
            "coverage": [coverage(own, bar, level) for level in LEVELS],
        }
    return found
