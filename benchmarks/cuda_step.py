"""Time a step of pair_style nnp on a GPU from 10 thousand to 10 million atoms, as far as its memory allows.

    python benchmarks/cuda_step.py [--quick] [--sizes 14 63] [--output benchmarks/results/cuda_step.json]

Figures are millions of atom-steps per second, of the pair style alone and of the whole LAMMPS step: medians over the
rounds. Ranks take turns on the one GPU, while LAMMPS's own work and the host work run in parallel; for several ranks,
the pair style's time is the mean over ranks and includes waiting for the others. Per-atom energies and uq_energy are
computed in every step if the contender says so.
Before anything is timed, energy, forces and both uncertainties on the GPU must agree with those of the CPU in double
precision, at 10,976 atoms and at 275,684, whose centers the GPU evaluates in several blocks. On larger crystals, all
contenders must find the same energy.

Without a usable GPU, the script prints the reason and ends.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import gpu
import lmp_timing
import nickel
from agreement import Differences, Evaluation, require_agreement
from record import write_record

SIZES = {14: 400, 30: 200, 63: 40, 100: 10, 136: 5}  # cubic cells along each edge -> steps
CHECKED = (14, 41)  # a block has at most 2^18 centers, see src/ops/ensemble/ensemble_on_cuda.cpp
# Relative to the energy and to the largest force and uncertainty. Sums of some hundred float32 terms, and atomic
# additions in no fixed order; TF32 keeps 3 digits of the factors of matrix products.
AGREEMENT = {"single": 1e-4, "tf32": 2e-2}
OUT_OF_MEMORY = r"out of memory|CUDA error: out of memory"
# Precision, uncertainties at every step, ranks
CONTENDERS: dict[str, tuple[str, lmp_timing.Uncertainties, int]] = {
    "float32": ("single", (), 1),
    "float32, uq_energy every step": ("single", lmp_timing.UQ_ENERGY, 1),
    "float32, uq_energy and uq_force every step": ("single", lmp_timing.UQ_BOTH, 1),
    "TF32": ("tf32", (), 1),
    "TF32, uq_energy every step": ("tf32", lmp_timing.UQ_ENERGY, 1),
    "TF32, uq_energy every step, 4 ranks": ("tf32", lmp_timing.UQ_ENERGY, 4),
}


@dataclass(frozen=True)
class Speed:
    """Speed of pair style and step, million atom-steps per second, and energy of the initial crystal, eV."""

    pair: float
    step: float
    energy: float


def script(model: Path, n_cells: int, options: str, uncertainties: lmp_timing.Uncertainties) -> str:
    """Return a script that creates the thermal crystal; reading a data file of 10 million atoms would take longer."""
    return f"""units metal
