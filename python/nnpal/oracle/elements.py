"""Elements of LAMMPS atom types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from nnpal.hooks import HookError

# g/mol: accepts 1.0 for H and 12.0 for C, distinguishes Co from Ni, and excludes isotopes.
TOLERANCE = 0.1


def numbers_of_types(elements: Sequence[str] | None, masses: np.ndarray) -> np.ndarray:
    """Return the atomic number of each type, [n_types + 1]; entry 0 is 0, as LAMMPS counts types from 1.

    Arguments:
        elements: one symbol for each type; by default from the masses.
        masses: masses of types, g/mol, [n_types + 1].

    Raises:
        HookError: an unknown symbol, a mass of no element, or different numbers of symbols and types.
    """
    n_types = len(masses) - 1
    if elements is None:
        found = [_nearest(mass, type_) for type_, mass in enumerate(masses[1:].tolist(), 1)]
        return np.array([0, *found])
    unknown = [symbol for symbol in elements if atomic_numbers.get(symbol, 0) == 0]
    if unknown:
        raise HookError(
            f"elements {' '.join(elements)}: {unknown[0]} is not a chemical element; give `elements` last, after the "
            "calculator's options"
        )
    if len(elements) != n_types:
        raise HookError(
            f"elements {' '.join(elements)}: found {len(elements)}, expected one for each of {n_types} types"
        )
    return np.array([0, *(atomic_numbers[symbol] for symbol in elements)])


def _nearest(mass: float, type_: int) -> int:
    known = np.nan_to_num(atomic_masses[1:104])
    near = 1 + np.flatnonzero(np.abs(known - mass) <= TOLERANCE)
    if len(near) == 1:
        return int(near[0])
    which = " and ".join(f"{chemical_symbols[z]} ({atomic_masses[z]:.3f})" for z in near) or "no element"
    raise HookError(
        f"mass {mass:g} of atom type {type_} is within {TOLERANCE} g/mol of {which}; give `elements` with one symbol "
        "for each type"
    )
