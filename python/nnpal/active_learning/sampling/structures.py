"""Initial structures of runs: read from a file, or built from cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase.io
import ase.io.formats
from ase import Atoms
from ase.build import bulk

from nnpal.data.ase_database import read_database
from nnpal.data.keys import Keys
from nnpal.data.lammps_data import CHARGES_LEFT_OUT
from nnpal.geometry.electrons import check_parity, electrons_of, put
from nnpal.runtime.caution import caution


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file that ASE can read, with its charge and spin if given.

    Raises:
        FileNotFoundError: no such file.
        ValueError: ASE cannot read it, or its charge and spin contradict each other.
    """
    if not path.is_file():
        raise FileNotFoundError(f"structure {path}: no such file")
    try:
        found = _read(path)
    except Exception as error:  # ASE's readers raise any exception
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
    """Read like ASE, with the key `charge` of its databases (which ASE hides), without LAMMPS's partial charges."""
    kind = ase.io.formats.filetype(str(path))
    if kind in ("db", "json"):
        return read_database(path, units=None, keys=Keys(), labeled=False)
    found = ase.io.read(path, index=-1, format=kind)
    atoms: Atoms = found[-1] if isinstance(found, list) else found
    if kind.startswith("lammps") and atoms.get_initial_charges().any():
        caution(f"structure {path}: {CHARGES_LEFT_OUT}")
        atoms.set_initial_charges(None)
    return atoms


def crystal(element: str, lattice: str, constant: float | None, cells: Sequence[int]) -> Atoms:
    """Return a crystal of conventional cells; those of hcp are orthogonal, with four atoms."""
    shape = {"orthorhombic": True} if lattice == "hcp" else {"cubic": True}
    atoms = bulk(element, lattice, a=constant, **shape).repeat(tuple(cells))
    atoms.set_initial_magnetic_moments(None)  # ASE sets them for iron, cobalt and nickel
    return atoms


def kinds(atoms: Atoms) -> tuple[str, ...]:
    """Return the elements in order of first appearance."""
    return tuple(dict.fromkeys(atoms.get_chemical_symbols()))
