"""Is a sigma reliable? Coverage, tenths, and rank correlation compared with that of an exact one."""

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
    """How errors of vectors lie about a predicted sigma, the root of the mean of |error|².

    Attributes:
        n_values: vectors.
        ratio: root of mean |error|² over root of mean sigma²; 1 is right.
        coverage: share of components within the interval of each of :data:`LEVELS` of a normal distribution of
            standard deviation sigma/√d.
        tenths: the ratio in each tenth of sigma, from the smallest on; fewer where there are fewer values.
        rank: rank correlation (Spearman) of sigma and |error|; NaN where one of them is the same everywhere.
        exact_rank: the same of normal errors of exactly this sigma, which is below 1.
    """

    n_values: int
    ratio: float
    coverage: tuple[float, ...]
    tenths: tuple[float, ...]
    rank: float
    exact_rank: float

    def to_json(self) -> dict[str, Any]:
        """Return all figures; what is not defined becomes None."""

        def defined(value: Any) -> Any:
            if isinstance(value, tuple):
                return [defined(item) for item in value]
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return {name: defined(value) for name, value in asdict(self).items()}


def reliability(error: NDArray[np.float64], sigma: NDArray[np.float64], *, seed: int = 0) -> Reliability:
    """Hold errors against a predicted sigma.

    Arguments:
        error: [n, d], any unit; d = 1 for energies, 3 for forces.
        sigma: above 0 and finite, the same unit, [n].
        seed: of the simulated exact errors.

    Raises:
        ValueError: shapes do not fit, there are no values, or a sigma is not above 0 and finite.
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
    """Return the share of components within a normal distribution's central interval; arguments as above.

    Arguments:
        error: of vectors, [n, d], any unit.
        sigma: expected root of the mean of their squared length, the same unit, [n].
        level: share of a normal distribution in the interval, between 0 and 1.
    """
    of_component = sigma / np.sqrt(error.shape[1])
    return float((np.abs(error) <= ndtri(0.5 + level / 2) * of_component[:, None]).mean())


def reliability_curve(
    error: NDArray[np.float64], sigma: NDArray[np.float64], levels: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the coverage at each of some levels between 0 and 1.

    Arguments:
        error: of vectors, [n, d], any unit.
        sigma: expected root of the mean of their squared length, the same unit, [n].
        levels: shares between 0 and 1, [n_levels].
    """
    return np.array([coverage(error, sigma, level) for level in levels])


def rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _rank(sigma: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    if np.ptp(sigma) == 0.0 or np.ptp(size) == 0.0:
        return float("nan")
    from scipy.stats import spearmanr  # slow to import, and every process that opens a model file imports this module

    return float(spearmanr(sigma, size).statistic)


def _exact_rank(sigma: NDArray[np.float64], dimensions: int, rng: np.random.Generator) -> float:
    found = []
    for _ in range(N_SIMULATED):
        error = sigma[:, None] / np.sqrt(dimensions) * rng.standard_normal((len(sigma), dimensions))
        found.append(_rank(sigma, np.linalg.norm(error, axis=1)))
    return float(np.mean(found))
