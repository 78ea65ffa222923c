"""LAMMPS unit styles that nnpal supports: factors from eV, ps and bar. The length unit is Å in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import ase.units


@dataclass(frozen=True)
class Units:
    """A LAMMPS unit style.

    Attributes:
        name: name of the style.
        energy, time, pressure: one eV, ps and bar in units of the style.
    """

    name: Literal["metal", "real"]
    energy: float
    time: float
    pressure: float


METAL = Units("metal", 1.0, 1.0, 1.0)
REAL = Units("real", ase.units.mol / ase.units.kcal, 1000.0, 1 / 1.01325)
UNITS: dict[str, Units] = {units.name: units for units in (METAL, REAL)}
BAR_PER_EV_A3 = 1.6021765e6
"""LAMMPS's conversion factor in metal units, `nktv2p`, which has fewer digits than ASE's."""
