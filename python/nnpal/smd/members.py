"""Activation energies by member of an ensemble: of each member's own pulls, or along a pull under the members' mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnpal.observables import MembersEstimate
from nnpal.smd.pull import Pull, activation_energy


def own_pulls(groups: Sequence[Sequence[Pull]], factor: float | None = None) -> MembersEstimate:
    """Return the mean activation energy of each member's own pulls.

    Args:
        groups: pulls of each member, [n_members][n_pulls].
        factor: calibration of the spread.

    Raises:
        ValueError: fewer than 2 members, or a member without pulls.
    """
    for number, pulls in enumerate(groups):
        if not pulls:
            raise ValueError(f"member {number}: no pulls, expected one or more")
    return MembersEstimate(np.array([mean_activation_energy(pulls)[0] for pulls in groups]), "own runs", factor=factor)


def along_pulls(
    pulls: Sequence[Pull],
    steps: Sequence[np.ndarray],
    energies: Sequence[np.ndarray],
    window: float,
    factor: float | None = None,
) -> MembersEstimate:
    """Return the mean activation energy of pulls under each member, to first order in the members' differences.

    The work of a slow pull is a difference of energies (of free energies at a finite temperature), whose first order in
    ΔU_m = U_m − Ū is the mean of ΔU_m along the unchanged path (Hellmann and Feynman's theorem)::

        W_m(λ) = W(λ) + ⟨ΔU_m⟩_λ − ⟨ΔU_m⟩_start          E_a,m = max over λ of W_m(λ)

    ⟨ΔU_m⟩ is the mean over the frames within half a window of λ. What the members change in the path, or in the heat
    that a fast pull dissipates, is of second order or not seen; pulls of each member (:func:`own_pulls`) see it.

    Args:
        pulls: under the members' mean.
        steps: of the saved frames of each pull, [n_pulls][n_frames].
        energies: U_m of these frames, in the pull's units, [n_pulls][n_members, n_frames].
        window: of λ.
        factor: calibration of the spread.

    Raises:
        ValueError: fewer than 2 members, or frames that do not span a pull.
    """
    found = [_along(pull, own, of, window) for pull, own, of in zip(pulls, steps, energies, strict=True)]
    return MembersEstimate(np.mean(found, axis=0), "first order", factor=factor)


def mean_activation_energy(pulls: Sequence[Pull]) -> tuple[float, float | None]:
    """Return the mean over pulls and its standard error (n − 1 form), which one pull does not have."""
    values = np.array([activation_energy(pull) for pull in pulls])
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def _along(pull: Pull, steps: np.ndarray, energies: np.ndarray, window: float) -> np.ndarray:
    """Return E_a of each member along one pull, [n_members]."""
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
    low, high = np.searchsorted(at, at - half - 1e-9), np.searchsorted(at, at + half + 1e-9)
    sums = np.concatenate([np.zeros((len(energies), 1)), np.cumsum(difference, axis=1)], axis=1)
    smooth = (sums[:, high] - sums[:, low]) / (high - low)
    last = way <= max(at[-1], top)  # beyond the frames nothing is known of the members
    change = np.stack([np.interp(way[last], at, one - one[0]) for one in smooth])
    return np.asarray((pull.work[last] + change).max(axis=1))