boundary p p p
lattice fcc {nickel.LATTICE}
region box block 0 {n_cells} 0 {n_cells} 0 {n_cells}
create_box 1 box
create_atoms 1 box
mass 1 {nickel.MASS}
displace_atoms all random 0.156 0.156 0.156 4711 units box
pair_style nnp {model} {options}
pair_coeff * * Ni
{lmp_timing.fix_uq(uncertainties)}velocity all create {nickel.TEMPERATURE} 4711 loop geom
neighbor 1.0 bin
neigh_modify every 10 delay 0 check no
timestep {lmp_timing.TIMESTEP}
fix n all nve
thermo 1000000
thermo_style custom step pe
thermo_modify format float %20.15g
"""


def run(
    model: Path,
    n_cells: int,
    options: str,
    uncertainties: lmp_timing.Uncertainties,
    n_steps: int,
    folder: Path,
    n_ranks: int = 1,
) -> Speed:
    n_atoms = 4 * n_cells**3
    runs = f"run {lmp_timing.WARM_UP_STEPS}\nrun {n_steps}\n"
    text = lmp_timing.run_lmp(script(model, n_cells, options, uncertainties) + runs, folder, n_ranks)
    seconds = float(
        re.findall(rf"Loop time of (\S+) on {n_ranks} procs for {n_steps} steps with {n_atoms} atoms", text)[-1]
    )
    pair_seconds = float(re.findall(r"^Pair +\| \S+ +\| (\S+) +\|", text, re.MULTILINE)[-1])
    work = 1e-6 * n_atoms * n_steps
    return Speed(work / pair_seconds, work / seconds, lmp_timing.initial_energy(text))


def check_agreement(model: Path, n_cells: int, devices: Mapping[str, str], folder: Path) -> dict[str, Differences]:
    """Require agreement with the CPU in double precision; return the differences.

    Arguments:
        model: model file.
        n_cells: cubic cells along each edge.
        devices: option `device` for each precision of `AGREEMENT`.
        folder: folder for scripts and dumps.

    Raises:
        RuntimeError: results differ by more than `AGREEMENT`.
    """

    def evaluate(options: str) -> Evaluation:
        uncertainties = lmp_timing.UQ_BOTH
        return lmp_timing.evaluate_script(script(model, n_cells, options, uncertainties), uncertainties, folder)

    expected = evaluate(f"device cpu precision double threads {os.cpu_count()}")
    what = f"{4 * n_cells**3} atoms, CPU and"
    return {
        precision: require_agreement(
            f"{what} {device}, {precision}",
            evaluate(f"device {device} precision {precision}"),
            expected,
            AGREEMENT[precision],
        )
        for precision, device in devices.items()
    }


def require_one_energy(rounds: dict[str, list[Speed]]) -> None:
    """Require that all contenders timed on one crystal start from the same energy.

    Raises:
        RuntimeError: energies differ by more than the precision allows.
    """
    in_single = [one.energy for name, own in rounds.items() if CONTENDERS[name][0] == "single" for one in own]
    if not in_single:
        return  # none fits into memory
    expected = in_single[0]
    for name, own in rounds.items():
        allowed = AGREEMENT[CONTENDERS[name][0]]
        for one in own:
            if not abs(one.energy / expected - 1) <= allowed:
                raise RuntimeError(f"{name}: the energy is {one.energy} eV, expected {expected} within {allowed} of it")


def measure(model: Path, n_cells: int, n_steps: int, n_rounds: int, folder: Path) -> dict[str, object]:
    """Time all contenders at one size; list those that run out of GPU memory."""
    usable = {name: own for name, own in CONTENDERS.items() if own[2] <= (os.cpu_count() or 1)}
    rounds: dict[str, list[Speed]] = {name: [] for name in usable}
    too_large = set()
    for _ in range(n_rounds):
        for name, (precision, uncertainties, n_ranks) in usable.items():
            try:
                options = f"device cuda precision {precision}"
                rounds[name].append(run(model, n_cells, options, uncertainties, n_steps, folder, n_ranks))
            except RuntimeError as error:
                if not re.search(OUT_OF_MEMORY, str(error)):
                    raise
                too_large.add(name)
    require_one_energy(rounds)
    return {
        "n_atoms": 4 * n_cells**3,
        "n_steps": n_steps,
        "million_atom_steps_per_second": {
            part: {name: statistics.median(getattr(r, part) for r in own) for name, own in rounds.items() if own}
            for part in ("pair", "step")
        },
        "out_of_memory": sorted(too_large),
        "rounds": {name: [asdict(one) for one in own] for name, own in rounds.items()},
    }


def print_table(results: list[dict[str, Any]]) -> None:
    table = Table(title="million atom-steps per second: pair style (whole step)")
    table.add_column("contender")
    for result in results:
        table.add_column(f"{result['n_atoms']:,} atoms", justify="right")
    for name in CONTENDERS:
        speeds = [result["million_atom_steps_per_second"] for result in results]
        cells = [f"{s['pair'][name]:.2f} ({s['step'][name]:.2f})" if name in s["pair"] else "memory" for s in speeds]
        table.add_row(name, *cells)
    Console(width=140).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 10,976 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES), help="cells along each edge"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "cuda_step.json")
    arguments = parser.parse_args()
    lacking = gpu.missing()
    if lacking is not None:
        print(f"cuda_step.py: nothing is timed: {lacking}")
        return
    sizes = {n: SIZES[n] for n in (list(SIZES)[:1] if arguments.quick else arguments.sizes)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = nickel.export(nickel.build_ensemble(), folder / "ni.nnp.pt")
        devices = dict.fromkeys(AGREEMENT, "cuda")
        differences = {
            str(4 * n_cells**3): check_agreement(model, n_cells, devices, folder)
            for n_cells in CHECKED[: 1 if arguments.quick else None]
        }
        n_rounds = 1 if arguments.quick else arguments.rounds
        results = [measure(model, n_cells, n_steps, n_rounds, folder) for n_cells, n_steps in sizes.items()]
    print_table(results)
    write_record(
        arguments.output,
        "cuda_step",
        ("nnpal", "torch", "torchani", "lammps", "mpich"),
        {
            "gpu": torch.cuda.get_device_name(),
            "cuda": torch.version.cuda,
            "model": {"members": nickel.N_MEMBERS, "hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
            "difference_from_cpu": differences,
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
