"""Samples in the form for pymbar and FastMBAR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.samples import Samples


def u_kn(
    samples: Samples, temps: Sequence[float], press: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return reduced potentials and numbers of samples, for `pymbar.MBAR(*u_kn(samples, [900, 950]))`.

    State 0 is the sampled, biased ensemble; the other states have no samples.

    Arguments:
        samples: production rows; subsample them to independent ones if you use MBAR's errors.
        temps: temperatures of the other states.
        press: pressures of the other states; P0 by default.

    Returns:
        Reduced potentials u_kn, [1 + n_states, n], and numbers of samples N_k, [1 + n_states].

    Raises:
        ValueError: temps and press have different lengths.
    """
    pressures = [samples.press] * len(temps) if press is None else list(press)
    if len(pressures) != len(temps):
        raise ValueError(f"{len(temps)} temperatures and {len(pressures)} pressures: expected the same number")
    states = [samples.reduced(temp, p) for temp, p in zip(temps, pressures, strict=True)]
    return np.array([samples.reduced_as_sampled(), *states]), np.array([len(samples)] + [0] * len(states))
