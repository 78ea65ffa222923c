"""Error bars from the members of an ensemble: averages, F(O) and the coexistence temperature under each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.averages import means_at
from nnpal.momt.reweighting.blocks import N_BLOCKS, jackknife, time_blocks
from nnpal.momt.reweighting.profiles import balance, minus_log_histogram
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.reweighting.weights import carrying_gap, effective_size, log_weights
from nnpal.observables import MembersEstimate, first_order

# Frames are from another run or model if their energies differ from the trace's by a scatter of more than this, in kT0
# and relative to the scatter of the trace's energies. Rounding in a dump is below 0.01 kT.
LARGEST_MISMATCH, LARGEST_SHARE = 0.05, 0.3
# Each member needs at least this fraction of the mean's effective number of rows, otherwise first order is used: the
# few rows that dominate a member's average may be at the edge of the sampled region
LEAST_SHARE = 0.1

Estimator = Callable[[Samples], Callable[[np.ndarray], "np.ndarray | float"]]


@dataclass(frozen=True)
class Members:
    """Members' energies on the rows of a run whose frames were saved.

    Attributes:
        samples: rows with saved frames.
        deviations: ΔU_m = U_m − Ū, in the units of the run, [n_members, n].
        factor: calibration factor of the spread; None: unknown.
    """

    samples: Samples
    deviations: NDArray[np.float64]
    factor: float | None = None

    @cached_property
    def under_each(self) -> list[Samples]:
        """The samples shifted to each member, for averages under it."""
        return [self.samples.shifted(deviation) for deviation in self.deviations]

    def widths(self, temp: float) -> NDArray[np.float64]:
        """Return the standard deviation of ΔU_m/kT at T under the members' mean, [n_members].

        Arguments:
            temp: temperature T.
        """
        w = np.exp(log_weights(self.samples, temp))
        mean = self.deviations @ w
        variance = np.square(self.deviations - mean[:, None]) @ w
        return np.asarray(np.sqrt(variance) / (self.samples.boltz * temp))


def of_frames(
    samples: Samples,
    steps: Sequence[NDArray[np.int64]],
    energies: Sequence[NDArray[np.float64]],
    factor: float | None = None,
) -> Members:
    """Return the rows with saved frames, and the members' energies of these.

    Arguments:
        samples: rows with `step`, sampled under the members' mean.
        steps: step of each walker's frames, [n_walkers][n_frames].
        energies: U_m of each walker's frames, in the units of the run, [n_walkers][n_members, n_frames].
        factor: calibration factor of the spread.

    Raises:
        ValueError: there are fewer than 2 members, no frame at a row's step, or another number of walkers, or the
            energies are from another run.
    """
    found, members = _with_frames(samples, steps, energies)
    if len(members) < 2:
        raise ValueError(f"a model of {len(members)} member: it has no spread, so no error bar; give an ensemble")
    mean = members.mean(axis=0)
    scatter, own_scatter = float(np.std(mean - found.U)), float(np.std(found.U))
    if scatter > LARGEST_MISMATCH * samples.kT and scatter > LARGEST_SHARE * own_scatter:
        raise ValueError(
            f"the model's energies of the frames differ from the trace's by {scatter:.3g} (standard deviation; kT0 is "
            f"{samples.kT:.3g}); give the frames and the model of this run"
        )
    return Members(found, members - mean, factor)


def under_model(
    samples: Samples,
    steps: Sequence[NDArray[np.int64]],
    energies: Sequence[NDArray[np.float64]],
    factor: float | None = None,
) -> Members:
    """Return the rows with saved frames, for averages under a model other than that of the run.

    Free-energy perturbation: weights get a factor exp(-(Ū - U)/kT) with the mean Ū of the model's members; a constant
    offset has no effect. All functions of this package accept `.samples` of the result; the effective number of rows
    shows how similar the potentials are.

    Arguments:
        samples: rows with `step`, sampled under any potential.
        steps: step of each walker's frames, [n_walkers][n_frames].
        energies: U_m of the other model's members on each walker's frames, in the units of the run,
            [n_walkers][n_members, n_frames].
        factor: calibration factor of the members' spread.

    Raises:
        ValueError: there is no frame at a row's step or another number of walkers, or energies do not match the trace.
    """
    found, members = _with_frames(samples, steps, energies)
    mean = members.mean(axis=0)
    scatter, own_scatter = float(np.std(mean - found.U)), float(np.std(found.U))
    if scatter > LARGEST_SHARE * own_scatter:
        raise ValueError(
            f"the model's energies of the frames minus the trace's scatter by {scatter:.3g} (standard deviation), the "
            f"trace's own by {own_scatter:.3g}: too far for reweighting, or frames of another run. Give the frames of "
            "this run, or run the model itself: start FILE phase production"
        )
    return Members(found.shifted(mean - found.U), members - mean, factor)


def _with_frames(
    samples: Samples, steps: Sequence[NDArray[np.int64]], energies: Sequence[NDArray[np.float64]]
) -> tuple[Samples, NDArray[np.float64]]:
    """Return the rows with saved frames, and the members' energies of these, [n_members, n]."""
    n_walkers = int(samples.walker.max()) + 1
    if not n_walkers <= len(steps) == len(energies):
        raise ValueError(
            f"{len(steps)} files of frames and {n_walkers} traces: expected the same number; give one file for each "
            "trace"
        )
    rows, columns = [], []
    for number, own in enumerate(steps):
        here = np.flatnonzero(samples.walker == number)
        _, in_here, in_frames = np.intersect1d(samples.step[here], own, return_indices=True)
        rows.append(here[in_here])
        columns.append(energies[number][:, in_frames])
    chosen = np.concatenate(rows)
    if len(chosen) < N_BLOCKS:
        raise ValueError(
            f"{len(chosen)} frames belong to production rows within the grid, expected {N_BLOCKS} or more: dump "
            "frames at steps at which the trace has rows (a multiple of `every`)"
        )
    ends = samples.ends or (float(samples.H.min()), float(samples.H.max()))
    return replace(samples.rows(chosen), ends=ends), np.concatenate(columns, axis=1)


