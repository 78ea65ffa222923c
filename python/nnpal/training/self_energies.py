"""Self-energies: the constant contribution of each element to the total energy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array


def fit_self_energies(
    composition: NDArray[np.float64], energies: NDArray[np.float64], symbols: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Return the self-energies ε that minimize Σ_d |E_d - Σ_s n_ds ε_s|, least absolute deviations.

    Solved exactly by the dual of its linear program: maximize Σ_d y_d E_d with -1 <= y_d <= 1 and Σ_d y_d n_ds = 0,
    whose multipliers are ε. For one element ε is the median of E_d / n_d with weights n_d. If elements occur in a fixed
    ratio in all configurations, one of the equally good solutions is returned.

    Arguments:
        composition: n_ds, number of atoms of element s in configuration d, [n_data, n_elements].
        energies: E_d, total energies, eV, [n_data].
        symbols: symbols of the elements, for messages; None: their numbers.

    Returns:
        Self-energies ε, eV, float64 [n_elements].

    Raises:
        ValueError: shapes do not match, or no configuration contains an element.
    """
    composition = np.asarray(composition, dtype=float)
    energies = np.asarray(energies, dtype=float)
    if composition.ndim != 2 or energies.shape != composition.shape[:1]:
        raise ValueError(
            f"fit_self_energies: composition has shape {composition.shape} and energies "
            f"{energies.shape}, "
            "expected [n_data, n_elements] and [n_data]"
        )
    names = range(composition.shape[1]) if symbols is None else symbols
    if absent := [str(name) for name, n_atoms in zip(names, composition.sum(axis=0), strict=True) if n_atoms == 0]:
        raise ValueError(f"no configuration holds element {', '.join(absent)}; remove it from network.elements")
    if composition.shape[1] == 1:
        return _weighted_median(composition[:, 0], energies)
    result = linprog(
        c=-energies,
        A_eq=csr_array(composition.T),
        b_eq=np.zeros(composition.shape[1]),
        bounds=(-1, 1),
        method="highs",
    )
    if not result.success:
        raise ValueError(f"fit_self_energies: no solution for {len(energies)} energies: {result.message}")
    return -np.asarray(result.eqlin.marginals)


def _weighted_median(n_atoms: NDArray[np.float64], energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lowest ε that minimizes Σ_d |E_d - n_d ε|, [1]; configurations without atoms are ignored."""
    weights, values = n_atoms[n_atoms > 0], energies[n_atoms > 0] / n_atoms[n_atoms > 0]
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return values[order][[np.searchsorted(below, 0.5 * below[-1])]]
