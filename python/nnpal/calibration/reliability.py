"""Reliability of a predicted sigma: coverage, deciles, and rank correlation compared with that of an exact sigma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

LEVELS = (0.68, 0.90)
N_TENTHS = 10
N_SIMULATED = 5


@dataclass(frozen=True)
class Reliability:
    """Comparison of error vectors with their predicted sigma, the RMS of |error|.

    Attributes:
        n_values: number of vectors.
        ratio: RMS of |error| divided by RMS of sigma; 1 is ideal.
        coverage: fraction of components within the interval of each of :data:`LEVELS` of a normal distribution with
            standard deviation sigma/√d.
        tenths: the ratio in each tenth of the values, sorted by sigma; fewer groups if there are few values.
        rank: rank correlation (Spearman) of sigma and |error|; NaN if one of them is constant.
        exact_rank: rank correlation for normal errors with exactly this sigma, which is below 1.
    """

    n_values: int
    ratio: float
    coverage: tuple[float, ...]
    tenths: tuple[float, ...]
    rank: float
    exact_rank: float

    def to_json(self) -> dict[str, Any]:
        """Return all values, ready for JSON; None for undefined ones."""

        def defined(value: Any) -> Any:
            if isinstance(value, tuple):
                return [defined(item) for item in value]
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return {name: defined(value) for name, value in asdict(self).items()}


def reliability(error: NDArray[np.float64], sigma: NDArray[np.float64], *, seed: int = 0) -> Reliability:
    """Compare errors with a predicted sigma.

    Arguments:
        error: error vectors, [n, d], any unit; d = 1 for energies, 3 for forces.
        sigma: predicted RMS of their magnitude, positive and finite, the same unit, [n].
        seed: random seed of the simulated exact errors.

    Raises:
        ValueError: shapes do not match, there are no values, or a sigma is not positive and finite.
    """
    if error.ndim != 2 or sigma.shape != error.shape[:1] or not len(sigma):
        raise ValueError(f"reliability: error has shape {error.shape}, sigma {sigma.shape}; expected [n, d] and [n]")
    if not (np.isfinite(sigma) & (sigma > 0)).all():
        raise ValueError("reliability: a sigma is not above 0 and finite; remove such values")
    size = np.linalg.norm(error, axis=1)
    order = np.argsort(sigma, kind="stable")
    parts = np.array_split(order, min(N_TENTHS, len(order)))
    return Reliability(
        n_values=len(sigma),
        ratio=rms(size) / rms(sigma),
        coverage=tuple(coverage(error, sigma, level) for level in LEVELS),
        tenths=tuple(rms(size[part]) / rms(sigma[part]) for part in parts),
        rank=_rank(sigma, size),
        exact_rank=_exact_rank(sigma, error.shape[1], np.random.default_rng(seed)),
    )


def coverage(error: NDArray[np.float64], sigma: NDArray[np.float64], level: float) -> float:
    """Return the fraction of components within a normal distribution's central interval.

    Arguments:
        error: error vectors, [n, d], any unit.
        sigma: predicted RMS of their magnitude, the same unit, [n].
        level: nominal coverage of the interval, between 0 and 1.
    """
    of_component = sigma / np.sqrt(error.shape[1])
    return float((np.abs(error) <= ndtri(0.5 + level / 2) * of_component[:, None]).mean())


def reliability_curve(
    error: NDArray[np.float64], sigma: NDArray[np.float64], levels: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the coverage at each of several levels.

    Arguments:
        error: error vectors, [n, d], any unit.
        sigma: predicted RMS of their magnitude, the same unit, [n].
        levels: nominal coverages, between 0 and 1, [n_levels].
    """
    return np.array([coverage(error, sigma, level) for level in levels])


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _rank(sigma: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    if np.ptp(sigma) == 0.0 or np.ptp(size) == 0.0:
        return float("nan")
    from scipy.stats import spearmanr  # slow to import, and every process that reads a model file imports this module

    return float(spearmanr(sigma, size).statistic)


def _exact_rank(sigma: NDArray[np.float64], dimensions: int, rng: np.random.Generator) -> float:
    found = []
    for _ in range(N_SIMULATED):
        error = sigma[:, None] / np.sqrt(dimensions) * rng.standard_normal((len(sigma), dimensions))
        found.append(_rank(sigma, np.linalg.norm(error, axis=1)))
    return float(np.mean(found))
