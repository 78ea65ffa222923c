"""Frames around the largest spring force of each pull, with copies displaced along the softest motions.

There, within a few femtoseconds, it is decided which bond breaks at which extension, and so the activation energy. Such
frames are few, and close to known ones in any descriptor, so neither uncertainty nor distance would select enough of
them: a fraction of the labels is reserved for them, without a filter of near-duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from nnpal.active_learning.sampling import SMDRun
from nnpal.active_learning.selection.soft_modes import Forces, displaced, soft_modes
from nnpal.smd import running_mean

PEAK, DISPLACED = "peak", "displaced"
"""Tags of configurations."""
AROUND = 5
"""Number of rows over which the force is averaged."""
AFTER = 3
"""One in this number of frames of a pull is from where the bond ruptures."""


def peak_frames(runs: Sequence[SMDRun], before: float, n_most: int, free: Sequence[np.ndarray]) -> list[Atoms]:
    """Return frames around the largest force and where it falls, as equally many from each pull as possible.

    Arguments:
        runs: pulls to select from.
        before: interval in λ before the force last exceeds 0.9 of its maximum, Å.
        n_most: largest number of frames in total.
        free: whether each frame of each pull can be selected, bool [n_frames].
    """
    windows = [_windows(run, before, own) for run, own in zip(runs, free, strict=True)]
    shares = _shares([len(rise) + len(fall) for rise, fall in windows], n_most)
    found = []
    for run, (rise, fall), share in zip(runs, windows, shares, strict=True):
        n_fall = min(len(fall), max(share // AFTER, share - len(rise)))
        for i in [*_spread(rise, share - n_fall), *_spread(fall, n_fall)]:
            frame: Atoms = run.frames[i].copy()
            frame.info.update(tag=PEAK, source=f"{run.name} step {run.frame_step[i]}")
            found.append(frame)
    return found


def with_displaced(
    frames: Sequence[Atoms],
    copies: int,
    largest: float,
    pulled: tuple[int, int],
    spring: float,
    forces: Forces,
    rng: np.random.Generator,
) -> list[Atoms]:
    """Return frames, each followed by its displaced copies.

    Arguments:
        frames: frames to copy.
        copies: number of copies of each.
        largest: largest displacement of an atom along one mode, Å.
        pulled: indices of the two pulled atoms, from 0.
        spring: spring constant, eV/Å².
        forces: forces of the model.
        rng: random generator.
    """
    found = []
    for frame in frames:
        modes = soft_modes(frame, pulled, spring, forces)
        found.append(frame)
        for _ in range(copies):
            copy = displaced(frame, modes, largest, rng)
            copy.info.update(tag=DISPLACED, source=f"displaced from {frame.info['source']}")
            found.append(copy)
    return found


def _windows(run: SMDRun, before: float, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of a pull's free frames shortly before the break, and of those where the force falls."""
    if len(run.step) < AROUND or not len(run.frames):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    sign = np.sign(run.target[-1] - run.target[0])
    force = sign * running_mean(run.force, AROUND)
    top = int(np.argmax(force))
    if not force[top] > 0.0:  # it ended before the spring pulled, so there is no maximum
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    last = _last_high(force, top)
    low = np.flatnonzero(force[last:] <= 0.1 * force[top])
    end = last + int(low[0]) if len(low) else len(force) - 1
    target = sign * np.interp(run.frame_step, run.step, run.target)
    at = run.frame_step
    rise = (target >= sign * run.target[last] - before) & (at <= run.step[last]) & free
    width = run.step[end] - run.step[last] if len(low) else 0
    fall = (at > run.step[last]) & (at <= run.step[end] + width) & free if len(low) else np.zeros(len(at), dtype=bool)
    return np.flatnonzero(rise), np.flatnonzero(fall)


def _last_high(force: np.ndarray, top: int) -> int:
    """Return the last row with 0.9 of the largest force before the force first falls below half of it."""
    below = np.flatnonzero(force[top:] < 0.5 * force[top])
    until = top + int(below[0]) if len(below) else len(force)
    return top + int(np.flatnonzero(force[top:until] >= 0.9 * force[top])[-1])


def _shares(sizes: Sequence[int], n_most: int) -> list[int]:
    """Return the number of frames from each pull, as equal as possible."""
    shares = [0] * len(sizes)
    left = min(n_most, sum(sizes))
    while left:
        open_ = [i for i, size in enumerate(sizes) if shares[i] < size]
        for i in open_[:left]:
            shares[i] += 1
        left -= min(left, len(open_))
    return shares


def _spread(indices: np.ndarray, n: int) -> list[int]:
    """Return n evenly spaced indices, including the last one."""
    if n == 0:
        return []
    return [int(i) for i in indices[np.unique(np.round(np.linspace(len(indices) - 1, 0, n)).astype(int))]]
