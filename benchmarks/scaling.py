"""Measure time and memory of a step of pair_style nnp as functions of the number of atoms and ranks.

    python benchmarks/scaling.py [--quick] [--output benchmarks/results/scaling.json]

- size: nickel crystals of 32 to 108,000 atoms on one core, energies and forces. Memory is the largest resident set of
  `lmp`, with and without both uncertainties, minus that of 864 atoms, because the memory of the networks does not grow
  beyond about 256 atoms.
- strong scaling: 864 and 4,000 atoms on one rank, on two ranks, and on one rank with two threads
- start-up and memory compared with LAMMPS alone: `pair_style zero`, which keeps the same neighbor list (start_up.py)
- weak scaling: 4,000 atoms on one rank, and 8,000 in a box twice as long on two

Rounds go through all contenders of a comparison, A B C A B C; times are medians over the rounds, and ratios medians of
the rounds' ratios. Before anything is timed, energy, forces and both uncertainties of every crystal, on the ranks and
threads that it is timed on, must agree with the same weights exported as TorchANI's modules.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
import start_up
from agreement import Differences, require_agreement
from record import write_record

STEPS = {32: 500, 108: 200, 256: 100, 864: 40, 2048: 20, 4000: 10, 10976: 10, 32000: 10, 108000: 10}
FULL = 864
STRONG = (864, 4000)
WEAK = (4000, 8000)
ONE, TWO, THREADS = "1 rank", "2 ranks", "1 rank, 2 threads"
WAYS = {ONE: (1, 1), TWO: (2, 1), THREADS: (1, 2)}  # ranks, threads
# Relative to the energy and to the largest force and uncertainty: both kernels take the same float32 edge vectors, but
# sum the some hundred terms of an AEV and of a layer in different orders.
AGREEMENT = 1e-5


def contender(model: Path, threads: int = 1, uncertainties: lmp_timing.Uncertainties = ()) -> lmp_timing.Contender:
    return lmp_timing.nnp(model, uncertainties=uncertainties, options=f"device cpu threads {threads}")


def step(
    model: Path, n_atoms: int, folder: Path, *, ranks: int = 1, threads: int = 1, n_steps: int | None = None
) -> lmp_timing.Run:
    warm_up = lmp_timing.WARM_UP_STEPS if n_atoms < 8000 else 1
    return lmp_timing.run_steps(contender(model, threads), n_atoms, n_steps or STEPS[n_atoms], ranks, folder, warm_up)


def check_agreement(
    model: Path, reference: Path, n_atoms: int, ways: list[str], folder: Path
) -> dict[str, Differences]:
    """Require that the model agrees with `reference`, on one rank, for all `ways` (ranks and threads) of a crystal.

    Raises:
        RuntimeError: results differ by more than rounding.
    """
    expected = lmp_timing.evaluate(contender(reference, 1, lmp_timing.UQ_BOTH), n_atoms, folder)
    found = {}
    for way in ways:
        ranks, threads = WAYS[way]
        own = lmp_timing.evaluate(contender(model, threads, lmp_timing.UQ_BOTH), n_atoms, folder, ranks)
        found[way] = require_agreement(f"{n_atoms} atoms on {way} and TorchANI", own, expected, AGREEMENT)
    return found


def ways_to_check(sizes: list[int], strong_sizes: Sequence[int]) -> dict[int, list[str]]:
    """Return the ways (ranks and threads) that each crystal is timed with."""
    ways: dict[int, list[str]] = {n_atoms: [ONE] for n_atoms in sizes}
    for n_atoms in strong_sizes:
        ways[n_atoms] = [ONE, TWO, THREADS]
    one, two = WEAK
    ways.setdefault(one, [ONE])
    ways[two] = [TWO]
    return ways


def against_atoms(model: Path, sizes: list[int], n_rounds: int, folder: Path) -> list[dict[str, object]]:
    """Return time and memory for each size; every round goes through all sizes."""
    rounds = [[step(model, n_atoms, folder) for n_atoms in sizes] for _ in range(n_rounds)]
    with_uq = [
        lmp_timing.run_steps(contender(model, 1, lmp_timing.UQ_BOTH), n_atoms, 1, 1, folder, warm_up=1)
        for n_atoms in sizes
    ]
    rows: list[dict[str, object]] = []
    for k, n_atoms in enumerate(sizes):
        runs = [one_round[k] for one_round in rounds]
        peak, peak_uq = statistics.median(run.peak_megabytes for run in runs), with_uq[k].peak_megabytes
        row: dict[str, object] = {
            "n_atoms": n_atoms,
            "steps": STEPS[n_atoms],
            "microseconds_per_atom_and_step": statistics.median(run.microseconds for run in runs),
            "peak_megabytes": peak,
            "peak_megabytes_with_uq": peak_uq,
            "rounds": [run.microseconds for run in runs],
        }
        if n_atoms > FULL:
            full = sizes.index(FULL)
            for key, value in (("peak_megabytes", peak), ("peak_megabytes_with_uq", peak_uq)):
                more = value - float(str(rows[full][key]))
                row[key.replace("peak_megabytes", "bytes_per_atom")] = more * 2**20 / (n_atoms - FULL)
        rows.append(row)
    return rows


def strong(model: Path, n_atoms: int, n_rounds: int, folder: Path) -> dict[str, object]:
    """Return times and speed-ups of one crystal on two cores."""
    rounds = []
    for _ in range(n_rounds):
        runs = {name: step(model, n_atoms, folder, ranks=r, threads=t) for name, (r, t) in WAYS.items()}
        rounds.append({name: run.microseconds for name, run in runs.items()})
    return {
        "n_atoms": n_atoms,
        "microseconds_per_atom_and_step": {name: statistics.median(r[name] for r in rounds) for name in rounds[0]},
        "speed_up": {name: statistics.median(r[ONE] / r[name] for r in rounds) for name in rounds[0]},
        "rounds": rounds,
    }


def weak(model: Path, n_rounds: int, folder: Path) -> dict[str, object]:
    """Return times for twice the atoms on twice the ranks; efficiency is the time on one rank / the time on two."""
    one, two = WEAK
    rounds = []
    for _ in range(n_rounds):
        seconds = (
            step(model, one, folder).microseconds * one / 1e6,
            step(model, two, folder, ranks=2, n_steps=STEPS[one]).microseconds * two / 1e6,
        )
        rounds.append(seconds)
    return {
        "n_atoms": WEAK,
        "seconds_per_step": [statistics.median(r[k] for r in rounds) for k in (0, 1)],
        "efficiency": statistics.median(r[0] / r[1] for r in rounds),
        "rounds": rounds,
    }


def print_tables(rows: list[dict], strong_rows: list[dict], weak_row: dict, above: dict) -> None:
    console = Console(width=110)
    table = Table(title="one core, 5 members")
    for column in ("atoms", "µs per atom and step", "peak, MiB", "bytes per atom", "with both uncertainties"):
        table.add_column(column, justify="right")
    for row in rows:
        memory = [f"{row[key]:.0f}" if key in row else "" for key in ("bytes_per_atom", "bytes_per_atom_with_uq")]
        time, peak = row["microseconds_per_atom_and_step"], row["peak_megabytes"]
        table.add_row(str(row["n_atoms"]), f"{time:.1f}", f"{peak:.0f}", *memory)
    console.print(table)
    for row in strong_rows:
        for name, value in row["speed_up"].items():
            console.print(f"{row['n_atoms']} atoms on {name}: speed-up {value:.2f} over one rank")
    console.print(f"{WEAK[0]} atoms on 1 rank, {WEAK[1]} on 2: efficiency {weak_row['efficiency']:.2f}")
    console.print(
        f"in addition to LAMMPS alone: {above['processor_seconds']:.3f} CPU s before the first step, "
        f"{above['peak_megabytes']:.1f} MiB at {above['n_atoms'][0]} atoms, "
        f"{above['bytes_per_atom']:.0f} bytes per further atom"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round to 2,048 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "scaling.json")
    arguments = parser.parse_args()
    n_rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ensemble = nickel.build_ensemble()
        model = nickel.export(ensemble, folder / "ni.nnp.pt")
        reference = nickel.export(ensemble, folder / "torchani.nnp.pt", kernel="torchani")
        sizes = [n_atoms for n_atoms in STEPS if n_atoms <= 2048 or not arguments.quick]
        strong_sizes = STRONG[: 1 if arguments.quick else None]
        differences = {
            str(n_atoms): check_agreement(model, reference, n_atoms, ways, folder)
            for n_atoms, ways in ways_to_check(sizes, strong_sizes).items()
        }
        strong_rows = [strong(model, n_atoms, n_rounds, folder) for n_atoms in strong_sizes]
        weak_row = weak(model, n_rounds, folder)
        rows = against_atoms(model, sizes, n_rounds, folder)
        large = 4000 if arguments.quick else start_up.LARGE
        above, above_in_double = (
            start_up.above_lammps(model, n_rounds, folder, large=large, precision=precision)
            for precision in ("single", "double")
        )
    print_tables(rows, strong_rows, weak_row, above)
    content = {
        "model": {"members": nickel.N_MEMBERS, "hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
        "difference_from_torchani": differences,
        "against_atoms": rows,
        "strong": strong_rows,
        "weak": weak_row,
        "above_lammps": above,
        "above_lammps_in_double": above_in_double,
    }
    write_record(arguments.output, "scaling", ("nnpal", "torch", "lammps", "mpich"), content)


if __name__ == "__main__":
    main()
