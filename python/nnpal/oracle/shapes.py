"""Check types and shapes of calculators' results."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnpal.oracle.errors import CalculationFailed


def as_energy(value: Any) -> float:
    """Return an energy, eV.

    Raises:
        CalculationFailed: the value is not one real number.
    """
    try:
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind in "iuf":
            return float(array.reshape(-1)[0])
        shape = f"an array of shape {array.shape}" if array.ndim else _short(value)
    except ValueError:  # rows of different lengths
        shape = _short(value)
    raise CalculationFailed(f"energy is {shape}, expected one number, in eV")


def as_array(name: str, value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return an array of this shape, float64.

    Arguments:
        name: name of the result, forces or stress.
        what: unit and meaning of the axes, for the error.

    Raises:
        CalculationFailed: another shape, or values that are not real numbers.
    """
    try:
        array = np.asarray(value)
        if array.shape == shape and array.dtype.kind in "iuf":
            return array.astype(float)
        found = f"have shape {array.shape}" if array.ndim and array.dtype.kind in "iuf" else f"are {_short(value)}"
    except ValueError:
        found = f"are {_short(value)}"
    found = found if name == "forces" else found.replace("have", "has").replace("are ", "is ", 1)
    raise CalculationFailed(f"{name} {found}, expected shape {shape}: {what}")


def as_forces(value: Any, n_atoms: int) -> np.ndarray:
    """Return forces, eV/Å, [n_atoms, 3]."""
    return as_array("forces", value, (n_atoms, 3), "x y z of each atom, in eV/Å")


def as_stress(value: Any) -> np.ndarray:
    """Return a stress, eV/Å³, [6]."""
    return as_array("stress", value, (6,), "xx yy zz yz xz xy (Voigt), in eV/Å³")


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"a {type(value).__name__}, {text[:50]}..."
