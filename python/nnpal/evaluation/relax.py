"""Relax atoms and box of crystals in LAMMPS with any pair style, until energy and pressure converge."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ase import Atoms

from nnpal.data import Keys, Units
from nnpal.data.lammps_dump import read_dump
from nnpal.geometry.phases import crystal, find_phase, shortest_distance
from nnpal.lammps.data_file import write_data
from nnpal.lammps.process import LmpError, run_lmp
from nnpal.runtime.files import aside

ENERGY_TOLERANCE = 1e-7
"""eV/atom between two rounds: a thousandth of the resolution of tables."""
PRESSURE_TOLERANCE = 10.0
"""bar; for a bulk modulus of 100 GPa, 1e-5 of the volume."""
MAX_ROUNDS = 20

SCRIPT = """\
# Relax atoms and box of {name}: energy per atom, pressure and what is left of forces go to {name}.relaxed
#
#   lmp -in {name}.in

units        metal
atom_style   atomic
boundary     p p p
read_data    {name}.data

{commands}

neigh_modify every 1 delay 0 check yes
min_modify   line quadratic
thermo       100
thermo_style custom step pe vol press pxx pyy pzz fmax lx ly lz
thermo_modify format float %.10g

variable     energy equal pe/atoms
variable     pressure equal sqrt((pxx^2+pyy^2+pzz^2)/3)
variable     mean equal abs(press)
variable     round loop {max_rounds}
variable     converged index no

run          0
label        again
variable     before equal $(v_energy:%.15g)
# each round begins with a fresh reference box, which box/relax needs to reach the pressure
fix          box all box/relax {box} vmax 0.001
minimize     0 1e-8 500 2000
unfix        box
run          0
if "$(abs(v_energy-v_before):%.15g) < {energy_tolerance!r} && $(v_{pressure}:%.15g) < {pressure_tolerance!r}" then &
   "variable converged delete" "variable converged index yes" "jump SELF done"
next         round
jump         SELF again
label        done

print        "$(v_energy:%.15g) $(vol/atoms:%.15g) $(press:%.15g) $(fmax:%.15g) ${{converged}}" file {name}.relaxed
write_dump   all custom {name}.lammpstrj id element x y z &
             modify sort id element {element} format float %.17g
