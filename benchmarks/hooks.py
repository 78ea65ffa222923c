"""Time what Python hooks add to a step of LAMMPS, relative to plain steps of the same run.

    python benchmarks/hooks.py [--quick] [--output benchmarks/results/hooks.json]

One `lmp` for each size runs blocks of steps: plain, A, plain, B, plain, ..., repeated in every round. The cost of a
contender is the time of its block minus the mean of the two adjacent plain blocks; results are medians of these
differences over the rounds, with quartiles. Times are CPU times. Thermal fcc Al under EAM, NVE, one core, neighbor list
rebuilt every 10 steps. Contenders:

- nothing: another plain block, which shows the noise
- tally by LAMMPS: energy and virial at every step, requested by fix ave/time; no hook
- Colvars: harmonic restraint of the distance of two atoms by fix colvars; no hook
- an empty hook; SMD on two atoms; MOMT over (H, O), learning, at its default stride and at stride 1
- MOMT's forces by a NumPy callback, with a fixed bias
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import lmp_timing
from nnpal.demo.eam import eam_potential
from record import write_record

CELLS = {32: 2, 108: 3, 864: 6}  # atoms -> cubic cells along an edge
STEPS = {32: 1000, 108: 400, 864: 50}  # per block: 50 to 100 ms, short compared with changes of the machine's load
PLAIN = "plain"
TALLY, COLVARS = "tally by LAMMPS", "distance restraint by Colvars"
SMD, MOMT = "SMD", "MOMT"
AIMS = ((MOMT, TALLY, 25.0), (SMD, COLVARS, 5.0))  # hook, baseline, largest allowed difference in µs per step ...
AIMED_AT = 108  # ... at this number of atoms
N_WARM_UP = 500


@dataclass(frozen=True)
class Contender:
    """LAMMPS commands before and after a block of steps."""

    name: str
    begin: str = ""
    end: str = ""


def contenders(n_atoms: int) -> list[Contender]:
    """Return the contenders. MOMT's ln f is small, so that all run on nearly the same crystal."""
    momt = (
        f"nnpal.momt:MOMT temp 600 press 1 lattice fcc H {-3.6 * n_atoms:g} {-2.6 * n_atoms:g} 60 "
        f"O {-0.1 * n_atoms:g} {1.2 * n_atoms:g} 60 ln_f 1e-5 ln_f_end 1e-7"
    )
    tally = (
        "compute energy all pe\ncompute virial all pressure NULL virial\n"
        "fix tally all ave/time 1 1 1 c_energy c_virial\n"
    )
    return [
        Contender("nothing"),
        Contender(TALLY, tally, "unfix tally\nuncompute energy\nuncompute virial\n"),
        Contender(COLVARS, "fix colvars all colvars restraint.colvars\n", "unfix colvars\n"),
        _hook("empty hook", "hook_contenders:Empty"),
        _hook(SMD, "nnpal.smd:SMD atoms 1 2 k 2.0 rate 0.0"),
        _hook(MOMT, momt),
        _hook("MOMT, stride 1", f"{momt} stride 1"),
        _hook("NumPy callback", f"hook_contenders:NumpyBias cells {CELLS[n_atoms]}"),
    ]


RESTRAINT = """colvarsTrajFrequency 0
colvarsRestartFrequency 0
colvar {
  name d
  distance {
    group1 { atomNumbers 1 }
    group2 { atomNumbers 2 }
  }
}
harmonic {
  colvars d
  centers 2.8
  forceConstant 2.0
}
"""


def _hook(name: str, words: str) -> Contender:
    return Contender(name, f"fix hook all python/hook {words}\n", "unfix hook\n")


