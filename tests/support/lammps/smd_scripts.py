"""LAMMPS scripts for tests of steered MD: hot Lennard-Jones aluminum with various pulled groups."""

from __future__ import annotations

import numpy as np

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, LmpRun

# 108 atoms at 600 K in a box of 12.15 Å, with the same IDs on any number of ranks. Energy and force are continuous at
# the cutoff, so that energy conservation can be tested.
CRYSTAL = """
units metal
atom_style atomic
atom_modify map yes
lattice fcc 4.05
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 26.982
pair_style zero 6.0
pair_coeff * *
reset_atoms id sort yes
"""
PAIR = """
pair_style lj/smooth/linear 6.0
pair_coeff 1 1 0.39 2.62
timestep 0.002
"""
ALUMINIUM = f"""
{CRYSTAL}
{PAIR}
velocity all create 600 12345 loop geom
group corner id 1:4
group other id 15:20
"""

HOOK = "fix pull all python/hook nnpal.smd:SMD"
MODIFY = "fix_modify pull energy yes virial yes"

# bar Å^3 per eV in LAMMPS, for pressures from the virial of fixes
NKTV2P = 1.6021765e6

# For numbers that differ only by the order of summation: within 60 steps of a liquid-like system, rounding errors
# (1e-16 of some eV) grow by a few powers of ten.
ROUNDING = {"rtol": 1e-9, "atol": 1e-9}

VECTOR = [f"f_pull[{i}]" for i in range(1, 5)]


def output(every: int = 1, columns: str = "f_pull f_pull[*]") -> str:
    """Return the commands for thermo output with all digits."""
    return f"""
compute pfix all pressure NULL fix
thermo {every}
thermo_style custom step pe etotal vol {columns} c_pfix[*]
{THERMO_FORMAT}
"""


def dumped(every: int) -> str:
    """Return a dump of positions and velocities with all digits."""
    return f"""
dump d all custom {every} all.dump id x y z vx vy vz
dump_modify d sort id format float {FULL_DIGITS}
"""


def vector(run: LmpRun, table: int = -1) -> np.ndarray:
    """Return d, λ, force and work of every row, [n_rows, 4]."""
    return np.stack([run.thermo[table][name] for name in VECTOR], axis=1)


def fix_virial(run: LmpRun) -> np.ndarray:
    """Return the virial of all fixes, xx yy zz xy xz yz in eV, [n_rows, 6]."""
    table = run.thermo[-1]
    pressure = np.stack([table[f"c_pfix[{i}]"] for i in range(1, 7)], axis=1)
    return pressure * table["Volume"][:, None] / NKTV2P
