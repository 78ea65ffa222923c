"""Total charge and spin of a configuration, as stated in files and used by calculators."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

CHARGES = ("charge", "total_charge")
MULTIPLICITY = "multiplicity"
SPINS = ("spin", "total_spin")
"""Names of 2S+1 in datasets for machine-learned potentials (OMol25, MACE); elsewhere `spin` often means 2S."""
NAMES = (*CHARGES, MULTIPLICITY, *SPINS)
LOOKALIKES = ("netcharge", "formalcharge", "mult", "spinmultiplicity")
"""Similar names that are refused, not ignored; in lower case, without `_`, `-` and a leading REF_."""
COLUMNS = ("initial_charges", "initial_magmoms")
WHOLE = 0.01
"""e; tolerance for the sum of partial charges, which are rounded, to be an integer."""


@dataclass(frozen=True)
class Electrons:
    """Charge and spin of a configuration; None, like a column of zeros, means not stated.

    Attributes:
        charge: total charge, e.
        multiplicity: 2S+1.
        charges, moments: ASE's initial charges (e) and magnetic moments (μB), [n_atoms]; [n_atoms, 3] for
            noncollinear moments.
    """

    charge: int | None = None
    multiplicity: int | None = None
    charges: np.ndarray | None = None
    moments: np.ndarray | None = None

    @property
    def total_charge(self) -> int | None:
        """Return the stated total charge, or the sum of the initial charges, e."""
        if self.charge is not None or self.charges is None:
            return self.charge
        return round(float(self.charges.sum()))

    @property
    def is_plain(self) -> bool:
        """Return whether the defaults apply: no charge and no spin are stated."""
        return not self.total_charge and self.charges is None and self.multiplicity is None and self.moments is None

    @property
    def binds_whole(self) -> bool:
        """Return whether a total charge or multiplicity is stated, which may not apply to a part of the atoms."""
        return bool(self.total_charge) or self.multiplicity is not None

    def __str__(self) -> str:
        said = []
        if self.total_charge is not None:
            said.append(f"charge {self.total_charge:+d}" if self.total_charge else "charge 0")
        if self.multiplicity is not None:
            said.append(f"multiplicity {self.multiplicity}")
        if self.moments is not None:
            said.append(f"initial magnetic moments that sum to {np.asarray(self.moments).sum():g}")
        return ", ".join(said) or "neither charge nor spin"


def electrons_of(atoms: Atoms, held: Mapping[str, Any] | None = None, what: str = "configuration") -> Electrons:
    """Return the charge and spin that a configuration states under the usual names.

    These are, in ``info``, `charge` or `total_charge`, `multiplicity`, and `spin` or `total_spin`, which are also
    multiplicities 2S+1 (as in OMol25 and MACE; 0 is read as 1); and ASE's initial charges and moments.

    Arguments:
        held: names and values to use in place of ``atoms.info``.

    Raises:
        ValueError: a value or the sum of initial charges is not an integer, values contradict each other, or a number
            has a name that resembles one of these.
    """
    info = atoms.info if held is None else held
    _refuse_lookalikes(what, info)
    charge = _one(what, info, CHARGES)
    spin = _one(what, info, (MULTIPLICITY, *SPINS))
    charges, moments = (_column(what, atoms, info, name) for name in COLUMNS)
    if charges is not None:
        total = float(charges.sum())
        if abs(total - round(total)) > WHOLE:
            raise ValueError(
                f"{what}: initial_charges sum to {total:.4g} e, expected a whole number: the sum is the total charge "
                "for calculators such as tblite. Partial charges of a force field are not valid here: remove the "
                "column, and "
                "state the total as charge=0"
            )
        if charge is not None and charge != round(total):
            raise ValueError(f"{what}: charge = {charge}, but initial_charges sum to {total:.4g}; correct either")
    if spin is not None and spin < 1:
        raise ValueError(f"{what}: multiplicity = {spin}, expected 2S+1, 1 at least")
    return Electrons(charge, spin, charges, moments)


def put(atoms: Atoms, electrons: Electrons) -> None:
    """Replace charge and spin of ``atoms``: `charge` and `multiplicity` in ``info``, and ASE's columns."""
    for name in NAMES:
        atoms.info.pop(name, None)
    for name, value in (("charge", electrons.charge), (MULTIPLICITY, electrons.multiplicity)):
        if value is not None:
            atoms.info[name] = value
    for name, column in zip(COLUMNS, (electrons.charges, electrons.moments), strict=True):
        atoms.set_array(name, None if column is None else np.array(column, dtype=float))


def carry(source: Atoms, target: Atoms) -> Atoms:
    """Copy charge and spin of ``source`` to ``target``, with the same atoms in the same order; return ``target``."""
    put(target, electrons_of(source, what=str(source.info.get("source", "configuration"))))
    return target


