"""An ASE calculator for tests of loops, copied next to their configuration: a Morse potential for all pairs.

Each calculation appends its working folder to the file ``log``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
from ase.calculators.calculator import CalculationFailed, Calculator, all_changes

# D (eV), alpha (1/Å), r0 (Å) of each pair
PAIRS = {"HH": (0.5, 1.9, 1.5), "HO": (2.5, 2.2, 0.96)}


class Water(Calculator):
    """Calculator for three atoms H, H and O.

    Arguments:
        log: file to which each calculation adds a line.
        ill: file with a distance, Å; while it exists, configurations with atoms farther apart fail.
    """

    implemented_properties: ClassVar = ["energy", "forces"]

    def __init__(self, log: str = "", ill: str = "", **options):
        super().__init__(**options)
        self._log = log
        self._largest = float(Path(ill).read_text()) if ill and Path(ill).exists() else np.inf

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        positions, symbols = self.atoms.positions, self.atoms.get_chemical_symbols()
        energy, forces = 0.0, np.zeros((len(symbols), 3))
        for i in range(len(symbols)):
            for j in range(i):
                depth, alpha, length = PAIRS["".join(sorted(symbols[i] + symbols[j]))]
                vector = positions[i] - positions[j]
                d = float(np.linalg.norm(vector))
                if d > self._largest:
                    raise CalculationFailed(f"atoms are farther apart than {self._largest:g} Å")
                e = np.exp(-alpha * (d - length))
                energy += depth * (e * e - 2 * e)
                force = 2 * depth * alpha * (e * e - e) * vector / d
                forces[i] += force
                forces[j] -= force
        self.results = {"energy": energy, "forces": forces}
        if self._log:
            descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, f"{os.getcwd()}\n".encode())
            os.close(descriptor)
