"""Compare uncertainties with errors: rank correlation, magnitude and distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from nnpal.calibration import LEVELS
from nnpal.evaluation.labels import Labels
from nnpal.evaluation.metrics import MILLI
from nnpal.evaluation.prediction import Predictions

N_BINS = 10
N_RESAMPLES = 200
"""The relative error of a bootstrap standard error is 1/sqrt(2 N_RESAMPLES): 5 %."""


@dataclass(frozen=True)
class Bins:
    """Error in bins of the uncertainty, each with the same number of values.

    Attributes:
        uncertainty, error: RMS within each bin, [n_bins].
        count: number of values in each bin, [n_bins].
    """

    uncertainty: NDArray[np.float64]
    error: NDArray[np.float64]
    count: NDArray[np.int64]


class BinFigures(TypedDict):
    """JSON form of bins, in meV and Å."""

    uncertainty: list[float]
    error: list[float]
    count: list[int]


class CalibrationFigures(TypedDict):
    """JSON form of a calibration; None for undefined values."""

    error: str
    uncertainty: str
    n_values: int
    spearman: float | None
    spearman_error: float | None
    ratio: float | None
    ratio_error: float | None
    miscalibration_area: float | None
    coverage: list[float] | None
    bins: BinFigures


@dataclass(frozen=True)
class Calibration:
    """Comparison of an uncertainty u with the error ε of the same values.

    Attributes:
        error: name of the error |ε|; all values are in the units of the predictions.
        uncertainty: name of the uncertainty u.
        spearman, spearman_error: rank correlation of u and |ε|, and its standard error.
        ratio, ratio_error: sqrt(<ε²>/<u²>) and its standard error; None if the units differ.
        miscalibration_area: mean distance between the distribution of ε/u and the normal one, 0 to 1/2; None if the
            units differ.
        coverage: fractions of ε within the central 68 % and 90 % regions of the normal distribution; None if the units
            differ.
        bins: see :class:`Bins`.
        errors, uncertainties: values of |ε| and u, [n_values].
        frame: index of the configuration of every value, [n_values].
    """

    error: str
    uncertainty: str
    spearman: float
    spearman_error: float
    ratio: float | None
    ratio_error: float | None
    miscalibration_area: float | None
    coverage: list[float] | None
    bins: Bins
    errors: NDArray[np.float64]
    uncertainties: NDArray[np.float64]
    frame: NDArray[np.int64]

    @property
    def n_values(self) -> int:
        """Return the number of pairs of error and uncertainty."""
        return len(self.errors)

    def to_json(self) -> CalibrationFigures:
        """Return all values, with bins in meV and Å; NaN, from constant values, becomes None."""
        return {
            "error": self.error,
            "uncertainty": self.uncertainty,
            "n_values": self.n_values,
            "spearman": _or_none(self.spearman),
            "spearman_error": _or_none(self.spearman_error),
            "ratio": _or_none(self.ratio),
            "ratio_error": _or_none(self.ratio_error),
            "miscalibration_area": _or_none(self.miscalibration_area),
            "coverage": self.coverage,
            "bins": {
                "uncertainty": (MILLI * self.bins.uncertainty).tolist(),
                "error": (MILLI * self.bins.error).tolist(),
                "count": self.bins.count.tolist(),
            },
        }


def calibrate(
    error: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    sizes: Sequence[int] | NDArray[np.int64],
    *,
    rng: np.random.Generator,
    dimensions: int | None,
    names: tuple[str, str] = ("error", "uncertainty"),
    n_bins: int = N_BINS,
    n_resamples: int = N_RESAMPLES,
) -> Calibration:
    """Compare an uncertainty with the error.

    If ε is drawn from a normal distribution in d dimensions with <|ε|²> = u² for each value, the ratio is 1, and the
    cumulative probability of d |ε|²/u² under chi²_d is uniform between 0 and 1; the miscalibration area is the mean
    distance from that. Standard errors are from the bootstrap over configurations, because atoms of the same
    configuration are not independent.

    Arguments:
        error: |ε|, [n_values].
        uncertainty: u, [n_values].
        sizes: number of successive values of each configuration, [n_frames].
        rng: random number generator of the bootstrap.
        dimensions: d: 1 for an energy, 3 for a force; None if u and ε have different units.
        names: names of error and uncertainty.
        n_bins: number of bins of equal count; fewer if there are fewer values.
        n_resamples: number of bootstrap samples.

    Raises:
        ValueError: shapes do not match, or there are fewer than two values.
    """
    if error.shape != uncertainty.shape or error.ndim != 1 or len(error) != np.sum(sizes) or len(error) < 2:
        raise ValueError(
            f"calibrate: error has shape {error.shape}, uncertainty {uncertainty.shape}, sizes sum to "
            f"{np.sum(sizes)}; expected the same number of values, at least two"
        )
    values = np.arange(len(error))
    blocks = np.split(values, np.cumsum(sizes)[:-1])
    resampled = []
    for _ in range(n_resamples):
        chosen = np.concatenate([blocks[k] for k in rng.integers(len(blocks), size=len(blocks))])
        resampled.append((_spearman(error[chosen], uncertainty[chosen]), _ratio(error[chosen], uncertainty[chosen])))
    spread = np.nanstd(resampled, axis=0) if np.isfinite(resampled).any(0).all() else np.full(2, np.nan)
    same_units = dimensions is not None
    return Calibration(
        error=names[0],
        uncertainty=names[1],
        spearman=_spearman(error, uncertainty),
        spearman_error=float(spread[0]),
        ratio=_ratio(error, uncertainty) if same_units else None,
        ratio_error=float(spread[1]) if same_units else None,
        miscalibration_area=None if dimensions is None else _miscalibration_area(error, uncertainty, dimensions),
        coverage=None if dimensions is None else _coverage(error, uncertainty, dimensions),
        bins=_bins(error, uncertainty, min(n_bins, len(error))),
        errors=error,
        uncertainties=uncertainty,
        frame=np.repeat(np.arange(len(sizes)), sizes),
    )


def calibrations(predictions: Predictions, labels: Labels, *, seed: int = 0) -> list[Calibration]:
    """Compare every uncertainty of the ensemble with its error.

    The force error of an atom is compared with ``uq_force`` (if computed) and ``uq_energy`` of that atom; the energy
    error of a configuration with the standard deviation of the members' energies, both per atom. For a calibrated model
    the force error is also compared with ``error_force``, and the energy error with ``error_energy``, if at least two
    configurations have one.

    Arguments:
        predictions: predictions of a model for the configurations of ``labels``.
        labels: reference values.
        seed: random seed of the bootstrap.

    Raises:
        ValueError: the model has only one member, or there is only one configuration.
    """
    if predictions.n_members < 2:
        raise ValueError("calibrations: the model has one member, and so no uncertainty; expected at least two")
    n_atoms = predictions.n_atoms
    force_error = np.linalg.norm(predictions.forces - labels.forces, axis=1)
    energy_error = np.abs(predictions.energies - labels.energies) / n_atoms
    energy_spread = predictions.member_energies.std(0) / n_atoms
    ones = np.ones_like(n_atoms)
    error_energy = predictions.error_energy
    inside = np.zeros(len(n_atoms), dtype=bool) if error_energy is None else np.isfinite(error_energy)
    found = []
    for name, against, error, uncertainty, sizes, dimensions in (
        ("force", "uq_force", force_error, predictions.uq_force, n_atoms, 3),
        ("force", "error_force", force_error, predictions.error_force, n_atoms, 3),
        ("force", "uq_energy", force_error, predictions.uq_energy, n_atoms, None),
        ("energy", "energy_std", energy_error, energy_spread, ones, 1),
        ("energy", "error_energy", energy_error[inside], _per_atom(error_energy, n_atoms, inside), ones[inside], 1),
    ):
        if uncertainty is None:
            continue
        rng = np.random.default_rng(seed)
        found.append(calibrate(error, uncertainty, sizes, rng=rng, dimensions=dimensions, names=(name, against)))
    return found


def _per_atom(
    error_energy: NDArray[np.float64] | None, n_atoms: NDArray[np.int64], inside: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    return None if error_energy is None or inside.sum() < 2 else (error_energy / n_atoms)[inside]


def _coverage(error: NDArray[np.float64], uncertainty: NDArray[np.float64], dimensions: int) -> list[float]:
    from scipy.stats import chi2  # slow to import

    return [float((dimensions * error**2 <= chi2.ppf(p, dimensions) * uncertainty**2).mean()) for p in LEVELS]


def _or_none(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else value


def _spearman(error: NDArray[np.float64], uncertainty: NDArray[np.float64]) -> float:
    """Return the rank correlation; NaN if one of the two is constant."""
    if np.ptp(error) == 0.0 or np.ptp(uncertainty) == 0.0:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(error, uncertainty).statistic)


def _ratio(error: NDArray[np.float64], uncertainty: NDArray[np.float64]) -> float:
    spread = np.square(uncertainty).mean()
    return float(np.sqrt(np.square(error).mean() / spread)) if spread > 0.0 else float("nan")


def _miscalibration_area(error: NDArray[np.float64], uncertainty: NDArray[np.float64], dimensions: int) -> float:
    from scipy.stats import chi2

    scaled = np.where(error > 0.0, np.inf, 0.0)  # for an uncertainty of zero
    np.divide(error, uncertainty, out=scaled, where=uncertainty > 0.0)
    observed = np.sort(chi2.cdf(dimensions * scaled**2, dimensions))
    expected = (np.arange(len(observed)) + 0.5) / len(observed)
    return float(np.abs(observed - expected).mean())


def _bins(error: NDArray[np.float64], uncertainty: NDArray[np.float64], n_bins: int) -> Bins:
    parts = np.array_split(np.argsort(uncertainty, kind="stable"), n_bins)
    return Bins(
        uncertainty=np.array([np.sqrt(np.square(uncertainty[part]).mean()) for part in parts]),
        error=np.array([np.sqrt(np.square(error[part]).mean()) for part in parts]),
        count=np.array([len(part) for part in parts]),
    )