def members_averages(members: Members, temp: float) -> dict[str, MembersEstimate]:
    """Return `enthalpy`, `volume` and `heat_capacity` at T under each member; see :func:`thermodynamics`.

    Enthalpies differ from the members' mean by U_m − Ū, so an offset between members contributes.

    Arguments:
        members: members' energies of saved frames.
        temp: temperature T, K (reduced in ``units lj``).

    Raises:
        ValueError: too few frames dominate the average at T.
    """
    found = estimate(members, lambda samples: means_at(samples, temp), [temp] * len(members.deviations), temp)
    return {
        name: MembersEstimate(
            found.values[:, i],
            found.method,
            found.n_effective,
            None if found.noise is None else found.noise[i],
            found.factor,
        )
        for i, name in enumerate(("enthalpy", "volume", "heat_capacity"))
    }


def members_coexistence(members: Members, at: float) -> MembersEstimate:
    """Return, under each member, the temperature at which the phases below and above O = `at` are equally likely.

    Arguments:
        members: members' energies of saved frames.
        at: order parameter between the phases.

    Raises:
        ValueError: the frames are of one phase, or too few of them dominate the average.
    """
    ordered = at < members.samples.O
    if ordered.all() or not ordered.any():
        raise ValueError(f"no frames on one side of O = {at:g}; save frames more often")
    everything = np.arange(len(members.samples))
    temp = balance(members.samples, at)(everything)
    try:
        temps = [balance(own, at)(everything) for own in members.under_each]
    except ValueError:  # no root, so full reweighting is impossible
        temps = []
    return estimate(members, lambda samples: balance(samples, at), temps, temp)


def members_free_energy(members: Members, temp: float, edges: NDArray[np.float64]) -> MembersEstimate:
    """Return −ln of the probability of each bin of O at T under each member, [n_members, n_bins]; NaN in empty bins.

    Arguments:
        members: members' energies of saved frames.
        temp: temperature T, K (reduced in ``units lj``).
        edges: edges of the bins of O, [n_bins + 1].

    Raises:
        ValueError: too few frames dominate the average at T.
    """

    def minus_log(samples: Samples) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        of_rows = minus_log_histogram(samples.O, log_weights(samples, temp), edges)

        def known(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            value = of_rows(rows)
            return np.where(np.isfinite(value), value, np.nan)

        return known

    return estimate(members, minus_log, [temp] * len(members.deviations), temp)


def estimate(members: Members, of: Estimator, temps: Sequence[float], temp: float) -> MembersEstimate:
    """Return an observable under each member, by full reweighting if the samples cover all members, or to first order.

    Arguments:
        members: members' energies of saved frames.
        of: samples under a potential -> a function of row indices for the observable.
        temps: temperature at which each member is evaluated; empty: no full reweighting.
        temp: temperature at which the members' mean is evaluated.

    Raises:
        ValueError: too few frames dominate the mean's average.
    """
    samples, kT = members.samples, members.samples.boltz * temp
    log_w = log_weights(samples, temp)
    gap = carrying_gap(samples, log_w)
    if gap:
        raise ValueError(f"the frames do not reach T = {temp:g}: {gap.reason}; save frames more often")
    n_effective = _reached(members, temps, LEAST_SHARE * effective_size(log_w))

    def in_full(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([of(own)(rows) for own in members.under_each])

    def in_first_order(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return first_order(lambda shift: of(samples.shifted(shift))(rows), members.deviations, kT)

    values = in_first_order if n_effective is None else in_full
    noise = jackknife(lambda rows: values(rows).std(axis=0), time_blocks(samples.walker)).error
    return MembersEstimate(
        values(np.arange(len(samples))),
        "first order" if n_effective is None else "reweighted",
        n_effective,
        noise,
        members.factor,
    )


def _reached(members: Members, temps: Sequence[float], least: float) -> float | None:
    """Return the members' smallest effective number of rows; None if it is below `least` or too few rows dominate."""
    sizes = []
    for own, temp in zip(members.under_each, temps, strict=bool(temps)):
        log_w = log_weights(own, temp)
        if carrying_gap(own, log_w):
            return None
        sizes.append(effective_size(log_w))
    return min(sizes) if sizes and min(sizes) >= least else None
