"""Where a run starts: a structure from a file or built of cells, and its LAMMPS data file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.io
import ase.io.formats
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_masses, atomic_numbers

from nnpal.caution import caution
from nnpal.data.ase_database import read_database
from nnpal.data.keys import Keys
from nnpal.data.lammps_data import CHARGES_LEFT_OUT
from nnpal.electrons import check_parity, electrons_of, put
from nnpal.files import aside
from nnpal.label.lammps_box import box_of

ROOM = 50.0
"""Å around what does not repeat: fragments fly so far before LAMMPS calls them lost."""


@dataclass(frozen=True)
class Start:
    """What the script has to know of its data file.

    Attributes:
        periodic: along each direction, [3].
        symbols: element of each atom type.
        n_atoms: in the file.
    """

    periodic: tuple[bool, ...]
    symbols: tuple[str, ...]
    n_atoms: int

    @property
    def boundary(self) -> str:
        return " ".join("p" if repeats else "f" for repeats in self.periodic)


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file that ASE reads, with the charge and spin that it states.

    Raises:
        FileNotFoundError: no such file.
        ValueError: ASE cannot read it, or its charge and spin contradict each other.
    """
    if not path.is_file():
        raise FileNotFoundError(f"structure {path}: no such file")
    try:
        found = _read(path)
    except Exception as error:  # ASE's readers raise whatever comes
        raise ValueError(f"structure {path}: ASE cannot read it: {type(error).__name__}: {error}") from error
    atoms = found[-1] if isinstance(found, list) else found
    if len(atoms) == 0:
        raise ValueError(f"structure {path}: has no atoms")
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    try:
        put(bare, electrons_of(atoms))
        check_parity(bare)
    except ValueError as error:
        raise ValueError(f"structure {path}: {str(error).removeprefix('configuration: ')}") from error
    return bare


def _read(path: Path) -> Atoms | list[Atoms]:
    """Read as ASE does, but for its databases' key `charge`, which it hides, and LAMMPS's partial charges."""
    kind = ase.io.formats.filetype(str(path))
    if kind in ("db", "json"):
        return read_database(path, units=None, keys=Keys(), labelled=False)
    found = ase.io.read(path, index=-1, format=kind)
    atoms: Atoms = found[-1] if isinstance(found, list) else found
    if kind.startswith("lammps") and atoms.get_initial_charges().any():
        caution(f"structure {path}: {CHARGES_LEFT_OUT}")
        atoms.set_initial_charges(None)
    return atoms


def crystal(element: str, lattice: str, constant: float | None, cells: Sequence[int]) -> Atoms:
    """Return whole conventional cells of a crystal; those of hcp are orthogonal, with four atoms."""
    shape = {"orthorhombic": True} if lattice == "hcp" else {"cubic": True}
    atoms = bulk(element, lattice, a=constant, **shape).repeat(tuple(cells))
    atoms.set_initial_magnetic_moments(None)  # which ASE gives iron, cobalt and nickel
    return atoms


def kinds(atoms: Atoms) -> tuple[str, ...]:
    """Return the elements in the order in which they first appear."""
    return tuple(dict.fromkeys(atoms.get_chemical_symbols()))


def write_data(
    path: Path, atoms: Atoms, symbols: Sequence[str], charges: Mapping[str, float] | None = None, room: float = ROOM
) -> Start:
    """Write a data file with all digits; IDs follow the order of ``atoms``, the box is turned as LAMMPS wants it.

    Arguments:
        symbols: element of each atom type.
        charges: of the elements, e, for ``atom_style charge``; None: ``atom_style atomic``.
        room: Å around the atoms along directions that do not repeat.

    Raises:
        ValueError: an element is not among ``symbols``; no atoms, or a cell that LAMMPS cannot have.
    """
    box = box_of(atoms)
    own = atoms.get_chemical_symbols()
    if unknown := sorted(set(own) - set(symbols)):
        raise ValueError(f"element {', '.join(unknown)} of the structure is not known to the force field: {symbols}")
    type_of = {symbol: number for number, symbol in enumerate(symbols, 1)}
    open_ = ~np.array(box.periodic)
    low, high = np.where(open_, box.low - room, box.low), np.where(open_, box.high + room, box.high)
    style = "atomic" if charges is None else "charge"
    lines = [f"start of a run, {atoms.get_chemical_formula()}; units of length: Å", ""]
    lines += [f"{len(atoms)} atoms", f"{len(symbols)} atom types", ""]
    lines += [f"{a!r} {b!r} {x}lo {x}hi" for x, a, b in zip("xyz", low.tolist(), high.tolist(), strict=True)]
    if box.triclinic:
        lines.append("{!r} {!r} {!r} xy xz yz".format(*box.tilt.tolist()))
    lines += ["", "Masses", ""]
    lines += [f"{i} {float(atomic_masses[atomic_numbers[s]])!r}  # {s}" for s, i in type_of.items()]
    lines += ["", f"Atoms # {style}", ""]
    for i, (symbol, place) in enumerate(zip(own, box.positions.tolist(), strict=True), 1):
        charge = "" if charges is None else f"{float(charges[symbol])!r} "
        lines.append(f"{i} {type_of[symbol]} {charge}" + " ".join(repr(x) for x in place))
    with aside(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return Start(box.periodic, tuple(symbols), len(atoms))
