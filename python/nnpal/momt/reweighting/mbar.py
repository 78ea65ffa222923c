"""The samples as pymbar and FastMBAR want them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnpal.momt.reweighting.samples import Samples


def u_kn(
    samples: Samples, temps: Sequence[float], press: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return reduced potentials and numbers of samples: `pymbar.MBAR(*u_kn(samples, [900, 950]))`.

    State 0 is the sampled, biased ensemble, which all rows come from; the others have none.

    Arguments:
        samples: rows; subsample them to independent ones if MBAR's own errors are wanted.
        temps: temperatures of the other states.
        press: their pressures; P0 by default.

    Returns:
        u_kn [1 + n_states, n], N_k [1 + n_states].

    Raises:
        ValueError: temps and press of different lengths.
    """
    pressures = [samples.press] * len(temps) if press is None else list(press)
    if len(pressures) != len(temps):
        raise ValueError(f"{len(temps)} temperatures and {len(pressures)} pressures: expected the same number")
    states = [samples.reduced(temp, p) for temp, p in zip(temps, pressures, strict=True)]
    return np.array([samples.reduced_as_sampled(), *states]), np.array([len(samples)] + [0] * len(states))
