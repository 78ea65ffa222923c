"""Atomic systems for tests, and their LAMMPS data files with all digits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class System:
    """Atoms in a LAMMPS box.

    Attributes:
        elements: element of each LAMMPS type, in order.
        types: LAMMPS type of each atom, from 1, [n_atoms].
        positions: positions, Å, [n_atoms, 3].
        cell: box vectors as rows, lower triangular as in LAMMPS, Å, [3, 3].
        periodic: whether the box is periodic in all three directions; otherwise the atoms are a cluster.
        origin: lower corner of the box, Å, [3].
    """

    elements: tuple[str, ...]
    types: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    periodic: bool = True
    origin: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def symbols(self) -> list[str]:
        return [self.elements[type_ - 1] for type_ in self.types]

    def write(self, path: Path, *, molecule_style: bool = False) -> Path:
        """Write a LAMMPS data file (atom_style atomic, or molecular) with all digits."""
        path.write_text(data_file(self, molecule_style=molecule_style))
        return path


MASSES = {
    "H": 1.008,
    "C": 12.011,
    "N": 14.007,
    "O": 15.999,
    "F": 18.998,
    "Al": 26.982,
    "S": 32.06,
    "Cl": 35.45,
    "Ni": 58.693,
}


def data_file(system: System, *, molecule_style: bool = False) -> str:
    """Return the text of a data file in metal or real units (both have Å and g/mol)."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = system.cell
    low = system.origin
    lines = ["LAMMPS data file of a test system", "", f"{len(system.types)} atoms"]
    lines += [f"{len(system.elements)} atom types", ""]
    for name, corner, length in zip("xyz", low, (lx, ly, lz), strict=True):
        lines.append(f"{corner:.17g} {corner + length:.17g} {name}lo {name}hi")
    if any((xy, xz, yz)):
        lines.append(f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz")
    lines += ["", "Masses", ""]
    lines += [f"{i + 1} {MASSES[element]}" for i, element in enumerate(system.elements)]
    lines += ["", "Atoms # molecular" if molecule_style else "Atoms # atomic", ""]
    molecule = "1 " if molecule_style else ""
    for i, (type_, (x, y, z)) in enumerate(zip(system.types, system.positions, strict=True)):
        lines.append(f"{i + 1} {molecule}{type_} {x:.17g} {y:.17g} {z:.17g}")
    return "\n".join(lines) + "\n"


def fcc(element: str, lattice: float, n_cells: int, *, jiggle: float = 0.1, seed: int = 0) -> System:
    """Return an fcc crystal of n_cells³ cubic cells with Gaussian displacements of `jiggle` Å."""
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    corners = np.stack(np.meshgrid(*3 * [np.arange(n_cells)], indexing="ij"), -1).reshape(-1, 1, 3)
    positions = lattice * (corners + basis).reshape(-1, 3)
    positions = positions + np.random.default_rng(seed).normal(0, jiggle, positions.shape)
    cell = lattice * n_cells * np.eye(3)
    types = np.ones(len(positions), dtype=int)
    return System((element,), types, positions, cell)


def tilted(system: System, xy: float, xz: float, yz: float) -> System:
    """Return the same fractional coordinates in a triclinic box with the given tilts (Å)."""
    cell = np.array(system.cell)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    positions = (system.positions - system.origin) @ np.linalg.solve(system.cell, cell)
    return System(
        system.elements,
        system.types,
        positions + system.origin,
        cell,
        system.periodic,
        system.origin,
    )


def random_hcno(n_atoms: int, density: float, *, periodic: bool, seed: int = 1) -> System:
    """Return H, C, N and O atoms at random positions, no two closer than 0.95 Å.

    Args:
        n_atoms: number of atoms; every element occurs when n_atoms >= 4.
        density: atoms per Å³.
        periodic: whether the box is cubic and periodic; otherwise a cluster in a box with 6 Å of vacuum around it.
    """
    rng = np.random.default_rng(seed)
    edge = (n_atoms / density) ** (1 / 3)
    positions = np.empty((0, 3))
    while len(positions) < n_atoms:
        trial = rng.uniform(0, edge, 3)
        delta = positions - trial
        if periodic:
            delta -= edge * np.round(delta / edge)
        if np.all(np.linalg.norm(delta, axis=1) > 0.95):
            positions = np.vstack([positions, trial])
    types = np.concatenate([[1, 2, 3, 4], rng.integers(1, 5, n_atoms - 4)])
    margin = 0.0 if periodic else 6.0
    return System(
        ("H", "C", "N", "O"),
        types,
        positions,
        (edge + 2 * margin) * np.eye(3),
        periodic,
        np.full(3, -margin),
    )
