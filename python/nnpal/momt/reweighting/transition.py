"""Coexistence of two phases: temperature, latent heat, volume change, and free-energy difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.blocks import N_BLOCKS, Estimate, jackknife, time_blocks
from nnpal.momt.reweighting.profiles import balance, dividing_order, require_two_phases
from nnpal.momt.reweighting.samples import Samples
from nnpal.momt.reweighting.weights import log_weights, require_coverage
from nnpal.momt.round_trips import RoundTrips

LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Transition:
    """A transition between phases of low and high order parameter, such as liquid and crystal; in the units of the run.

    Attributes:
        temp: T at which both phases are equally likely.
        latent_heat: ⟨U + P V⟩, low minus high O, at that T, for the whole system.
        volume_change: ⟨V⟩, low minus high O.
        divide: O that divides the phases.
        round_trips: number of the walkers' round trips, between the points halfway from `divide` to each phase's mean
            O.
        n_blocks: number of time blocks for the errors: about that of round trips, 4 to 20, with the same number, at
            least one, for each walker.
    """

    temp: Estimate
    latent_heat: Estimate
    volume_change: Estimate
    divide: float
    round_trips: int
    n_blocks: int


def transition(
    samples: Samples, divide: float | None = None, press: float | None = None, n_blocks: int | None = None
) -> Transition:
    """Return the transition between two phases, with standard errors.

    Errors are from the jackknife over blocks of time. Blocks shorter than a round trip would be correlated and the
    errors too small, so by default there are as many as round trips; with fewer than 4 the errors are lower bounds.

    Arguments:
        samples: production rows with O, of both phases.
        divide: O that divides the phases; by default from F at T0.
        press: pressure P; P0 by default.
        n_blocks: number of blocks of the jackknife; by default from the number of round trips.

    Raises:
        ValueError: one phase was not sampled, or the temperature is not covered by the samples.

    Example:
        >>> from nnpal import from_traces, read_trace, transition
        >>> melting = transition(from_traces(read_trace("momt.trace")), divide=12.0)
        >>> print(f"{melting.temp.value:.0f} ± {melting.temp.error:.0f} K, {melting.round_trips} round trips")
        946 ± 14 K, 25 round trips
    """
    at = dividing_order(samples, samples.temp, press) if divide is None else divide
    ordered = require_two_phases(samples, at)
    root = balance(samples, at, press)
    everything = np.arange(len(samples))
    require_coverage(samples, root(everything), press)
    # With kT = 1 the reduced enthalpy is U + P V
    as_sampled, at_beta_1 = samples.reduced_as_sampled(), samples.reduced(1.0 / samples.boltz, press)

    def means(rows: NDArray[np.int64], temp: float, side: bool) -> NDArray[np.float64]:
        chosen = rows[ordered[rows] == side]
        log_w = as_sampled[chosen] - at_beta_1[chosen] / (samples.boltz * temp)
        w = np.exp(log_w - np.logaddexp.reduce(log_w))
        return np.array([w @ at_beta_1[chosen], w @ samples.V[chosen], w @ samples.O[chosen]])

    def found(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        temp = root(rows)
        low, high = (means(rows, temp, side) for side in (False, True))
        return np.array([temp, *(low - high)[:2]])

    temp = root(everything)
    ends = [float(at + means(everything, temp, side)[2]) / 2 for side in (False, True)]
    trips = round_trips(samples, *ends)
    wanted = int(np.clip(trips, LEAST_BLOCKS, N_BLOCKS)) if n_blocks is None else n_blocks
    blocks = time_blocks(samples.walker, wanted)
    _require_phases_in_two_blocks(ordered, blocks, at)
    value, error = jackknife(found, blocks)
    estimates = [Estimate(*both) for both in zip(value, error, strict=True)]
    return Transition(estimates[0], estimates[1], estimates[2], at, trips, len(blocks))


def _require_phases_in_two_blocks(ordered: NDArray[np.bool_], blocks: list[NDArray[np.int64]], at: float) -> None:
    """Reject a phase that only one block contains: leaving out that block would leave no samples of the phase."""
    for side, name in ((True, "above"), (False, "at or below")):
        if sum(bool((ordered[block] == side).any()) for block in blocks) < 2:
            raise ValueError(
                f"all samples with O {name} {at:g} lie in one of {len(blocks)} blocks of time, so the temperature has "
                "no error; continue the production run, until there are several transitions between the phases"
            )


def transition_shift(samples: Samples, divide: float, press: float | None = None, n_blocks: int = N_BLOCKS) -> Estimate:
    """Return the transition temperature under another potential minus that under the run's own, on the same rows.

    Both are correlated between blocks, so the difference is more accurate than either.

    Arguments:
        samples: production rows with O and a shift.
        divide: order parameter that divides the phases.
        press: pressure P, in the unit of the run; P0 by default.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: one phase was not sampled, or the temperature is not covered by the samples.
    """
    require_two_phases(samples, divide)
    root, own = balance(samples, divide, press), balance(replace(samples, shift=np.zeros(0)), divide, press)
    require_coverage(samples, root(np.arange(len(samples))), press)
    return jackknife(lambda rows: root(rows) - own(rows), time_blocks(samples.walker, n_blocks))


def round_trips(samples: Samples, low: float, high: float) -> int:
    """Return the number of round trips of the walkers from O <= `low` to O >= `high` and back, or the reverse.

    Arguments:
        samples: production rows of a run, with O.
        low: O of one phase.
        high: O of the other phase.
    """
    total = 0
    for number in np.unique(samples.walker):
        trips = RoundTrips(low, high)
        for value in samples.O[samples.walker == number]:
            trips.visit(float(value))
        total += trips.count
    return total


def free_energy_difference(
    samples: Samples, temp: float, divide: float, press: float | None = None, n_blocks: int = N_BLOCKS
) -> Estimate:
    """Return G(O > divide) − G(O <= divide) at T, in the units of the run; negative if the crystal is stable.

    Arguments:
        samples: production rows of a run, with O.
        temp: temperature T, K (reduced in ``units lj``).
        divide: order parameter that divides the phases.
        press: pressure P, in the unit of the run; P0 by default.
        n_blocks: number of blocks of the jackknife.

    Raises:
        ValueError: T is not covered, or one phase was not sampled.
    """
    ordered = require_two_phases(samples, divide)
    require_coverage(samples, temp, press)
    log_w = log_weights(samples, temp, press)
    kT = samples.boltz * temp

    def difference(rows: NDArray[np.int64]) -> float:
        side = ordered[rows]
        high, low = (np.logaddexp.reduce(log_w[rows[chosen]]) for chosen in (side, ~side))
        return float(kT * (low - high))

    return jackknife(difference, time_blocks(samples.walker, n_blocks))