def check_parity(atoms: Atoms, what: str = "configuration") -> None:
    """Refuse an impossible multiplicity: it is odd for an even number of electrons, and even for an odd one.

    This detects every `spin` that counts unpaired electrons (2S).

    Raises:
        ValueError: the multiplicity is impossible; the message names charge, electrons and multiplicity.
    """
    stated = electrons_of(atoms, what=what)
    if stated.multiplicity is None or (atoms.numbers == 0).any():
        return
    n_electrons = int(atoms.numbers.sum()) - (stated.total_charge or 0)
    if (n_electrons + stated.multiplicity) % 2 == 0:
        kind = "even" if n_electrons % 2 == 0 else "odd"
        raise ValueError(
            f"{what}: multiplicity {stated.multiplicity} of {n_electrons} electrons ({atoms.get_chemical_formula()}, "
            f"charge {stated.total_charge or 0}), expected an {'odd' if kind == 'even' else 'even'} number for an "
            f"{kind} one; `spin` is read as 2S+1: where it counts unpaired electrons, write "
            f"multiplicity={stated.multiplicity + 1}; or state the charge"
        )


def marks(electrons: Electrons) -> list[bytes]:
    """Return bytes that add charge and multiplicity to a hash; a charge of 0 adds nothing."""
    found = []
    if electrons.charge and electrons.charges is None:
        found.append(f"charge {electrons.charge}".encode())
    if electrons.multiplicity is not None:
        found.append(f"multiplicity {electrons.multiplicity}".encode())
    return found


def to_json(electrons: Electrons) -> dict[str, Any]:
    """Return the stated values by name, ready for JSON."""
    values = zip(("charge", MULTIPLICITY), (electrons.charge, electrons.multiplicity), strict=True)
    columns = zip(COLUMNS, (electrons.charges, electrons.moments), strict=True)
    return {
        **{name: value for name, value in values if value is not None},
        **{name: column.tolist() for name, column in columns if column is not None},
    }


def from_json(stated: Mapping[str, Any]) -> Electrons:
    """Return the object from the output of :func:`to_json`."""
    columns = [None if name not in stated else np.array(stated[name], dtype=float) for name in COLUMNS]
    return Electrons(stated.get("charge"), stated.get(MULTIPLICITY), *columns)


def _one(what: str, info: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the integer stored under any of these names, which must agree; None if there is none."""
    found: dict[str, int] = {}
    for name in names:
        value = info.get(name)
        if value is None:
            continue
        number = _whole(value)
        if number is None:
            expected = "the total charge, e" if name in CHARGES else "the multiplicity 2S+1"
            raise ValueError(f"{what}: {name} = {_shown(value)}, expected {expected}, as one whole number")
        found[name] = 1 if name in SPINS and number == 0 else number
    if len(set(found.values())) > 1:
        said = " and ".join(f"{name} = {number}" for name, number in found.items())
        raise ValueError(f"{what}: {said}, expected one and the same number; `spin` is read as the multiplicity 2S+1")
    return next(iter(found.values()), None)


def is_lookalike(name: str) -> bool:
    """Return whether a name is a misspelling or variant of one that states charge or spin."""
    if name in NAMES or not re.search("charge|mult|spin", name, re.IGNORECASE):
        return False
    plain = re.sub("[_-]", "", name.lower().removeprefix("ref_"))
    return plain in LOOKALIKES or plain in (known.replace("_", "") for known in NAMES)


def _shown(value: Any) -> str:
    return repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)


def _refuse_lookalikes(what: str, info: Mapping[str, Any]) -> None:
    """Refuse a number whose name is a variant of the usual ones; per-atom values are allowed."""
    for name, value in info.items():
        if isinstance(value, str | int | float | np.generic) and is_lookalike(name):
            raise ValueError(
                f"{what}: {name} = {_shown(value)} looks like a statement of charge or spin, but the name is none of "
                f"{', '.join(NAMES)}; rename it, or remove it"
            )


def _whole(value: Any) -> int | None:
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if np.size(value) != 1 or np.asarray(value).dtype.kind not in "iuf":
        return None
    number = float(np.asarray(value, dtype=float).item())
    return int(number) if np.isfinite(number) and number == int(number) else None


def _column(what: str, atoms: Atoms, info: Mapping[str, Any], name: str) -> np.ndarray | None:
    column = atoms.arrays.get(name, info.get(name))
    if column is None:
        return None
    values = np.asarray(column, dtype=float)
    shapes = [(len(atoms),), (len(atoms), 3)] if name == "initial_magmoms" else [(len(atoms),)]
    if values.shape not in shapes or not np.isfinite(values).all():
        raise ValueError(f"{what}: {name} have shape {values.shape}, expected a finite number for each atom")
    return values if values.any() else None
