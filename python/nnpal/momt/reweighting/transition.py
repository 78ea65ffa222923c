"""Two phases in balance: the temperature, its latent heat and volume change, and the difference of free energies."""

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
    """Between the phase of low and that of high order parameter, such as liquid and crystal; in the units of the run.

    Attributes:
        temp: T at which both are equally likely.
        latent_heat: ⟨U + P V⟩ of low minus high O at that T, of the whole system.
        volume_change: ⟨V⟩ of low minus high O.
        divide: O between the phases.
        round_trips: journeys of the walkers from halfway between `divide` and the one phase's mean O to halfway between
            `divide` and the other's, and back.
        n_blocks: blocks of time that the errors come from: about as many as round trips, 4 to 20, and equally many of
            each walker, so at least one.
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
    """Return where two phases are in balance, with standard errors.

    Errors are by the jackknife over blocks of time. Blocks shorter than a round trip would be correlated and the errors
    too small, so by default there are as many as round trips; of fewer than 4 the errors are lower bounds.

    Arguments:
        samples: rows with O, of both phases.
        divide: O between the phases; found at T0 by default.
        press: P; P0 by default.
        n_blocks: blocks of the jackknife, instead.

    Raises:
        ValueError: one phase was not sampled, or the temperature lies beyond what the samples reach.

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
    # At kT = 1 the reduced enthalpy is U + P V itself
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
    """Refuse a phase that one block alone holds: the jackknife leaves out that block, and then no phase is left."""
    for side, name in ((True, "above"), (False, "at or below")):
        if sum(bool((ordered[block] == side).any()) for block in blocks) < 2:
            raise ValueError(
                f"all samples with O {name} {at:g} lie in one of {len(blocks)} blocks of time, so the temperature has "
                "no error; continue the production run, until there are several transitions between the phases"
            )


def transition_shift(samples: Samples, divide: float, press: float | None = None, n_blocks: int = N_BLOCKS) -> Estimate:
    """Return T of balance under another potential minus that under the run's own, on the same rows.

    Both move together from block to block, so the difference is known better than either.

    Arguments:
        samples: production rows with O and a shift.
        divide: order parameter between the phases.
        press: P, in the pressure unit of the run; P0 by default.
        n_blocks: blocks of the jackknife.

    Raises:
        ValueError: one phase was not sampled, or the temperature lies beyond what the samples reach.
    """
    require_two_phases(samples, divide)
    root, own = balance(samples, divide, press), balance(replace(samples, shift=np.zeros(0)), divide, press)
    require_coverage(samples, root(np.arange(len(samples))), press)
    return jackknife(lambda rows: root(rows) - own(rows), time_blocks(samples.walker, n_blocks))


def round_trips(samples: Samples, low: float, high: float) -> int:
    """Return how often the walkers went from O at or below `low` to O at or above `high` and back, or the reverse.

    Arguments:
        samples: production rows of a run, with O.
        low: O of the one phase.
        high: O of the other.
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
    """Return G(O > divide) − G(O <= divide) at T, in the units of the run: below 0 where the crystal is stable.

    Arguments:
        samples: production rows of a run, with O.
        temp: T, K (reduced in ``units lj``).
        divide: order parameter between the phases.
        press: P, in the pressure unit of the run; P0 by default.
        n_blocks: blocks of the jackknife.

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