def script(n_atoms: int, n_rounds: int) -> str:
    """Return the input script of one size; it prints `block NAME` before each run."""
    n_cells, n_steps = CELLS[n_atoms], STEPS[n_atoms]
    plain = f'print "block {PLAIN}"\nrun {n_steps}\n'
    one_round = "".join(
        f'{plain}{contender.begin}print "block {contender.name}"\nrun {n_steps}\n{contender.end}'
        for contender in contenders(n_atoms)
    )
    return f"""units metal
atom_modify map array
lattice fcc 4.05
region box block 0 {n_cells} 0 {n_cells} 0 {n_cells}
create_box 1 box
create_atoms 1 box
pair_style eam/fs
pair_coeff * * {eam_potential()} Al
velocity all create 1200 4711 loop geom
neigh_modify every 10 delay 0 check no
timestep 0.002
fix n all nve
thermo 0
run {N_WARM_UP} post no
{one_round * n_rounds}{plain}"""


def read_blocks(text: str) -> list[tuple[str, float]]:
    """Return name and CPU time, µs per step, of each block, in order."""
    blocks, name, seconds, n_steps = [], None, 0.0, 1
    for line in text.splitlines():
        if line.startswith("block "):
            name = line.removeprefix("block ")
        loop = re.match(r"Loop time of (\S+) on \d+ procs for (\d+) steps", line)
        share = re.match(r"(\S+)% CPU use", line)
        if loop:
            seconds, n_steps = float(loop[1]), int(loop[2])
        if share and name is not None:
            blocks.append((name, 1e4 * float(share[1]) * seconds / n_steps))
    return blocks


def added(blocks: list[tuple[str, float]]) -> dict[str, list[float]]:
    """Return the time that each contender adds to the adjacent plain blocks, µs per step, one value per round."""
    differences: dict[str, list[float]] = {}
    for (_, before), (name, time), (_, after) in zip(blocks[:-2:2], blocks[1:-1:2], blocks[2::2], strict=True):
        differences.setdefault(name, []).append(time - (before + after) / 2)
    return differences


def quartiles(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else 3 * values
    return {"median": median, "lower_quartile": low, "upper_quartile": high}


def measure(n_atoms: int, n_rounds: int, folder: Path) -> dict[str, object]:
    """Time all contenders at one size."""
    (folder / "restraint.colvars").write_text(RESTRAINT)
    blocks = read_blocks(lmp_timing.run_lmp(script(n_atoms, n_rounds), folder, 1))
    differences = added(blocks)
    assert list(differences) == [contender.name for contender in contenders(n_atoms)], list(differences)
    aims = [
        {
            "what": f"{name} above {than}",
            "aim": aim if n_atoms == AIMED_AT else None,
            "reached": quartiles([a - b for a, b in zip(differences[name], differences[than], strict=True)]),
        }
        for name, than, aim in AIMS
    ]
    return {
        "n_atoms": n_atoms,
        "aims": aims,
        "steps_in_a_block": STEPS[n_atoms],
        "plain_microseconds_per_step": quartiles([time for name, time in blocks if name == PLAIN]),
        "added_microseconds_per_step": {name: quartiles(values) for name, values in differences.items()},
        "rounds": differences,
    }


def print_table(results: list[dict]) -> None:
    table = Table(title="µs per step in addition to the plain step: median (quartiles)")
    table.add_column("contender")
    for result in results:
        table.add_column(f"{result['n_atoms']} atoms", justify="right")
    table.add_row("(plain step)", *(_cell(result["plain_microseconds_per_step"]) for result in results))
    for name in results[0]["added_microseconds_per_step"]:
        table.add_row(name, *(_cell(result["added_microseconds_per_step"][name]) for result in results))
    for k, aim in enumerate(results[0]["aims"]):
        table.add_row(aim["what"], *(_cell(result["aims"][k]["reached"]) for result in results))
    Console(width=110).print(table)


def _cell(value: dict[str, float]) -> str:
    return f"{value['median']:.1f} ({value['lower_quartile']:.1f} .. {value['upper_quartile']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 32 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "hooks.json")
    arguments = parser.parse_args()
    sizes = [32] if arguments.quick else list(CELLS)
    with tempfile.TemporaryDirectory() as name:
        results = [measure(n_atoms, 1 if arguments.quick else arguments.rounds, Path(name)) for n_atoms in sizes]
    print_table(results)
    write_record(arguments.output, "hooks", ("nnpal", "lammps", "numpy", "mpich", "mpi4py"), {"results": results})


if __name__ == "__main__":
    main()
