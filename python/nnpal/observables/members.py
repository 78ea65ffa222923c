"""An observable under each member of an ensemble, and the error bar from their spread.

A trajectory is sampled with the members' mean Ū. Under member m, whose energy differs by ΔU_m = U_m − Ū, rows have
weights w exp(−ΔU_m/kT). If few rows would dominate such an average, its first order in ΔU_m is used instead,
⟨a⟩_m ≈ ⟨a⟩ − (⟨a ΔU_m⟩ − ⟨a⟩⟨ΔU_m⟩)/kT: the cumulant expansion approximation of Imbalzano et al., J. Chem. Phys. 154,
074102 (2021), doi:10.1063/5.0036522. It needs no more rows than the average under the mean, and is exact if a and ΔU_m
are jointly normal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["reweighted", "first order", "own runs"]

# Largest standard deviation of ε ΔU_m/kT for the derivative in ε: relative error 1e-6, plus rounding
STEP = 1e-3


@dataclass(frozen=True)
class MembersEstimate:
    """Estimates of an observable under each member.

    Attributes:
        values: the observable under each member, [n_members, ...].
        method: ``reweighted`` in full, ``first order`` in the members' differences, or from each member's ``own runs``.
        n_effective: smallest effective number of rows of any member if reweighted in full; otherwise None.
        noise: standard error of `error` from the finite run, [...]; None if unknown. Noise of the members' values
            increases `error`, so an error not much above it is an upper bound.
        factor: calibration factor; None: unknown, and `error` is the uncalibrated spread, which is often too small.
    """

    values: NDArray[np.float64]
    method: Method
    n_effective: float | None = None
    noise: NDArray[np.float64] | None = None
    factor: float | None = None

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(
                f"members: {len(self.values)}, expected 2 or more; one member has no spread, so no error bar"
            )
        if self.factor is not None and not (np.isfinite(self.factor) and self.factor > 0.0):
            raise ValueError(f"factor {self.factor:g}: expected a finite number above 0")

    @property
    def spread(self) -> NDArray[np.float64]:
        """Return the standard deviation over members, in the population form (1/M) as everywhere in nnpal, [...]."""
        return np.asarray(self.values.std(axis=0))

    @property
    def error(self) -> NDArray[np.float64]:
        """Return the spread times the calibration factor, if known, [...]."""
        return self.spread * (1.0 if self.factor is None else self.factor)

    def to_json(self) -> dict[str, Any]:
        """Return the error and the quantities from which it is computed, ready for JSON."""
        noise = None if self.noise is None else (self.noise * (self.factor or 1.0)).tolist()
        return {
            "error": self.error.tolist(),
            "noise": noise,
            "factor": self.factor,
            "method": self.method,
            "n_effective": self.n_effective,
            "members": self.values.tolist(),
        }


def first_order(
    estimate: Callable[[NDArray[np.float64]], NDArray[np.float64] | float], deviations: NDArray[np.float64], kT: float
) -> NDArray[np.float64]:
    """Return a + da/dε of an observable a under U + ε ΔU_m at ε = 0, for each member, [n_members, ...].

    Arguments:
        estimate: function of ε ΔU_m of each row, [n], that returns a by full reweighting: an average, a fluctuation, a
            root.
        deviations: ΔU_m, [n_members, n].
        kT: thermal energy in the unit of the deviations.
    """
    center = np.asarray(estimate(np.zeros(deviations.shape[1])))
    values = []
    for deviation in deviations:
        width = deviation.std() / kT
        if width == 0.0:  # a constant shift changes no weights, and its effect is linear
            values.append(np.asarray(estimate(deviation)))
            continue
        step = STEP / width
        slope = (np.asarray(estimate(step * deviation)) - np.asarray(estimate(-step * deviation))) / (2 * step)
        values.append(center + slope)
    return np.array(values)
