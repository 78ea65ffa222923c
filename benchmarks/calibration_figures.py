"""Assess error bars: coverage, size, ranking; and nnpal's design goals for them. calibration.py uses this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from nnpal.calibration.reliability import LEVELS, coverage, reliability, reliability_curve, rms

MILLI, PERCENT = 1e3, 100.0
CURVE = np.round(np.arange(0.05, 1.0, 0.05), 2)
FEWEST = 3  # configurations for which a coverage of energies is reported

Figures = dict[str, Any]


@dataclass(frozen=True)
class Errors:
    """Force errors of atoms and their predictions, eV/Å.

    Attributes:
        error: model minus label, [n_atoms, 3].
        sigma: error bar of the force vector, the root of the expected <|error|²>, [n_atoms].
        spread: uq_force, [n_atoms].
    """

    error: np.ndarray
    sigma: np.ndarray
    spread: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Errors]) -> Errors:
        error, sigma, spread = (np.concatenate([getattr(p, n) for p in parts]) for n in ("error", "sigma", "spread"))
        return cls(error, sigma, spread)


def vector_coverage(error: np.ndarray, sigma: np.ndarray, level: float) -> float:
    """Return the fraction of vectors in the sphere that contains `level` of an isotropic normal distribution."""
    return float((3 * np.square(error).sum(1) <= chi2.ppf(level, 3) * sigma**2).mean())


def tenths(error: np.ndarray, sigma: np.ndarray) -> list[list[float]]:
    """Return predicted and true RMS error, meV/Å, in ten equal parts of the atoms, by increasing sigma."""
    parts = np.array_split(np.argsort(sigma, kind="stable"), 10)
    return [[MILLI * rms(sigma[part]), MILLI * rms(np.linalg.norm(error[part], axis=1))] for part in parts]


def judged(error: np.ndarray, sigma: np.ndarray) -> Figures:
    """Return all metrics of one sigma on one set of atoms; forces in meV/Å, fractions in %."""
    found = reliability(error, sigma)
    return {
        "n_atoms": len(sigma),
        "force_rms": MILLI * rms(np.linalg.norm(error, axis=1)),
        "ratio": found.ratio,
        "coverage": [PERCENT * share for share in found.coverage],
        "vector_coverage": [PERCENT * vector_coverage(error, sigma, level) for level in LEVELS],
        "tenth_ratios": list(found.tenths),
        "tenths": tenths(error, sigma),
        "rank": found.rank,
        "exact_rank": found.exact_rank,
        "rank_of_exact": found.rank / found.exact_rank,
        "curve": reliability_curve(error, sigma, CURVE).tolist(),
    }


def forces(errors: Errors) -> Figures:
    """Return the metrics of the error bar, and of the raw spread used as one."""
    return {"calibrated": judged(errors.error, errors.sigma), "raw": judged(errors.error, errors.spread)}


def energies(error: np.ndarray, sigma: np.ndarray, n_atoms: np.ndarray) -> Figures:
    """Return how many configurations have an error bar of the energy, and its metrics; errors in meV/atom.

    Arguments:
        error: model minus label, eV, [n_configurations].
        sigma: error_energy, eV, infinite if undefined, [n_configurations].
        n_atoms: number of atoms, [n_configurations].
    """
    given = np.isfinite(sigma)
    found: Figures = {"n": len(error), "given": int(given.sum()), "rms": MILLI * rms(error / n_atoms)}
    if given.sum() >= FEWEST:
        own, bar = error[given], sigma[given]
        shares = [PERCENT * coverage(own[:, None], bar, level) for level in LEVELS]
        found |= {"ratio": rms(own) / rms(bar), "coverage": shares, "given_rms": MILLI * rms(own / n_atoms[given])}
    return found


@dataclass(frozen=True)
class Promise:
    """A design goal of nnpal: all values found must lie within limits."""

    what: str
    low: float | None
    high: float | None
    found: Sequence[float]

    @property
    def met(self) -> bool:
        above = self.low is None or min(self.found) >= self.low
        return above and (self.high is None or max(self.found) <= self.high)

    def to_json(self) -> Figures:
        return {
            "what": self.what,
            "low": self.low,
            "high": self.high,
            "found": [min(self.found), max(self.found)],
            "met": self.met,
        }


def promises(inside: Figures, outside: Figures, kinds: Mapping[str, Figures]) -> list[Promise]:
    """Return the design goals for `forces`, in distribution, for all kinds pooled and for each kind."""
    near, far = inside["calibrated"], outside["calibrated"]
    own = [kind["calibrated"] for kind in kinds.values()]
    return [
        Promise("inside, coverage 68", 64.0, 72.0, [near["coverage"][0]]),
        Promise("inside, coverage 90", 87.0, 93.0, [near["coverage"][1]]),
        Promise("inside, ratio in each tenth", 0.85, 1.15, near["tenth_ratios"]),
        Promise("inside, rank correlation over that of an exact sigma", 0.92, None, [near["rank_of_exact"]]),
        Promise("outside, coverage 68", 65.0, None, [far["coverage"][0]]),
        Promise("outside, coverage 90", 87.0, None, [far["coverage"][1]]),
        Promise("outside, ratio of each kind", 0.65, 1.35, [kind["ratio"] for kind in own]),
        Promise("outside, coverage 90 of each kind", 80.0, None, [kind["coverage"][1] for kind in own]),
        Promise("outside, rank correlation over that of an exact sigma", 0.92, None, [far["rank_of_exact"]]),
    ]
