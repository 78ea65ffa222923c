"""Settings, structures and force fields for tests of exploration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk

# Al2 with a Morse potential: D (eV), alpha (1/Å), r0 (Å)
DEPTH, ALPHA, LENGTH = 2.0, 1.5, 2.7
KCAL_PER_EV = 23.060547830619026


def morse(d: np.ndarray) -> np.ndarray:
    """Return U(d), eV, with a minimum of -D."""
    e = np.exp(-ALPHA * (d - LENGTH))
    return np.asarray(DEPTH * (e**2 - 2 * e))


def morse_oracle(units: str = "metal") -> dict[str, Any]:
    depth = DEPTH * (KCAL_PER_EV if units == "real" else 1.0)
    return {
        "kind": "lammps",
        "elements": ["Al"],
        "commands": ["pair_style morse 30.0", f"pair_coeff * * {depth!r} {ALPHA} {LENGTH}"],
        "units": units,
        "stress": True,
    }


def eam_oracle() -> dict[str, Any]:
    return {
        "kind": "lammps",
        "elements": ["Al"],
        "commands": ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"],
    }


def write_dimer(folder: Path, d: float = LENGTH) -> str:
    ase.io.write(folder / "dimer.xyz", Atoms("Al2", positions=[[1.0, 2.0, 3.0], [1.0 + d, 2.0, 3.0]]))
    return "../dimer.xyz"


def write_crystal(folder: Path, seed: int = 3) -> str:
    atoms = bulk("Al", "fcc", a=4.05, cubic=True).repeat(2)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    ase.io.write(folder / "al.extxyz", atoms)
    return "../al.extxyz"


def run_folder(folder: Path, name: str = "run") -> Path:
    path = folder / name
    path.mkdir()
    return path


def smd_settings(**changes: Any) -> dict[str, Any]:
    """Return a slow, cold pull of the dimer by 0.5 Å in 1000 steps."""
    given = {"kind": "smd", "structure": "dimer.xyz", "atoms": [1, 2], "length": 0.5, "rates": [0.5]}
    given |= {"temperature": 0.01, "max_temperature": 1000.0, "damping": 1.0, "timestep": 0.001, "equilibration": 200}
    return {**given, "every": 20, "uq_every": 5, "k": 20.0, **changes}


def momt_settings(**changes: Any) -> dict[str, Any]:
    """Return a short run of 32 Al atoms at 900 K."""
    given = {"kind": "momt", "element": "Al", "lattice": "fcc", "lattice_constant": 4.1, "cells": [2, 2, 2]}
    given |= {"temperature": 900.0, "H": [-130.0, -60.0, 30], "O": [-5.0, 40.0, 45]}
    return {**given, "steps": 400, "every": 20, "equilibration": 200, **changes}


def npt_settings(**changes: Any) -> dict[str, Any]:
    """Return short runs of 32 Al atoms at 900 K, crystal and melt."""
    given = {"kind": "npt", "element": "Al", "lattice": "fcc", "lattice_constant": 4.1, "cells": [2, 2, 2]}
    given |= {"temperature": 900.0, "melt_temperature": 3000.0, "melt_steps": 1000}
    return {**given, "steps": 400, "every": 20, "equilibration": 600, **changes}