"""


@dataclass(frozen=True)
class Structure:
    """A crystal to relax.

    Attributes:
        phase: ``fcc``, ``bcc`` or ``hcp``.
        element: chemical symbol.
        bond: initial nearest-neighbor distance, Å.
        c_over_a: fixed c/a ratio of hcp; None: relaxed, starting from the ideal one.
    """

    phase: str
    element: str
    bond: float
    c_over_a: float | None = None

    @property
    def name(self) -> str:
        """Return the file name without suffix: `Ni-fcc`, `Ni-hcp`, `Ni-hcp-1.732`."""
        fixed = "" if self.c_over_a is None else f"-{self.c_over_a:.4g}"
        return f"{self.element}-{self.phase}{fixed}"


class RelaxedFigures(TypedDict):
    """JSON form of a relaxed crystal: Å, eV and Å³ per atom, bar, eV/Å; None if the relaxation failed."""

    bond: float | None
    energy: float | None
    volume: float | None
    pressure: float | None
    largest_force: float | None
    converged: bool
    phase: str


@dataclass(frozen=True)
class Relaxed:
    """A crystal after relaxation.

    Attributes:
        structure: initial structure.
        bond: shortest distance between atoms, Å.
        energy: energy per atom, eV.
        volume: volume per atom, Å³.
        pressure: residual pressure, bar.
        largest_force: largest residual force component, eV/Å.
        converged: whether energy and pressure converged.
        phase: crystal phase after relaxation, or ``other``.
        atoms: relaxed configuration.
        failed: LAMMPS's error if the relaxation failed, else empty; numbers are then NaN and atoms the initial ones.
    """

    structure: Structure
    bond: float
    energy: float
    volume: float
    pressure: float
    largest_force: float
    converged: bool
    phase: str
    atoms: Atoms
    failed: str = ""

    @property
    def kept_phase(self) -> bool:
        """Return whether the crystal has the same phase after relaxation."""
        return self.phase == self.structure.phase

    def to_json(self) -> RelaxedFigures:
        """Return all values; None after a failed relaxation."""
        return {
            "bond": or_none(self.bond),
            "energy": or_none(self.energy),
            "volume": or_none(self.volume),
            "pressure": or_none(self.pressure),
            "largest_force": or_none(self.largest_force),
            "converged": self.converged,
            "phase": self.phase,
        }


def or_none(value: float) -> float | None:
    """Return a number for JSON, None if it is not finite."""
    return float(value) if math.isfinite(value) else None


def relax_if_possible(commands: Sequence[str], structure: Structure, folder: Path) -> Relaxed:
    """Relax as :func:`relax` does; return an error of LAMMPS's minimizer in ``failed``.

    With a poor model a crystal may collapse, until it has more neighbors than LAMMPS can store.

    Raises:
        ValueError: see :func:`relax`.
        nnpal.lammps.process.LmpError: ``lmp`` fails before the minimization has started.
    """
    try:
        return relax(commands, structure, folder)
    except LmpError as error:
        said = re.search(r"^ERROR[^:\n]*: *(.+)$", error.output, re.M)
        if said is None or "Setting up cg style minimization" not in error.output[: said.start()]:
            raise
        start = crystal(structure.phase, structure.element, structure.bond, structure.c_over_a)
        nothing = (math.nan,) * 5
        return Relaxed(structure, *nothing, converged=False, phase="other", atoms=start, failed=said[1].strip())


def nnp_commands(model: str | os.PathLike[str], element: str, device: str = "cpu") -> list[str]:
    """Return the LAMMPS commands for a model, in double precision: minima are flatter than float32 can resolve.

    Arguments:
        model: path of a model file.
        element: chemical symbol.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    return [
        f'pair_style nnp "{Path(model).resolve()}" device {device} precision double',
        f"pair_coeff * * {element}",
    ]


def relax(commands: Sequence[str], structure: Structure, folder: Path) -> Relaxed:
    """Relax a crystal with repeated ``minimize`` and ``fix box/relax`` at zero pressure.

    Cubic boxes are scaled; for hcp the basal plane and the c axis relax separately, unless ``c_over_a`` is given. The
    input script, such as ``Ni-fcc.in``, stays in ``folder`` with its data file, log and result, and can be run by hand.

    Arguments:
        commands: pair_style, pair_coeff and other commands of the potential, in metal units, for one atom type.
        structure: the crystal.
        folder: output folder, created if it does not exist.

    Raises:
        ValueError: see :func:`nnpal.geometry.phases.crystal`.
        nnpal.lammps.process.LmpError: ``lmp`` fails; its message is in the error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = structure.name
    start = crystal(structure.phase, structure.element, structure.bond, structure.c_over_a)
    free = structure.phase == "hcp" and structure.c_over_a is None
    script = SCRIPT.format(
        name=name,
        element=structure.element,
        commands="\n".join(commands),
        box="x 0 y 0 z 0 couple xy" if free else "iso 0",
        # in a box of fixed shape the pressures along its axes may differ
        pressure="pressure" if free else "mean",
        max_rounds=MAX_ROUNDS,
        energy_tolerance=ENERGY_TOLERANCE,
        pressure_tolerance=PRESSURE_TOLERANCE,
    )
    with aside(folder / f"{name}.in") as path:
        path.write_text(script)
    write_data(folder / f"{name}.data", start, [structure.element])
    run_lmp(["-in", f"{name}.in", "-log", f"{name}.log", "-nocite"], folder)
    *numbers, converged = (folder / f"{name}.relaxed").read_text().split()
    energy, volume, pressure, largest_force = map(float, numbers)
    [atoms] = read_dump(
        folder / f"{name}.lammpstrj", units=Units.lammps("metal"), symbols=None, keys=Keys(), labeled=False
    )
    return Relaxed(
        structure=structure,
        bond=shortest_distance(atoms),
        energy=energy,
        volume=volume,
        pressure=pressure,
        largest_force=largest_force,
        converged=converged == "yes",
        phase=find_phase(atoms),
        atoms=atoms,
    )
