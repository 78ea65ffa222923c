"""LAMMPS data files for nnpal's runs: sampling, the gate, relaxed crystals, the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.units
import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from nnpal.geometry.lammps_box import box_of
from nnpal.runtime.files import aside

ROOM = 50.0
"""Å of space along nonperiodic directions: fragments may move this far before LAMMPS loses them."""
PS = 1e3 * ase.units.fs
"""One ps in ASE's unit of time."""


@dataclass(frozen=True)
class Start:
    """Properties of a data file that a script needs.

    Attributes:
        periodic: periodicity along each direction, [3].
        symbols: element of each atom type.
        n_atoms: number of atoms in the file.
    """

    periodic: tuple[bool, ...]
    symbols: tuple[str, ...]
    n_atoms: int

    @property
    def boundary(self) -> str:
        return " ".join("p" if repeats else "f" for repeats in self.periodic)


def write_data(
    path: Path,
    atoms: Atoms,
    symbols: Sequence[str],
    charges: Mapping[str, float] | None = None,
    room: float = ROOM,
    *,
    velocities: bool = False,
) -> Start:
    """Write a data file in full precision; IDs follow the order of ``atoms``, the box is rotated for LAMMPS.

    Arguments:
        symbols: element of each atom type.
        charges: charge of each element, e, for ``atom_style charge``; None: ``atom_style atomic``.
        room: space around the atoms along nonperiodic directions, Å.
        velocities: also write the velocities of ``atoms``, Å/ps, for ``units metal``.

    Raises:
        ValueError: an element is not among ``symbols``.
        nnpal.geometry.lammps_box.BoxError: no atoms, or a cell that LAMMPS does not support.
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
    if velocities:
        lines += ["", "Velocities", ""]
        turned = (PS * atoms.get_velocities() @ box.turn.T).tolist()
        lines += [f"{i} " + " ".join(repr(v) for v in velocity) for i, velocity in enumerate(turned, 1)]
    with aside(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return Start(box.periodic, tuple(symbols), len(atoms))
