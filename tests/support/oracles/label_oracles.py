"""Oracles that fail on purpose, named `label_oracles:...` in tests of labeling."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

BAD = 5.0
"""Limit for x of the first atom, Å; a configuration beyond it is the bad one."""


def pair(x: float, bond: float = 1.0) -> Atoms:
    """Return two atoms, the first at x."""
    return Atoms("H2", positions=[[x, 0, 0], [x, bond, 0]], info={"tag": "pairs", "source": f"pair at {x:g}"})


class Spring:
    """E = k/2 Σ |r_i|²; each calculation appends a line with the process ID to a log file.

    A file with the name of the log and ``.held`` contains a number of calculations; later ones wait after their start
    until the file is removed.
    """

    def __init__(self, k: float = 1.0, log: str | None = None, seconds: float = 0.0) -> None:
        self._k = k
        self._log = log
        self._seconds = seconds

    def compute(self, atoms: Atoms) -> dict[str, object]:
        if self._log is not None:
            with Path(self._log).open("a") as file:
                file.write(f"{os.getpid()} {atoms.positions[0, 0]:.17g}\n")
            self._wait_while_held(Path(self._log), Path(f"{self._log}.held"))
        time.sleep(self._seconds)
        if atoms.positions[0, 0] > BAD:
            return self.bad(atoms)
        return {"energy": 0.5 * self._k * float((atoms.positions**2).sum()), "forces": -self._k * atoms.positions}

    def _wait_while_held(self, log: Path, held: Path) -> None:
        with suppress(FileNotFoundError):
            while len(log.read_text().splitlines()) > int(held.read_text()):
                time.sleep(0.01)

    def bad(self, atoms: Atoms) -> dict[str, object]:
        raise RuntimeError("the spring broke")


class Stressed(Spring):
    """Oracle that returns a stress for any cell."""

    def compute(self, atoms: Atoms) -> dict[str, object]:
        return {**super().compute(atoms), "stress": [0.1] * 6}


class Crashing(Spring):
    def bad(self, atoms: Atoms) -> dict[str, object]:
        print("about to fall", flush=True)
        ctypes.string_at(0)
        return {}


class Full(Spring):
    """Oracle that finds the disk full for the bad configuration."""

    def bad(self, atoms: Atoms) -> dict[str, object]:
        with open("/dev/full", "w") as file:
            file.write("x")
        return {}


class Leaving(Spring):
    def bad(self, atoms: Atoms) -> dict[str, object]:
        os._exit(3)


class Victim(Spring):
    """Oracle that is killed at the bad configuration, unless a file next to the log prevents it."""

    def bad(self, atoms: Atoms) -> dict[str, object]:
        if Path(f"{self._log}.spared").exists():
            return {"energy": 0.0, "forces": np.zeros((2, 3))}
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


class Hanging(Spring):
    """Oracle that starts a program, writes its process ID to a file next to the log, and waits for it."""

    def bad(self, atoms: Atoms) -> dict[str, object]:
        program = subprocess.Popen(["sleep", "10000"])
        Path(f"{self._log}.program").write_text(str(program.pid))
        program.wait()
        return {}


class Deaf(Spring):
    """Oracle that sleeps in C and keeps the interpreter lock, like many compiled oracles."""

    def bad(self, atoms: Atoms) -> dict[str, object]:
        ctypes.PyDLL(None).sleep(10000)
        return {}


class NotANumber(Spring):
    def bad(self, atoms: Atoms) -> dict[str, object]:
        return {"energy": float("nan"), "forces": np.zeros((2, 3))}


class WrongShape(Spring):
    def bad(self, atoms: Atoms) -> dict[str, object]:
        return {"energy": 0.0, "forces": np.zeros((1, 3))}


class NoForces(Spring):
    def bad(self, atoms: Atoms) -> dict[str, object]:
        return {"energy": 0.0}


class NoCompute:
    """Class without the methods of an oracle."""


class Unready(Spring):
    def __init__(self) -> None:
        os._exit(4)


class Charged(Calculator):
    """Calculator unknown to nnpal, whose energy shows the charge and spin that it receives."""

    implemented_properties: ClassVar = ["energy", "forces"]

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        told = 100.0 * self.atoms.info.get("charge", 0) + 10.0 * self.atoms.info.get("spin", 0)
        sums = self.atoms.get_initial_charges().sum() + 0.1 * self.atoms.get_initial_magnetic_moments().sum()
        self.results = {"energy": told + sums, "forces": np.zeros((len(self.atoms), 3))}


def quiet_xtb(**options: Any) -> Any:
    """Return tblite's calculator under another name."""
    from tblite.ase import TBLite

    return TBLite(verbosity=0, **options)
