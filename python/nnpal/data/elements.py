"""Elements of names, LAMMPS types and masses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from nnpal.data.error import DatasetError
from nnpal.runtime.spelling import did_you_mean

# g/mol: accepts 1.0 for H and 12.0 for C, distinguishes Co from Ni, and excludes isotopes
MASS_TOLERANCE = 0.1


def number_of(symbol: str, what: str, hint: str = "") -> int:
    """Return the atomic number of a symbol; errors name its owner, ``what``, and how to fix it, ``hint``."""
    number = int(atomic_numbers.get(symbol, 0))
    if number == 0:
        near = [s for s in chemical_symbols[1:] if s.lower() == symbol.lower()]
        raise DatasetError(f"{what}: {symbol!r} is not a chemical element{did_you_mean(symbol, near)}{hint}")
    return number


def renaming(path: object, symbols: Sequence[str] | None) -> dict[str, str]:
    """Return {old: new} of entries `OLD=NEW`, for files that name their elements.

    Raises:
        DatasetError: an entry of another form.
    """
    pairs = {}
    for entry in symbols or ():
        old, equals, new = entry.partition("=")
        if not equals or old in pairs:
            raise DatasetError(
                f"{path}: symbols {list(symbols or ())}: the file names its elements itself; where a name is not the "
                "element, give OLD=NEW once for it, e.g. C=Ni"
            )
        number_of(new, f"{path}: symbols entry {entry!r}")
        pairs[old] = new
    return pairs


def rename(path: object, frames: Sequence[Atoms], symbols: Sequence[str] | None) -> None:
    """Rename elements in place by entries `OLD=NEW`.

    Raises:
        DatasetError: an entry of another form, or an OLD that no frame has.
    """
    pairs = renaming(path, symbols)
    present = {symbol for frame in frames for symbol in frame.symbols}
    check_used(path, pairs, present)
    for frame in frames if pairs else ():
        calc = frame.calc
        frame.symbols = [pairs.get(symbol, symbol) for symbol in frame.symbols]
        if calc is not None:
            calc.atoms.numbers = frame.numbers.copy()


def check_used(path: object, pairs: dict[str, str], present: set[str]) -> None:
    """Refuse to rename elements that are not present."""
    if unused := sorted(set(pairs) - present):
        raise DatasetError(f"{path}: symbols rename {unused[0]!r}, but the file has {', '.join(sorted(present))}")


def numbers_of_types(path: object, types: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Return the atomic numbers of atoms from their LAMMPS types.

    Arguments:
        types: LAMMPS types, counted from 1, [n_atoms].
        symbols: element symbols of types 1, 2, ...

    Raises:
        DatasetError: an unknown symbol, `OLD=NEW`, or a type without a symbol.
    """
    numbers = np.array([0, *(number_of(symbol, f"{path}: symbols") for symbol in symbols)])
    if types.min() < 1 or types.max() >= len(numbers):
        raise DatasetError(
            f"{path}: has atom types {types.min()} to {types.max()}, symbols {list(symbols)} are for 1 to "
            f"{len(symbols)}; give one for each type"
        )
    return numbers[types]


def number_of_mass(mass: float, what: str) -> int:
    """Return the atomic number of the element of this mass, g/mol.

    Raises:
        DatasetError: no element, or several, within ``MASS_TOLERANCE``.
    """
    near = numbers_near_mass(mass)
    if len(near) != 1:
        which = " and ".join(f"{chemical_symbols[z]} ({atomic_masses[z]:.3f})" for z in near) or "no element"
        raise DatasetError(f"{what} has mass {mass:g}, within {MASS_TOLERANCE} g/mol of {which}; give symbols")
    return near[0]


def numbers_near_mass(mass: float) -> list[int]:
    """Return the atomic numbers of elements within ``MASS_TOLERANCE`` of a mass, g/mol."""
    known = np.nan_to_num(atomic_masses[1:104])
    return [int(number) for number in 1 + np.flatnonzero(np.abs(known - mass) <= MASS_TOLERANCE)]
