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

# Frames of another run or model have energies that do not follow the trace's: the difference scatters by more than
# this, in kT0 and as a share of how much the trace's own scatter. Rounding in a dump is below 0.01 kT.
LARGEST_MISMATCH, LARGEST_SHARE = 0.05, 0.3
# Of the rows that carry the mean's average, this share must carry each member's, or first order is taken: where members
# are farther apart, the few rows that carry a member may lie at the edge of what was sampled
LEAST_SHARE = 0.1

Estimator = Callable[[Samples], Callable[[np.ndarray], "np.ndarray | float"]]


@dataclass(frozen=True)
class Members:
    """Members' energies on those rows of a run whose frames were saved.

    Attributes:
        samples: these rows.
        deviations: ΔU_m = U_m − Ū, in the units of the run, [n_members, n].
        factor: calibration of the spread; None where none is known.
    """

    samples: Samples
    deviations: NDArray[np.float64]
    factor: float | None = None

    @cached_property
    def under_each(self) -> list[Samples]:
        """The rows for averages under each member."""
        return [self.samples.shifted(deviation) for deviation in self.deviations]

    def widths(self, temp: float) -> NDArray[np.float64]:
        """Return the standard deviation of ΔU_m/kT at T under the members' mean, [n_members].

        Arguments:
            temp: T.
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
    """Return the rows of which frames were saved, with the members' energies.

    Arguments:
        samples: with `step`, sampled on the members' mean.
        steps: of the frames of each walker, [n_walkers][n_frames].
        energies: U_m of each walker's frames, in the units of the run, [n_walkers][n_members, n_frames].
        factor: calibration of the spread.

    Raises:
        ValueError: fewer than 2 members, no frame at a row's step, another number of walkers, or energies of another
            run.
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
    """Return the rows of which frames were saved, for averages under another model than that of the run.

    Free-energy perturbation: weights get exp(-(Ū - U)/kT) with the mean Ū of the model's members. A constant between
    the two energies does not matter. `.samples` of what is returned is for all functions of this package; the effective
    number of rows says how near the potentials are.

    Arguments:
        samples: with `step`, sampled under any potential.
        steps: of the frames of each walker, [n_walkers][n_frames].
        energies: U_m of the other model's members on each walker's frames, in the units of the run,
            [n_walkers][n_members, n_frames].
        factor: calibration of the members' spread.

    Raises:
        ValueError: no frame at a row's step, another number of walkers, or energies that do not follow the trace's.
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
    """Return the rows of which frames were saved, and the members' energies of these, [n_members, n]."""
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

    Enthalpies are relative to the members' mean by U_m − Ū: an offset between members counts.

    Arguments:
        members: their energies of saved frames.
        temp: T, K (reduced in ``units lj``).

    Raises:
        ValueError: few frames carry the average at T.
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
    """Return the temperature at which phases on either side of O = at are equally likely, under each member.

    Arguments:
        members: their energies of saved frames.
        at: order parameter between the phases.

    Raises:
        ValueError: the frames are of one phase, or few of them carry the average.
    """
    ordered = at < members.samples.O
    if ordered.all() or not ordered.any():
        raise ValueError(f"no frames on one side of O = {at:g}; save frames more often")
    everything = np.arange(len(members.samples))
    temp = balance(members.samples, at)(everything)
    try:
        temps = [balance(own, at)(everything) for own in members.under_each]
    except ValueError:  # no root: full reweighting is not possible
        temps = []
    return estimate(members, lambda samples: balance(samples, at), temps, temp)


def members_free_energy(members: Members, temp: float, edges: NDArray[np.float64]) -> MembersEstimate:
    """Return −ln of the probability of each bin of O at T under each member, [n_members, n_bins]; NaN where none is.

    Arguments:
        members: their energies of saved frames.
        temp: T, K (reduced in ``units lj``).
        edges: edges of the bins of O, [n_bins + 1].

    Raises:
        ValueError: few frames carry the average at T.
    """

    def minus_log(samples: Samples) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        of_rows = minus_log_histogram(samples.O, log_weights(samples, temp), edges)

        def known(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            value = of_rows(rows)
            return np.where(np.isfinite(value), value, np.nan)

        return known

    return estimate(members, minus_log, [temp] * len(members.deviations), temp)


def estimate(members: Members, of: Estimator, temps: Sequence[float], temp: float) -> MembersEstimate:
    """Return an observable under each member: reweighted in full where all members are reached, else in first order.

    Arguments:
        of: rows under a potential -> a function that gives the observable of some of them.
        temps: where each member is to be reached; empty: no full reweighting.
        temp: where the members' mean is.

    Raises:
        ValueError: few frames carry the mean's average.
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
    """Return the smallest of the members' effective numbers of rows; None where one is below `least` or not carried."""
    sizes = []
    for own, temp in zip(members.under_each, temps, strict=bool(temps)):
        log_w = log_weights(own, temp)
        if carrying_gap(own, log_w):
            return None
        sizes.append(effective_size(log_w))
    return min(sizes) if sizes and min(sizes) >= least else None
