"""Time a step of pair_style nnp on a GPU from 10 thousand to 10 million atoms, as far as its memory goes.

    python benchmarks/cuda_step.py [--quick] [--output benchmarks/results/cuda_step.json]

Figures are millions of atom-steps per second, of the pair style alone and of the whole LAMMPS step, on one rank:
medians over the rounds. Per-atom energies and uq_energy are computed in every step where the contender says so.
Before anything is timed, CPU and GPU must agree on the smallest crystal's energy.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
from record import write_record

SIZES = {14: 400, 30: 200, 63: 40, 100: 10, 136: 5}  # cubic cells along each edge -> steps
# eV for each atom: float32 terms of some 1e-1 eV; TF32 keeps 3 digits of the factors of matrix products.
AGREEMENT = {"single": 1e-6, "tf32": 1e-4}
OUT_OF_MEMORY = r"out of memory|CUDA error: out of memory"
CONTENDERS = {
    "float32": ("single", ""),
    "float32, uq_energy every step": ("single", lmp_timing.UQ_ENERGY),
    "float32, uq_energy and uq_force every step": ("single", lmp_timing.UQ_BOTH),
    "TF32": ("tf32", ""),
    "TF32, uq_energy every step": ("tf32", lmp_timing.UQ_ENERGY),
}


@dataclass(frozen=True)
class Speed:
    """Millions of atom-steps per second."""

    pair: float
    step: float


def script(model: Path, n_cells: int, options: str, extra: str = "") -> str:
    """Return a thermal crystal that LAMMPS makes itself: a data file of 10 million atoms would take longer to read."""
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
{extra}velocity all create {nickel.TEMPERATURE} 4711 loop geom
neighbor 1.0 bin
neigh_modify every 10 delay 0 check no
timestep {lmp_timing.TIMESTEP}
fix n all nve
thermo 1000000
thermo_style custom step pe
thermo_modify format float %20.15g
"""


def run(model: Path, n_cells: int, options: str, extra: str, n_steps: int, folder: Path) -> Speed:
    n_atoms = 4 * n_cells**3
    runs = f"run {lmp_timing.WARM_UP_STEPS}\nrun {n_steps}\n"
    text = lmp_timing.run_lmp(script(model, n_cells, options, extra) + runs, folder, 1)
    seconds = float(re.findall(rf"Loop time of (\S+) on 1 procs for {n_steps} steps with {n_atoms} atoms", text)[-1])
    pair_seconds = float(re.findall(r"^Pair +\| \S+ +\| (\S+) +\|", text, re.MULTILINE)[-1])
    work = 1e-6 * n_atoms * n_steps
    return Speed(work / pair_seconds, work / seconds)


def energy(model: Path, n_cells: int, options: str, folder: Path) -> float:
    """Return that of the initial crystal, eV for each atom."""
    text = lmp_timing.run_lmp(script(model, n_cells, options) + "run 0\n", folder, 1)
    match = re.search(r"Step\s+PotEng\s+0\s+(\S+)", text)
    assert match, text
    return float(match[1]) / (4 * n_cells**3)


def check_agreement(model: Path, n_cells: int, folder: Path) -> dict[str, float]:
    """Require the same energy of CPU and GPU.

    Raises:
        RuntimeError: they differ by more than rounding.
    """
    expected = energy(model, n_cells, "device cpu precision double", folder)
    differences = {
        precision: abs(energy(model, n_cells, f"device cuda precision {precision}", folder) - expected)
        for precision in AGREEMENT
    }
    if any(not differences[precision] <= AGREEMENT[precision] for precision in AGREEMENT):
        raise RuntimeError(f"GPU and CPU disagree, eV for each atom: {differences}, allowed {AGREEMENT}")
    return differences


def measure(model: Path, n_cells: int, n_steps: int, n_rounds: int, folder: Path) -> dict[str, object]:
    """Time all contenders at one size; one that the GPU's memory does not suffice for is named as such."""
    rounds: dict[str, list[Speed]] = {name: [] for name in CONTENDERS}
    too_large = set()
    for _ in range(n_rounds):
        for name, (precision, extra) in CONTENDERS.items():
            try:
                options = f"device cuda precision {precision}"
                rounds[name].append(run(model, n_cells, options, extra, n_steps, folder))
            except RuntimeError as error:
                if not re.search(OUT_OF_MEMORY, str(error)):
                    raise
                too_large.add(name)
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


def print_table(results: list[dict[str, object]]) -> None:
    table = Table(title="million atom-steps per second: pair style (whole step)")
    table.add_column("contender")
    for result in results:
        table.add_column(f"{result['n_atoms']:,} atoms", justify="right")
    for name in CONTENDERS:
        speeds = [result["million_atom_steps_per_second"] for result in results]
        cells = [f"{s['pair'][name]:.2f} ({s['step'][name]:.2f})" if name in s["pair"] else "memory" for s in speeds]
        table.add_row(name, *cells)
    Console(width=140).print(table)


def require_gpu() -> str:
    """Return the GPU's name, or end with what is missing."""
    from nnpal.ops import load_ops

    if not torch.cuda.is_available():
        sys.exit(f"cuda_step.py: torch {torch.__version__} finds no NVIDIA GPU; this benchmark needs one")
    load_ops()
    if "cuda" not in torch.ops.nnpal.devices():
        sys.exit("cuda_step.py: nnpal was built without nvcc; set CUDACXX to it and install again, see docs/install.md")
    return torch.cuda.get_device_name()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 10,976 atoms, to see that it runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "cuda_step.json")
    arguments = parser.parse_args()
    gpu = require_gpu()
    sizes = dict(list(SIZES.items())[:1]) if arguments.quick else SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = nickel.export(nickel.build_ensemble(), folder / "ni.nnp.pt")
        differences = check_agreement(model, min(sizes), folder)
        n_rounds = 1 if arguments.quick else arguments.rounds
        results = [measure(model, n_cells, n_steps, n_rounds, folder) for n_cells, n_steps in sizes.items()]
    print_table(results)
    write_record(
        arguments.output,
        "cuda_step",
        ("nnpal", "torch", "torchani", "lammps", "mpich"),
        {
            "gpu": gpu,
            "cuda": torch.version.cuda,
            "model": {"members": nickel.N_MEMBERS, "hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
            "difference_from_cpu_ev_per_atom": differences,
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
