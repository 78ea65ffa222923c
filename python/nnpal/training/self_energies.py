"""Self-energies: the constant share of each element in the total energy."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import bmat, csr_array, eye_array


def fit_self_energies(composition: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return the self-energies ε that minimise Σ_d |E_d - Σ_s n_ds ε_s|, least absolute deviations.

    Solved exactly as a linear programme: minimise Σ_d t_d with -t_d <= E_d - Σ_s n_ds ε_s <= t_d. Elements that stand
    in one ratio in all configurations cannot be told apart; then one of the equally good solutions is returned.

    Arguments:
        composition: n_ds, atoms of element s in configuration d, [n_data, n_elements].
        energies: E_d, eV, [n_data].

    Returns:
        ε, eV, float64 [n_elements].

    Raises:
        ValueError: shapes that do not match, or an element that no configuration holds.
    """
    composition = np.asarray(composition, dtype=float)
    energies = np.asarray(energies, dtype=float)
    if composition.ndim != 2 or energies.shape != composition.shape[:1]:
        raise ValueError(
            f"fit_self_energies: composition has shape {composition.shape} and energies "
            f"{energies.shape}, "
            "expected [n_data, n_elements] and [n_data]"
        )
    absent = np.flatnonzero(composition.sum(axis=0) == 0)
    if absent.size:
        raise ValueError(
            f"fit_self_energies: no configuration holds element {absent.tolist()}; drop it from the elements"
        )
    n_data, n_elements = composition.shape
    counts, identity = csr_array(composition), eye_array(n_data)
    result = linprog(
        c=np.concatenate([np.zeros(n_elements), np.ones(n_data)]),
        A_ub=bmat([[counts, -identity], [-counts, -identity]], format="csr"),
        b_ub=np.concatenate([energies, -energies]),
        bounds=[(None, None)] * n_elements + [(0, None)] * n_data,
        method="highs",
    )
    if not result.success:
        raise ValueError(f"fit_self_energies: no solution for {n_data} energies: {result.message}")
    return np.asarray(result.x[:n_elements])
