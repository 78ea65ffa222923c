"""Activation energies under each member of an ensemble: from its own pulls, or along pulls under the members' mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnpal.observables import MembersEstimate
from nnpal.smd.pull import Pull, activation_energy, rows_in_window, running_mean


def own_pulls(groups: Sequence[Sequence[Pull]], factor: float | None = None) -> MembersEstimate:
    """Return the mean activation energy under each member, from its own pulls.

    Arguments:
        groups: pulls of each member, [n_members][n_pulls].
        factor: calibration factor of the spread.

    Raises:
        ValueError: there are fewer than 2 members, or a member without pulls.
    """
    for number, pulls in enumerate(groups):
        if not pulls:
            raise ValueError(f"member {number}: no pulls, expected one or more")
    return MembersEstimate(np.array([mean_activation_energy(pulls)[0] for pulls in groups]), "own runs", factor=factor)


def along_pulls(
    pulls: Sequence[Pull],
    steps: Sequence[NDArray[np.int64]],
    energies: Sequence[NDArray[np.float64]],
    window: float,
    factor: float | None = None,
) -> MembersEstimate:
    """Return the mean activation energy of pulls under each member, to first order in the members' differences.

    The work of a slow pull is a difference of energies (of free energies at a finite temperature), whose first order in
    ΔU_m = U_m − Ū is the mean of ΔU_m along the unchanged path (Hellmann and Feynman's theorem)::

        W_m(λ) = W(λ) + ⟨ΔU_m⟩_λ − ⟨ΔU_m⟩_start          E_a,m = max over λ of W_m(λ)

    ⟨ΔU_m⟩ is the mean over the frames within half a window of λ. If a bond ruptures with a jump (:func:`jump_of`), no
    work is done during it, so the change of ΔU_m across it is omitted, and members shift the jump by ΔU_m'/k. Their
    effects on the path are of second order, and those on the heat that a fast pull dissipates are not included; pulls
    under each member (:func:`own_pulls`) include both.

    Arguments:
        pulls: pulls under the members' mean.
        steps: steps of each pull's saved frames, [n_pulls][n_frames].
        energies: U_m of these frames, in the units of the pulls, [n_pulls][n_members, n_frames].
        window: interval in λ for means.
        factor: calibration factor of the spread.

    Raises:
        ValueError: there are fewer than 2 members, or the frames do not span a pull.
    """
    found = [_along(pull, own, of, window) for pull, own, of in zip(pulls, steps, energies, strict=True)]
    return MembersEstimate(np.mean(found, axis=0), "first order", factor=factor)


def mean_activation_energy(pulls: Sequence[Pull]) -> tuple[float, float | None]:
    """Return the mean activation energy of pulls and its standard error (n − 1 form), None for one pull.

    Arguments:
        pulls: one or more pulls with a moving spring, in the same unit of energy.

    Example:
        >>> from nnpal import mean_activation_energy, read_pull
        >>> mean, error = mean_activation_energy([read_pull(f"pull.{i}.txt") for i in (1, 2, 3)])
        >>> print(f"{mean:.2f} ± {error:.2f} eV")
        3.99 ± 0.01 eV
    """
    values = np.array([activation_energy(pull) for pull in pulls])
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def _along(pull: Pull, steps: NDArray[np.int64], energies: NDArray[np.float64], window: float) -> NDArray[np.float64]:
    """Return E_a under each member along one pull, [n_members]."""
    name = pull.name or "pull"
    _, rows, frames = np.intersect1d(pull.step, steps, return_indices=True)
    sign = np.sign(pull.target[-1] - pull.target[0])
    if sign == 0.0:
        raise ValueError(f"{name}: λ does not move; expected a pull at constant velocity")
    if not window > 0.0:
        raise ValueError(f"{name}: window {window:g}: expected more than 0")
    way, at = sign * pull.target, sign * pull.target[rows]
    top = way[int(np.argmax(pull.work))]
    half = 0.5 * window
    if not len(at) or at[0] > way[0] + half or at[-1] < top - half:
        reach = f"from λ = {sign * at[0]:.4g} to {sign * at[-1]:.4g}" if len(at) else "no λ of a row"
        raise ValueError(
            f"{name}: the frames reach {reach}, expected λ = {sign * way[0]:.4g} to {sign * top:.4g}, where work is "
            "largest: dump frames at steps at which the file has rows, from the start of the pull on"
        )
    difference = energies[:, frames] - energies[:, frames].mean(axis=0)
    last = way <= max(at[-1], top)  # beyond the frames the members' energies are unknown
    jump = sign * jump_of(pull, window)
    before = ~(at > jump)  # all true without a jump
    if before.all():
        smooth = _smoothed(at, difference, half)
        change = np.stack([np.interp(way[last], at, one - one[0]) for one in smooth])
    else:
        change = _across_jump(pull, rows, difference, way[last], window, jump)
    return np.asarray((pull.work[last] + change).max(axis=1))


def jump_of(pull: Pull, window: float) -> float:
    """Return λ of a sudden bond rupture; nan if the force decreases so slowly that there is no jump.

    A jump is a decrease of the running mean of the force from 3/4 to 1/4 of its largest value within one window.
    """
    sign = np.sign(pull.target[-1] - pull.target[0])
    force = sign * running_mean(pull.force, rows_in_window(pull, window))
    top = int(np.argmax(force))
    places = [top + int(np.argmax(force[top:] < share * force[top])) for share in (0.75, 0.5, 0.25)]
    high, middle, low = (float(pull.target[place]) for place in places)
    is_jump = force[top] > 0.0 and top < places[0] <= places[2] and abs(low - high) <= window
    return middle if is_jump else float("nan")


def _across_jump(
    pull: Pull,
    rows: NDArray[np.int64],
    difference: NDArray[np.float64],
    way: NDArray[np.float64],
    window: float,
    jump: float,
) -> NDArray[np.float64]:
    """Return the change of the work under each member at each λ of `way`, if the bond ruptures with a jump.

    The jump occurs where the minimum that the molecule follows ends, dλ/dd = 0 with λ = d + U'(d)/k. A member shifts it
    by δλ = ΔU'(d)/k, over which the spring pulls with the force before the jump instead of that after it. So after the
    jump the work has changed by ΔU + (F − F_landed) ΔU'/k at its beginning, plus the change of ΔU after the landing.

    Arguments:
        rows: rows of the frames, [n_frames].
        difference: ΔU_m of the frames, [n_members, n_frames].
        way: increasing λ, with its sign changed for a push, [n_rows].
        jump: λ of the jump, with the sign of `way`.
    """
    sign = np.sign(pull.target[-1] - pull.target[0])
    at, d, half = sign * pull.target[rows], sign * pull.d[rows], 0.5 * window
    before = at <= jump
    edge = before & (at > jump - window)
    if edge.sum() < 2 or np.ptp(d[edge]) == 0.0:
        raise ValueError(
            f"{pull.name or 'pull'}: {edge.sum()} frames within a window before λ = {sign * jump:.4g}, where the "
            "bond ruptures"
            ", expected 2 or more: dump frames more often, or give a wider window"
        )
    stretch = pull.target - pull.d
    k = float(pull.force @ stretch / (stretch @ stretch))
    leaving = d[edge][-1]
    fits = [np.polyfit(d[edge] - leaving, one[edge], 1) for one in difference]  # slope and value at the jump
    passed = (sign * pull.target > jump) & (sign * pull.target <= jump + window)
    fall = k * (at[edge][-1] - leaving) - sign * float(pull.force[passed].mean())  # decrease of the force in the jump
    landed = ~before & (at <= jump + window)
    parts = [_smoothed(at[side], difference[:, side], half) for side in (before, ~before)]
    found = []
    for one, other, (slope, value), own in zip(*parts, fits, difference, strict=True):
        drift = other - (own[landed].mean() if landed.any() else other[0])
        on_branch, after = np.interp(way, at[before], one), np.interp(way, at[~before], drift)
        gone = way > jump + half
        found.append(np.where(gone, value + fall * slope / k + after, on_branch) - one[0])
    return np.stack(found)


def _smoothed(at: NDArray[np.float64], values: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Return the mean of values, [n_members, n], within `half` of each point of `at`, [n]."""
    low, high = np.searchsorted(at, at - half - 1e-9), np.searchsorted(at, at + half + 1e-9)
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    return np.asarray((sums[:, high] - sums[:, low]) / (high - low))
