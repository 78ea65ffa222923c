"""Classes of frames by uncertainty: accurate, candidate, failed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NAMES = ("accurate", "candidate", "failed")
_ACCURATE, _CANDIDATE, _FAILED = range(3)


@dataclass(frozen=True)
class Classes:
    """The class of each frame, named as in DP-GEN (doi:10.1016/j.cpc.2020.107206).

    Attributes:
        codes: class of each frame as an index into :data:`NAMES`, int8 [n_frames].
    """

    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def accurate(self) -> np.ndarray:
        """Indices of frames at or below the threshold, int64."""
        return np.flatnonzero(self.codes == _ACCURATE)

    @property
    def candidates(self) -> np.ndarray:
        """Indices of frames above the threshold that can be labeled, int64."""
        return np.flatnonzero(self.codes == _CANDIDATE)

    @property
    def failed(self) -> np.ndarray:
        """Indices of unusable frames, int64."""
        return np.flatnonzero(self.codes == _FAILED)

    @property
    def n_good(self) -> int:
        """Number of frames before the first failed one."""
        return int(self.failed[0]) if len(self.failed) else len(self)

    def counts(self) -> dict[str, int]:
        """Return the number of frames of each class."""
        return {name: int(np.count_nonzero(self.codes == code)) for code, name in enumerate(NAMES)}


def tally(runs: Iterable[Classes]) -> dict[str, int]:
    """Return the total number of frames of each class in several runs."""
    counts = dict.fromkeys(NAMES, 0)
    for run in runs:
        for name, n in run.counts().items():
            counts[name] += n
    return counts


def classify(
    uq: ArrayLike,
    lower: float,
    upper: float = math.inf,
    *,
    sound: ArrayLike | None = None,
    trajectory: bool = True,
) -> Classes:
    """Classify frames by their uncertainty u.

    accurate: u <= lower; candidate: lower < u <= upper; failed: u > upper, u not finite, or not ``sound``. In a
    trajectory all frames after a failed one are failed too, whatever their u.

    Arguments:
        uq: u of each frame, [n_frames].
        lower: threshold, in the units of u.
        upper: upper limit of candidates; above it, atoms overlap or have flown apart.
        sound: False for frames that are unusable for another reason (lost atoms, nonfinite energy), [n_frames].
        trajectory: whether frames are consecutive in time; False: each is classified independently.

    Raises:
        ValueError: limits are out of order or not numbers, a u is negative, or shapes do not match.
    """
    values = np.asarray(uq, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"classify: uq has shape {values.shape}, expected [n_frames]")
    if not (0 <= lower < math.inf and lower < upper):  # False for NaN
        raise ValueError(f"classify: lower = {lower} and upper = {upper}, expected 0 <= lower < upper, lower finite")
    if len(negative := np.flatnonzero(values < 0)):
        raise ValueError(f"classify: uq[{negative[0]}] = {values[negative[0]]}, expected 0 or more")
    good = np.isfinite(values) & (values <= upper)
    if sound is not None:
        flags = np.asarray(sound)
        if flags.shape != values.shape or flags.dtype != bool:
            raise ValueError(f"classify: sound is {flags.dtype} {flags.shape}, expected bool {values.shape}")
        good &= flags
    if trajectory:
        good = np.logical_and.accumulate(good)
    codes = np.where(good, np.where(values > lower, _CANDIDATE, _ACCURATE), _FAILED)
    return Classes(codes.astype(np.int8))
