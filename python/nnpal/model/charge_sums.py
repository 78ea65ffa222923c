"""Charges that add up to 0, from what :mod:`nnpal.model.charges` describes; knows no torch.

TorchANI divides 0 by 0 where no atom has a raw charge, as a lone atom: here an error.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def normalized(raw: NDArray[np.float64], weights: NDArray[np.float64], symbols: Sequence[str]) -> NDArray[np.float64]:
    """Return charges that add up to 0.

    Arguments:
        raw: of all atoms, e, [n_atoms].
        weights: of all atoms, [n_atoms].
        symbols: of the atoms, for messages.

    Raises:
        ValueError: they are not defined; names an atom and gives the reason.
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
