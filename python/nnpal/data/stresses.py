"""Stress of a frame, from its stress or virial; both must agree, and the cell must allow a stress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from ase import units as ase_units

from nnpal.data.finding import Finding
from nnpal.data.labels import VOIGT, stress_of_virial, to_voigt
from nnpal.data.units import Units

COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")
# A stress and a virial of one calculation differ only by the rounding of printed digits
SAME_RELATIVE = 1e-3  # of the largest component
SAME_STRESS = 1e-6  # eV/Å³, 0.2 MPa
NEEDS_A_CELL = (
    "a cell with a volume that is periodic in all three directions; ignore the stress (stress = '' in keys in a "
    "configuration file, nnpal data convert --stress-key '')"
)

Order = tuple[tuple[int, int], ...]
Stated = tuple[str, str, Any]  # `stress` or `virial`, the key, the value


def stress_of(
    index: int,
    held: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    atoms: Atoms,
    units: Units,
    order: Order | None,
) -> tuple[np.ndarray | None, Finding | None]:
    """Return the stress of a frame, eV/Å³, Voigt, ASE's sign, and its fault if any.

    A virial W gives σ = -W/V. If the frame has both, they must agree within printed digits.

    Arguments:
        index: index of the frame.
        held: possible labels of the frame, by key.
        names: keys of `stress` and of `virial` in this file.
        atoms: structure, with the cell in Å.
        units: units of the file.
        order: order of six components; None if unknown.

    Raises:
        ValueError: a value of the wrong shape, not symmetric, or six components in an unknown order.
    """
    found = _stated(held, names)
    if not found:
        return None, None
    if any(label == "virial" for label, _, _ in found) and (fault := no_stress(index, atoms, found[0][1])):
        return None, fault
    stresses = [_stress(label, name, value, atoms, units, order) for label, name, value in found]
    for one, other in pairwise(range(len(found))):
        if not _same(stresses[one], stresses[other]):
            return None, _contradiction(index, found[one], found[other], stresses[one], stresses[other])
    return stresses[0], None


def stated_stresses(
    held: Iterable[Mapping[str, Any]], names: Mapping[str, Sequence[str]]
) -> dict[int, tuple[str, str]]:
    """Return, by frame index, `stress` or `virial` and the key from which the frame's stress is read."""
    found = enumerate(_stated(own, names) for own in held)
    return {index: (one[0][0], one[0][1]) for index, one in found if one}


def mixed_stresses(stated: Mapping[int, tuple[str, str]]) -> list[Finding]:
    """Return a warning if some frames of a file have a stress and others a virial.

    Each is read from its own key, but the two keys may come from two calculators, or differ in sign.

    Arguments:
        stated: see :func:`stated_stresses`.
    """
    if len({label for label, _ in stated.values()}) < 2:
        return []
    first = min(stated)
    label, name = stated[first]
    others = sorted(index for index, one in stated.items() if one[0] != label)
    more = f" and in {len(others) - 1} more" if len(others) > 1 else ""
    value = f"read from {stated[others[0]][1]} here{more}, from {name} in frame {first} of this file"
    expected = "one key in all frames, or that both are from the same calculations"
    return [Finding(others[0], "warning", "stress", value, expected)]


def no_stress(index: int, atoms: Atoms, name: str = "stress") -> Finding | None:
    """Return the fault of a configuration that has a stress or virial although its cell allows none.

    The stress is dE/dε/V: it needs a volume, and along a nonperiodic direction the height of the box, and so V, is
    arbitrary.
    """
    if not np.isfinite(atoms.cell.array).all():
        return None
    if not abs(float(np.linalg.det(atoms.cell.array))) > 0:
        reason = "a configuration without cell" if not atoms.cell.array.any() else "a cell without volume"
    elif not atoms.pbc.all():
        repeats = ", ".join(axis for axis, periodic in zip("abc", atoms.pbc, strict=True) if periodic)
        reason = f"a cell that repeats along {repeats} only" if repeats else "a cell that does not repeat"
    else:
        return None
    return Finding(index, "error", "stress", f"{name} in {reason}", NEEDS_A_CELL)


def large_stress(index: int, stress: np.ndarray, largest: float) -> Finding | None:
    """Return the fault of a stress with a component above ``largest``, eV/Å³, or None."""
    k = int(np.abs(stress).argmax())
    if abs(stress[k]) <= largest:
        return None
    value = f"{stress[k]:.4g} eV/Å^3 ({stress[k] / ase_units.GPa:.4g} GPa) in {COMPONENTS[k]}"
    expected = (
        f"{largest:g} eV/Å^3 ({largest / ase_units.GPa:.4g} GPa) at most; give the unit where it is kbar or GPa "
        "(units = 'eV Å kbar' in a configuration file, nnpal data convert --stress-unit kbar)"
    )
    return Finding(index, "error", "stress", value, expected)


def _stated(held: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> list[Stated]:
    """Return the stresses, then the virials of a frame, without those that are all NaN; if all are, only the first."""
    found = [
        (label, name, held[name])
        for label in ("stress", "virial")
        for name in names.get(label, ())
        if held.get(name) is not None
    ]
    # In arrays of whole files NaN marks rows without a value
    filled = [one for one in found if not np.isnan(np.asarray(one[2], dtype=float)).all()]
    return filled or found[:1]


def _stress(label: str, name: str, value: Any, atoms: Atoms, units: Units, order: Order | None) -> np.ndarray:
    values = np.asarray(value, dtype=float)
    if values.size == 6 and order is None:
        raise ValueError(
            f"{name} has six components in an order that the file does not state; give keys.order in a configuration "
            "file or nnpal data convert --virial-order: `ase` (xx yy zz yz xz xy) or `lammps` "
            "(xx yy zz xy xz yz); or ignore the stress (stress = '' in keys, --stress-key '')"
        )
    tensor = to_voigt(values, name, order or VOIGT)
    if label == "stress":
        return tensor * units.to_ev_per_angstrom3
    return stress_of_virial(tensor * units.to_ev, atoms, name)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    largest = max(np.abs(one).max(), np.abs(other).max())
    return bool(np.abs(one - other).max() <= SAME_STRESS + SAME_RELATIVE * largest)


def _contradiction(index: int, one: Stated, other: Stated, first: np.ndarray, second: np.ndarray) -> Finding:
    k = int(np.abs(first - second).argmax())
    value = (
        f"{_named(one)} {first[k]:.6g} eV/Å^3 and {_named(other)} {second[k]:.6g} eV/Å^3 in {COMPONENTS[k]} contradict "
        "each other"
    )
    expected = (
        "virial = -volume * stress; give the unit of the stress (units = 'eV Å kbar' in a configuration file, "
        "nnpal data convert --stress-unit kbar), or the key of the one to read (stress or virial in keys, "
        "nnpal data convert --stress-key or --virial-key)"
    )
    return Finding(index, "error", "stress", value, expected)


def _named(stated: Stated) -> str:
    label, name, _ = stated
    return name if label == "stress" else f"-{name}/volume"
