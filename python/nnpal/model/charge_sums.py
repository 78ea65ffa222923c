"""Normalize charges to a sum of 0, as :mod:`nnpal.model.charges` describes, without torch.

Where no atom has a raw charge, as with a lone atom, TorchANI divides 0 by 0; here this is an error.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def normalized(raw: NDArray[np.float64], weights: NDArray[np.float64], symbols: Sequence[str]) -> NDArray[np.float64]:
    """Return charges that add up to 0.

    Arguments:
        raw: raw charges of all atoms, e, [n_atoms].
        weights: weights by which the atoms share the excess charge, [n_atoms].
        symbols: chemical symbols of the atoms, for error messages.

    Raises:
        ValueError: the charges are not defined; names an atom and gives the reason.
    """
    wrong = np.flatnonzero(~(np.isfinite(raw) & np.isfinite(weights)))
    if len(wrong):
        raise ValueError(
            f"charges are not finite: that of atom {wrong[0]} ({symbols[wrong[0]]}) is {raw[wrong[0]]:.6g} and its "
            f"share {weights[wrong[0]]:.6g} before they are made to add up to 0; look at the structure and at the "
            "training of the charge networks"
        )
    total = weights.sum()
    if len(raw) > 0 and not total > 0.0:
        raise ValueError(
            f"charges are not defined: the charge networks give 0 to atom 0 ({symbols[0]}) and to each of the "
            f"{len(raw)} atom(s), as they do without neighbors within the cutoff, and charges are distributed in "
            "proportion to their squares; ask for charges of molecules, not of isolated atoms"
        )
    return raw if len(raw) == 0 else raw - raw.sum() * weights / total
