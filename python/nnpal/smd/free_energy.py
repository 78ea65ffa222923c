"""Free energies from the work of several pulls, by Jarzynski's equality and the second cumulant.

Sources: Jarzynski, Phys. Rev. Lett. 78, 2690 (1997), doi:10.1103/PhysRevLett.78.2690; Park and Schulten, J. Chem.
Phys. 120, 5946 (2004), doi:10.1063/1.1651473.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnpal.smd.pull import Pull


@dataclass(frozen=True)
class FreeEnergy:
    """ΔF from the work of n pulls; arrays have the trailing axes of the work, [...], and its unit.

    Attributes:
        value: −kT ln ⟨exp(−W/kT)⟩.
        error: standard error of `value`, by the jackknife over pulls; nan for one pull.
        bias: jackknife estimate of `value` − ΔF due to the finite number of pulls (not subtracted, and too small if few
            pulls dominate the average); nan for one pull.
        cumulant: ⟨W⟩ − var(W)/2kT, exact for Gaussian work; nan for one pull.
        cumulant_error: standard error of `cumulant` for Gaussian work.
        n_effective: effective number of pulls, (Σ w)²/Σ w² with weights w = exp(−W/kT).
        mean_work: ⟨W⟩.
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    bias: NDArray[np.float64]
    cumulant: NDArray[np.float64]
    cumulant_error: NDArray[np.float64]
    n_effective: NDArray[np.float64]
    mean_work: NDArray[np.float64]


def jarzynski(work: NDArray[np.float64], kT: float) -> FreeEnergy:
    """Estimate ΔF = −kT ln ⟨exp(−W/kT)⟩ from pulls of one protocol that start in equilibrium.

    Arguments:
        work: work W of each pull, [n_pulls, ...].
        kT: kT in the unit of W.

    Raises:
        ValueError: there are no pulls, or kT is not above 0.
    """
    w = np.asarray(work, dtype=float)
    if w.ndim == 0 or len(w) == 0:
        raise ValueError("work: expected the work of one pull or more, found none")
    if not kT > 0.0:
        raise ValueError(f"kT {kT:g}: expected more than 0")
    n = len(w)
    value = _exponential_average(w, kT)
    nothing = np.full_like(value, np.nan)
    error, bias, cumulant, cumulant_error = nothing, nothing, nothing, nothing
    if n > 1:
        without_one = np.stack([_exponential_average(np.delete(w, i, axis=0), kT) for i in range(n)])
        error = np.sqrt((n - 1) * without_one.var(axis=0))
        bias = (n - 1) * (without_one.mean(axis=0) - value)
        variance = w.var(axis=0, ddof=1)
        cumulant = w.mean(axis=0) - variance / (2 * kT)
        cumulant_error = np.sqrt(variance / n + variance**2 / (2 * (n - 1) * kT**2))
    log_weight = -w / kT
    n_effective = np.exp(2 * np.logaddexp.reduce(log_weight, axis=0) - np.logaddexp.reduce(2 * log_weight, axis=0))
    return FreeEnergy(value, error, bias, cumulant, cumulant_error, n_effective, w.mean(axis=0))


def _exponential_average(w: NDArray[np.float64], kT: float) -> NDArray[np.float64]:
    return np.asarray(-kT * (np.logaddexp.reduce(-w / kT, axis=0) - np.log(len(w))))


def jarzynski_profile(
    pulls: Sequence[Pull], kT: float, n_points: int = 201, equivalent_atoms: bool = False
) -> tuple[NDArray[np.float64], FreeEnergy]:
    """Return λ, [n_points], and ΔF(λ) from the work of several pulls along the same path.

    ΔF is that of the system including its spring at λ. For a stiff spring (k much larger than the curvature of the free
    energy) it equals the potential of mean force at d = λ up to terms of order 1/k (Park and Schulten,
    doi:10.1063/1.1651473). The average is Jarzynski's, doi:10.1103/PhysRevLett.78.2690.

    Arguments:
        pulls: pulls of one protocol.
        kT: kT in the unit of the work.
        n_points: number of points in λ.
        equivalent_atoms: whether pulls of different atoms are equivalent by symmetry.

    Raises:
        ValueError: the pulls differ in k, rate, initial λ or pulled atoms, or have no λ in common.

    Example:
        >>> from nnpal import jarzynski_profile, read_pull
        >>> target, free = jarzynski_profile([read_pull(f"pull.{i}.txt") for i in (1, 2, 3)], kT=0.02585)
        >>> target.shape, free.value.shape
        ((201,), (201,))
        >>> print(f"{free.value[-1]:.2f} ± {free.error[-1]:.2f} eV")
        3.99 ± 0.01 eV
    """
    check_one_protocol(pulls, equivalent_atoms)
    sign = np.sign(pulls[0].target[-1] - pulls[0].target[0])
    end = min(sign * pull.target[-1] for pull in pulls)
    start = max(sign * pull.target[0] for pull in pulls)
    if not end > start:
        raise ValueError("pulls: λ does not move, or there is no λ that all pulls passed; remove the short ones")
    target = sign * np.linspace(start, end, n_points)
    work = np.stack([np.interp(sign * target, sign * pull.target, pull.work) for pull in pulls])
    return target, jarzynski(work, kT)


def check_one_protocol(pulls: Sequence[Pull], equivalent_atoms: bool = False) -> None:
    """Check that all pulls moved the same spring from the same λ at the same rate.

    With `equivalent_atoms`, the pulled atoms (or groups) may differ, but must be of the same kind.

    Raises:
        ValueError: the pulls differ.
    """
    if not pulls:
        raise ValueError("pulls: expected one or more, found none")
    first = pulls[0]
    for pull in pulls[1:]:
        for fact in ("k", "rate", "pulled", "units"):
            a, b = first.facts.get(fact), pull.facts.get(fact)
            if fact == "pulled" and equivalent_atoms:
                a, b = ((value or "").partition(" ")[0] for value in (a, b))
            if a != b:
                how_to_fix = "; if they are equivalent by symmetry: --equivalent-atoms" if fact == "pulled" else ""
                raise ValueError(
                    f"{pull.name}: {fact} is {b}, in {first.name} it is {a}; Jarzynski needs one protocol{how_to_fix}"
                )
        if abs(pull.target[0] - first.target[0]) > 1e-6 * max(abs(first.target[0]), 1.0):
            raise ValueError(
                f"{pull.name}: λ starts at {pull.target[0]:.8g}, in {first.name} at {first.target[0]:.8g}; Jarzynski "
                "needs one protocol: give every pull the same `start`, and equilibrate there with rate 0"
            )
