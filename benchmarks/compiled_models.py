"""Time SchNet in `pair_style nnp`, with TorchScript and compiled by AOTInductor (`nnpal compile`).

    python benchmarks/compiled_models.py [--quick] [--output benchmarks/results/compiled_models.json]

SchNet of default size, 5 members, thermal nickel, one core, with `uq_force`. CPU time of whole steps: LAMMPS's loop
time multiplied by the CPU use that it reports, which is less sensitive to other load. The two files take turns in every
round; ratios are medians of the rounds' ratios. First, forces on the initial crystal must agree. Compiling takes
minutes; `--folder` keeps the files for later runs.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from lmp_timing import UQ_BOTH, Contender, evaluate, nnp, run_lmp, start
from nnpal.model import compile_model
from nnpal.model.schnet import SchNetDescription, build_schnet, export_schnet
from record import write_record

N_MEMBERS = 5
SCRIPT, COMPILED = "TorchScript", "AOTInductor"
TOLERANCE = 1e-4
"""Fraction of the largest force: single precision, as between kernels."""
LOOP = r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms"


def files(folder: Path) -> tuple[Contender, Contender, float | None]:
    """Return both contenders and the compile time, s; None if the compiled file already exists."""
    plain, compiled, seconds = folder / "schnet.nnp.pt", folder / "schnet.nnp.pt2", None
    if not compiled.exists():
        description = SchNetDescription(("Ni",))
        members = [build_schnet(description, seed) for seed in range(N_MEMBERS)]
        export_schnet(description, members, plain, self_energies=[0.0])
        begin = time.perf_counter()
        compile_model(plain, compiled)
        seconds = time.perf_counter() - begin
    return nnp(plain, SCRIPT, UQ_BOTH), nnp(compiled, COMPILED, UQ_BOTH), seconds


def compare(contenders: tuple[Contender, Contender], n_atoms: int, folder: Path, n_ranks: int) -> float:
    """Return the largest force difference, relative to the largest force."""
    a, b = (evaluate(contender, n_atoms, folder, n_ranks) for contender in contenders)
    difference = float(np.abs(a.forces - b.forces).max() / np.abs(a.forces).max())
    if not difference < TOLERANCE:
        raise SystemExit(f"{n_atoms} atoms: forces differ by {difference:.2g} of the largest")
    return difference


def cpu_microseconds(contender: Contender, n_atoms: int, n_steps: int, n_ranks: int, folder: Path) -> float:
    """Return the CPU time of all ranks, µs per atom and step, after a short warm-up run."""
    text = run_lmp(
        start(contender, n_atoms, folder) + f"fix n all nve\nthermo {n_steps}\nrun 1\nrun {n_steps}\n", folder, n_ranks
    )
    seconds, steps, atoms = re.findall(LOOP, text)[-1]
    share = re.findall(r"^(\S+)% CPU use with", text, re.MULTILINE)[-1]
    assert (int(steps), int(atoms)) == (n_steps, n_atoms)
    return 1e6 * float(seconds) * float(share) / 100 * n_ranks / n_steps / n_atoms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, to try the script")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--atoms", type=int, nargs="+", default=[108, 256, 864])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="folder in which model files are kept and reused")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "compiled_models.json")
    arguments = parser.parse_args()
    table = Table("Ni atoms", SCRIPT, f"{COMPILED}, µs per atom", "ratio", "force difference")
    content: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        *both, compile_seconds = files(arguments.folder.resolve() if arguments.folder else folder)
        contenders = (both[0], both[1])
        for n_atoms in arguments.atoms[:1] if arguments.quick else arguments.atoms:
            difference = compare(contenders, n_atoms, folder, arguments.ranks)
            seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
            for _ in range(1 if arguments.quick else arguments.rounds):
                for contender in contenders:
                    found = cpu_microseconds(contender, n_atoms, arguments.steps, arguments.ranks, folder)
                    seconds[contender.name].append(found)
            ratio = statistics.median(a / b for a, b in zip(seconds[SCRIPT], seconds[COMPILED], strict=True))
            content[str(n_atoms)] = {"us_per_atom": seconds, "ratio": ratio, "difference": difference}
            medians = [f"{statistics.median(of_one):.0f}" for of_one in seconds.values()]
            table.add_row(str(n_atoms), *medians, f"{ratio:.2f}", f"{difference:.1g}")
    Console(width=110).print(table)
    found_all = {"systems": content, "ranks": arguments.ranks, "compile_seconds": compile_seconds}
    write_record(arguments.output, "compiled_models", ("nnpal", "torch"), found_all)


if __name__ == "__main__":
    main()
