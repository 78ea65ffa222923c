"""Read LAMMPS data files with ASE; styles and elements are stated in the file or given, never guessed."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from nnpal.data import how_to_give
from nnpal.data.elements import check_used, number_of_mass, numbers_near_mass, numbers_of_types, renaming
from nnpal.data.error import DatasetError
from nnpal.data.units import Units
from nnpal.runtime.caution import caution

CHARGES_LEFT_OUT = (
    "the atomic charges (q) are ignored: the partial charges of a force field do not give the total charge, but "
    "calculators would use their sum; state a charge in an extended XYZ file (charge=1)"
)
STYLES = ("angle", "atomic", "bond", "charge", "full", "molecular")  # atom styles that ASE reads
BONDED = ("Bonds", "Angles", "Dihedrals", "Impropers")


@dataclass
class _Head:
    """Contents of a data file that ASE's reader does not return."""

    units: str | None = None
    style: str | None = None
    labels: dict[int, str] = field(default_factory=dict)


def read_data(path: str | os.PathLike[str], *, units: Units | None, symbols: Sequence[str] | None) -> Atoms:
    """Read the structure of a data file: atoms sorted by ID, positions not wrapped, periodic (not stated in the file).

    Arguments:
        units: units of the file; needed unless the first line has `units = STYLE`, as write_data writes it.
        symbols: elements of types 1, 2, ..., or OLD=NEW for type labels; by default from the section Atom Type Labels
            if all are elements, else from Masses.

    Raises:
        DatasetError: unknown units, atom style or elements, or a corrupted file.
    """
    head = _head(path)
    units = _units(path, head.units, units)
    from ase.io.lammpsdata import read_lammps_data  # imports SciPy, which other formats do not need

    try:
        # ASE's sort by ID does not reorder type labels, and its image flags lose digits in scaled positions
        atoms = read_lammps_data(
            _without_bonds(path),
            Z_of_type=_TypeItself(),
            atom_style=head.style,
            sort_by_id=False,
            read_image_flags=False,
        )
    except (ValueError, KeyError, IndexError, RuntimeError, StopIteration, UnboundLocalError) as error:
        reason = f"no type {error}" if isinstance(error, KeyError) else str(error) or "fewer lines than it says"
        raise DatasetError(f"{path}: damaged, or not a LAMMPS data file: {reason}") from error
    if len(atoms) == 0:
        raise DatasetError(f"{path}: has no atoms")
    if len(np.unique(atoms.arrays["id"])) < len(atoms):
        raise DatasetError(f"{path}: an atom ID occurs twice")
    atoms = atoms[np.argsort(atoms.arrays["id"])]
    if atoms.get_initial_charges().any():
        caution(f"{path}: {CHARGES_LEFT_OUT}")
    types = atoms.numbers
    masses = atoms.get_masses() if atoms.has("masses") else None
    if symbols is None:
        _compare_with_masses(path, head.labels, types, masses)
        symbols = _symbols(path, types, head.labels, masses)
    elif head.labels and any("=" in symbol for symbol in symbols):
        pairs = renaming(path, symbols)
        check_used(path, pairs, set(head.labels.values()))
        labels = {number: pairs.get(label, label) for number, label in head.labels.items()}
        symbols = _symbols(path, types, labels, masses)
    return Atoms(
        numbers_of_types(path, types, symbols),
        positions=atoms.positions * units.to_angstrom,
        cell=atoms.cell.array * units.to_angstrom,
        pbc=True,
    )


class _TypeItself(dict[int, int]):
    """Map by which ASE returns types as atomic numbers, its only output of labeled types; elements are set later."""

    def __missing__(self, key: int) -> int:
        return int(key)

    def __bool__(self) -> bool:
        return True


def _without_bonds(path: str | os.PathLike[str]) -> io.StringIO:
    """Return the file without bonds and angles, whose type labels ASE would parse as numbers."""
    kept, section = [], ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            body = line.partition("#")[0].strip()
            if re.fullmatch(r"[A-Z][A-Za-z ]+", body):
                section = body
            if section not in BONDED:
                kept.append(line)
    return io.StringIO("".join(kept))


def _head(path: str | os.PathLike[str]) -> _Head:
    head = _Head()
    section = ""
    with open(path, encoding="utf-8", errors="replace") as file:
        stated = re.search(r"\bunits = (\w+)", next(file, ""))
        head.units = stated.group(1) if stated else None
        for line in file:
            body, _, comment = (part.strip() for part in line.partition("#"))
            if body in ("Atoms", "Atom Type Labels", "Masses") or re.fullmatch(r"[A-Z][A-Za-z ]+", body):
                section = body
                if section == "Atoms":
                    head.style = comment or None
            elif body and section == "Atom Type Labels":
                number, label = body.split()[:2]
                head.labels[int(number)] = label
            elif body and section == "Atoms":
                head.style = head.style or _style(path, body.split())
                break
    if head.style is None:
        raise DatasetError(f"{path}: not a LAMMPS data file: it has no section Atoms with an atom in it")
    if head.style not in STYLES:
        raise DatasetError(
            f"{path}: atom style {head.style!r}, can read {', '.join(STYLES)}; write it as a comment: `Atoms # atomic`"
        )
    return head


def _style(path: object, words: Sequence[str]) -> str:
    """Return `atomic` for lines that fit no other atom style."""
    flags = len(words) == 8 and all(re.fullmatch(r"-?\d+", word) for word in words[5:])
    if len(words) == 5 or flags:
        return "atomic"
    raise DatasetError(f"{path}: does not state its atom style; write it as a comment: `Atoms # charge`")


def _units(path: object, stated: str | None, given: Units | None) -> Units:
    if given is not None:
        if stated is not None and Units.lammps(stated).length != given.length:
            raise DatasetError(f"{path}: states units {stated}, but {given} were given; give none or these")
        return given
    if stated is None:
        raise DatasetError(f"{path}: does not state its units; {how_to_give.unit_style(path)}")
    try:
        return Units.lammps(stated)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; give units") from error


def _compare_with_masses(path: object, labels: dict[int, str], types: np.ndarray, masses: np.ndarray | None) -> None:
    """Refuse a label that names one element but has the mass of another, such as Ho for a hydroxyl oxygen."""
    if not all(label in atomic_numbers for label in labels.values()) or masses is None:
        return
    for type_, mass in dict(zip(types.tolist(), masses.tolist(), strict=True)).items():
        near = numbers_near_mass(mass)
        if near and type_ in labels and atomic_numbers[labels[type_]] not in near:
            raise DatasetError(
                f"{path}: atom type {type_} has label {labels[type_]} and mass {mass:g}, that of "
                f"{chemical_symbols[near[0]]}; give symbols, one for each atom type, e.g. "
                f"{how_to_give.symbols(('Ni', 'Al'))}"
            )


def _symbols(path: object, types: np.ndarray, labels: dict[int, str], masses: np.ndarray | None) -> list[str]:
    """Return the symbol of each type up to the highest one that has atoms."""
    highest = int(types.max())
    if labels and all(label in atomic_numbers for label in labels.values()):
        return [labels.get(type_, "X") for type_ in range(1, highest + 1)]
    if masses is None:
        raise DatasetError(
            f"{path}: has no Masses; give symbols, one for each atom type, e.g. {how_to_give.symbols(('Ni', 'Al'))}"
        )
    of_type = dict(zip(types.tolist(), masses.tolist(), strict=True))
    # Placeholder for types without atoms
    return [
        chemical_symbols[number_of_mass(of_type[type_], f"{path}: atom type {type_}")] if type_ in of_type else "H"
        for type_ in range(1, highest + 1)
    ]
