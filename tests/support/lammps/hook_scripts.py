"""Input scripts and the environment for tests of `fix python/hook`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lmp_runner import THERMO_FORMAT
from nnpal.demo.eam import eam_potential

# lmp finds tests/support/lammps/lammps_hooks.py
ENV = {"PYTHONPATH": str(Path(__file__).parent)}


def al_start(n_cells: int = 2, *, temperature: float = 900, seed: int = 4711, jiggle: float = 0.1) -> str:
    """Return the first part of a script: thermal fcc Al with EAM, 4 n_cells³ atoms."""
    return f"""units metal
atom_modify map array
lattice fcc 4.05
region box block 0 {n_cells} 0 {n_cells} 0 {n_cells}
create_box 1 box
create_atoms 1 box
pair_style eam/fs
pair_coeff * * {eam_potential()} Al
displace_atoms all random {jiggle} {jiggle} {jiggle} {seed} units box
velocity all create {temperature} {seed} loop geom
timestep 0.002
"""


def thermo(*columns: str, every: int = 1) -> str:
    """Return thermo commands with all digits, in the format that `LmpRun.thermo` reads."""
    return f"thermo_style custom {' '.join(columns)}\n{THERMO_FORMAT}\nthermo {every}\n"


def write_ion_pairs(path: Path, n: int = 3) -> None:
    """Write a data file of 2 n³ charged atoms, bonded in pairs, in a box of 4 n Å (real units, atom_style full)."""
    rng = np.random.default_rng(3)
    edge = 4.0 * n
    lines = ["ion pairs", "", f"{2 * n**3} atoms", f"{n**3} bonds", "2 atom types", "1 bond types", ""]
    lines += [f"0 {edge} {name}lo {name}hi" for name in "xyz"] + ["", "Masses", "", "1 23.0", "2 35.5", "", "Atoms", ""]
    bonds = []
    for cell, corner in enumerate(np.ndindex(n, n, n)):
        first = 4.0 * np.array(corner) + rng.uniform(0.8, 1.2, 3)
        second = first + 1.6 * np.array([1, 1, 1]) / np.sqrt(3) + rng.uniform(-0.1, 0.1, 3)
        for i, (charge, place) in enumerate(((0.5, first), (-0.5, second))):
            lines.append(f"{2 * cell + i + 1} {cell + 1} {i + 1} {charge} " + " ".join(f"{c:.17g}" for c in place))
        bonds.append(f"{cell + 1} 1 {2 * cell + 1} {2 * cell + 2}")
    path.write_text("\n".join([*lines, "", "Bonds", "", *bonds]) + "\n")


ION_PAIRS = """units real
atom_style full
pair_style lj/cut/coul/long 5.0
bond_style harmonic
kspace_style pppm 1e-5
read_data data
pair_coeff 1 1 0.1 2.5
pair_coeff 2 2 0.1 3.0
pair_modify tail yes
bond_coeff 1 100.0 1.6
special_bonds lj/coul 0 1 1
velocity all create 300 11 loop geom
timestep 0.5
"""
