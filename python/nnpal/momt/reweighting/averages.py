"""Averages, enthalpy and heat capacity at any temperature that the samples cover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.blocks import N_BLOCKS, Estimate, jackknife, time_blocks
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.reweighting.weights import effective_size, log_weights, require_coverage


def average(
    samples: Samples, values: NDArray[np.float64], temp: float, press: float | None = None, n_blocks: int = N_BLOCKS
) -> Estimate:
    """Return the average ⟨A⟩ at T and P with its standard error.

    Arguments:
        samples: production rows of a run.
        values: A of each row, [n] or [n, ...].
        temp, press: T and P (P0 by default).
        n_blocks: number of blocks of the jackknife.

        Raises:
            ValueError: T is not covered, or `values` has another length or is not finite.
    """
    values = np.asarray(values, dtype=float)
    if len(values) != len(samples):
        raise ValueError(
            f"values: {len(values)} rows, the samples have {len(samples)}; give those of samples.step, which leaves "
            "out learning and rows outside the grid"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"values: {np.count_nonzero(~np.isfinite(values))} of them are NaN or infinite")
    weights = np.exp(require_coverage(samples, temp, press))

    def mean(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.tensordot(weights[rows], values[rows], axes=1) / weights[rows].sum()

    return jackknife(mean, time_blocks(samples.walker, n_blocks))


@dataclass(frozen=True)
class Thermodynamics:
    """Enthalpy, volume and heat capacity at one temperature, in the units of the run.

    Attributes:
        temp: temperature T.
        enthalpy: ⟨U + P V⟩, without kinetic energy.
        volume: ⟨V⟩.
        heat_capacity: C_P = (⟨(U + P V)²⟩ - ⟨U + P V⟩²)/kT² + 3 N k/2 of the whole system.
        n_effective: Kish's effective number of rows.
    """

    temp: float
    enthalpy: Estimate
    volume: Estimate
    heat_capacity: Estimate
    n_effective: float


def thermodynamics(
    samples: Samples, temp: float, press: float | None = None, n_blocks: int = N_BLOCKS
) -> Thermodynamics:
    """Return enthalpy, volume and heat capacity at T and P with standard errors, in the units of the run.

    Each row has the weight ln w = (H + δH)/kT0 - (U + P V)/kT; errors are by the jackknife over blocks of time.
    Source: Y. Yoshimoto, doi:10.1063/1.2363987.

    Arguments:
        samples: production rows of a run.
        temp: temperature T, K (reduced in ``units lj``).
        press: pressure P, in the unit of the run; P0 by default.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: T is not covered.

    Example:
        >>> from nnpal import from_traces, read_trace, thermodynamics
        >>> found = thermodynamics(from_traces(read_trace("momt.trace")), temp=900.0)
        >>> print(f"{found.enthalpy.value:.2f} ± {found.enthalpy.error:.2f} eV")
        -9.68 ± 0.04 eV
    """
    log_w = require_coverage(samples, temp, press)
    means = means_at(samples, temp, press)
    (h_mean, v_mean, c_mean), (h_error, v_error, c_error) = jackknife(means, time_blocks(samples.walker, n_blocks))
    return Thermodynamics(
        temp,
        Estimate(h_mean, h_error),
        Estimate(v_mean, v_error),
        Estimate(c_mean, c_error),
        effective_size(log_w),
    )


def means_at(
    samples: Samples, temp: float, press: float | None = None
) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a function of row indices, [m], for enthalpy, volume and heat capacity, [3]; coverage is not checked."""
    weights = np.exp(log_weights(samples, temp, press))
    kT = samples.boltz * temp
    h = samples.reduced(temp, press) * kT
    shift = float(weights @ h)  # avoids cancellation in the variance
    kinetic = 1.5 * samples.n_atoms * samples.boltz

    def means(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        w = weights[rows] / weights[rows].sum()
        d = h[rows] - shift
        first = float(w @ d)
        variance = float(w @ d**2) - first**2
        return np.array([shift + first, float(w @ samples.V[rows]), variance / (kT * temp) + kinetic])

    return means
