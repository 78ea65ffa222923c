"""Molecular dynamics of one element with an embedded-atom potential: crystal, liquid, cluster.

Each call is one trajectory with its own seed, so calls with different seeds are statistically
independent. The thermostat rescales velocities (``fix temp/csvr``, Bussi, Donadio and Parrinello,
doi:10.1063/1.2408420) and the barostat moves the box (``fix nph``); neither modifies the forces, so
the recorded forces are those of the potential.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms, units
from ase.build import bulk
from ase.cluster import Icosahedron

from nnpal.demo.eam import eam_lammps, read_frame, read_velocities
from nnpal.lammps.seeds import lammps_seed

BAR_PER_GPA = 1.0e4
SECOND_PER_PS = 1.0e-12
TEMPERATURE_DAMPING = 0.1
"""ps; fifty default time steps."""
PRESSURE_DAMPING = 0.5
"""ps; slower than the thermostat, so that the box follows the atoms."""


@dataclass(frozen=True)
class Schedule:
    """Length of a trajectory and stride of its saved configurations.

    Attributes:
        n_frames: number of saved configurations.
        every: steps between saved configurations.
        n_equilibrate: equilibration steps before the first one, after melting if any.
        timestep: time step, ps.
    """

    n_frames: int
    every: int = 50
    n_equilibrate: int = 2000
    timestep: float = 0.002

    def __post_init__(self) -> None:
        for name in ("n_frames", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"Schedule: {name} is {getattr(self, name)}, expected at least 1")
        if self.n_equilibrate < 0:
            raise ValueError(f"Schedule: n_equilibrate is {self.n_equilibrate}, expected at least 0")
        if not self.timestep > 0.0:
            raise ValueError(f"Schedule: timestep is {self.timestep} ps, expected more than 0")


def sample_crystal(
    element: str,
    lattice_constant: float,
    repeat: int,
    *,
    potential: Path,
    temperature: float,
    pressure: float,
    schedule: Schedule,
    seed: int,
) -> list[Atoms]:
    """Sample the face-centered cubic crystal at constant temperature and pressure, with independent box edges.

    Arguments:
        element: chemical symbol.
        lattice_constant: initial lattice constant, Å.
        repeat: conventional cells of four atoms along each box vector.
        potential: Finnis-Sinclair table.
        temperature: temperature, K.
        pressure: pressure, GPa.
        schedule: length and stride.
        seed: random seed of initial velocities and thermostat.

    Returns:
        Configurations with energy (eV), forces (eV/Å) and velocities.
    """
    start = bulk(element, "fcc", a=lattice_constant, cubic=True).repeat(repeat)
    with eam_lammps(start, potential) as lmp:
        _start(lmp, 2.0 * temperature, schedule, seed)  # half of it becomes potential energy by equipartition
        _control(lmp, temperature, seed, barostat=_barostat("aniso", pressure))
        return _collect(lmp, start, schedule)


def sample_liquid(
    element: str,
    lattice_constant: float,
    repeat: int,
    *,
    potential: Path,
    temperature: float,
    pressure: float,
    schedule: Schedule,
    seed: int,
    melting_temperature: float = 3000.0,
    n_melt: int = 2000,
) -> list[Atoms]:
    """Melt the crystal for ``n_melt`` steps at ``melting_temperature`` (K), then sample the liquid at ``temperature``.

    The box stays cubic. For other arguments and the result see :func:`sample_crystal`.
    """
    start = bulk(element, "fcc", a=lattice_constant, cubic=True).repeat(repeat)
    barostat = _barostat("iso", pressure)
    with eam_lammps(start, potential) as lmp:
        _start(lmp, 2.0 * melting_temperature, schedule, seed)
        _control(lmp, melting_temperature, seed, barostat=barostat)
        lmp.command(f"run {n_melt} post no")
        _control(lmp, temperature, seed, barostat=barostat, stream=2)
        return _collect(lmp, start, schedule)


def sample_cluster(
    element: str,
    lattice_constant: float,
    n_shells: int,
    *,
    potential: Path,
    temperature: float,
    vacuum: float,
    schedule: Schedule,
    seed: int,
) -> list[Atoms]:
    """Sample a free Mackay icosahedron with 1, 13, 55, 147, ... atoms, initially without rotation.

    Arguments:
        lattice_constant: lattice constant of the crystal with the same nearest-neighbor distance, Å.
        n_shells: number of shells, including the central atom.
        vacuum: distance from the outermost atoms to those of the periodic image, Å; larger than all cutoffs.

    For other arguments and the result see :func:`sample_crystal`.
    """
    start = Icosahedron(element, n_shells, latticeconstant=lattice_constant)
    start = Atoms(start.get_chemical_symbols(), positions=start.positions, pbc=True)
    start.center(vacuum=vacuum / 2.0)
    with eam_lammps(start, potential) as lmp:
        _start(lmp, 2.0 * temperature, schedule, seed)
        lmp.command("velocity all zero angular")
        _control(lmp, temperature, seed, barostat="nve")
        return _collect(lmp, start, schedule)


def _barostat(coupling: str, pressure: float) -> str:
    bar = pressure * BAR_PER_GPA
    return f"nph {coupling} {bar!r} {bar!r} {PRESSURE_DAMPING!r}"


def _start(lmp: Any, temperature: float, schedule: Schedule, seed: int) -> None:
    """Set the time step, and Gaussian velocities without net momentum."""
    lmp.command(f"timestep {schedule.timestep!r}")
    lmp.command(f"velocity all create {temperature!r} {lammps_seed(seed, 0)} loop all dist gaussian")


def _control(lmp: Any, temperature: float, seed: int, *, barostat: str, stream: int = 1) -> None:
    """Set or reset the thermostat and the integrator."""
    lmp.command(f"fix move all {barostat}")
    lmp.command(
        f"fix bath all temp/csvr {temperature!r} {temperature!r} {TEMPERATURE_DAMPING!r} {lammps_seed(seed, stream)}"
    )


def _collect(lmp: Any, start: Atoms, schedule: Schedule) -> list[Atoms]:
    """Equilibrate, then save a configuration every ``schedule.every`` steps."""
    symbols = start.get_chemical_symbols()
    lmp.command(f"run {schedule.n_equilibrate} post no")
    frames = []
    for _ in range(schedule.n_frames):
        lmp.command(f"run {schedule.every} post no")
        frame = read_frame(lmp, symbols)
        frame.set_velocities(read_velocities(lmp) / (SECOND_PER_PS * units.second))
        frames.append(frame)
    return frames
